import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useChange } from '../../api/change'
import { sales, tagged } from '../../api/client'
import type { components } from '../../api/sales'
import { useSession } from '../../api/session'
import { useI18n } from '../../i18n'
import { Dialog } from '../../ui/Dialog'
import { Badge, Card, Field, FormEnd, Loaded, Select } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import type { Deal } from '../Opportunity'

type Entry = components['schemas']['C139Entry']
type Sign = components['schemas']['C139Sign']

function read(id: string) {
  return tagged(sales.GET('/v1/opportunities/{opportunity_id}/c139', { params: { path: { opportunity_id: id } } }))
}

/** C139 is the card of a deal: nine things to have clear, three signs of leading, and the one that decides. */
export function C139({ deal }: { deal: Deal }) {
  const { t } = useI18n()
  const { can } = useSession()
  const [chosen, choose] = useState<Entry | null>(null)
  const query = useQuery({ queryKey: ['sales', 'c139', deal.opportunity_id], queryFn: () => read(deal.opportunity_id) })
  const edit = can('sales.write') && deal.state === 'open' ? choose : undefined
  return (
    <Card
      title={t('c139.title')}
      action={
        query.data && (
          <span className="flex flex-wrap items-baseline justify-end gap-x-2">
            <span className="text-lg font-semibold tabular-nums">{query.data.value.display}</span>
            <span className="text-xs text-soft">{t('c139.coached', { n: query.data.value.coached })}</span>
          </span>
        )
      }
    >
      <Loaded query={query} lines={9}>
        {({ value: card, etag }) => (
          <>
            <Items title={t('c139.things')} items={card.things} edit={edit} />
            <Items title={t('c139.signs')} items={card.signs} edit={edit} />
            {chosen && <EditItem key={chosen.code} deal={deal} first={chosen} etag={etag} sign={card.signs.some((one) => one.code === chosen.code)} onClose={() => choose(null)} />}
          </>
        )}
      </Loaded>
    </Card>
  )
}

function Items({ title, items, edit }: { title: string; items: (Entry | Sign)[]; edit?: (entry: Entry) => void }) {
  const { t, language } = useI18n()
  return (
    <section aria-label={title} className="border-b border-line last:border-0">
      <h3 className="px-4 pt-3 pb-1 text-xs font-medium text-soft">{title}</h3>
      <ul className="grid grid-cols-1 gap-px md:grid-cols-2">
        {items.map((one) => {
          const name = language === 'en' ? one.name.en : one.name.zh
          const inside = (
            <>
              <span className="flex items-start justify-between gap-2">
                <span className="min-w-0 font-medium">{name}</span>
                <State one={one} />
              </span>
              {one.known && <span className="mt-0.5 block break-words">{one.known}</span>}
              <span className="block text-xs break-words text-soft">{[one.evidence && t('c139.evidence', { text: one.evidence }), one.coach_id && t('c139.coach')].filter(Boolean).join(' · ')}</span>
            </>
          )
          return (
            <li key={one.code}>
              {edit ? (
                <button type="button" title={t('c139.edit', { name })} onClick={() => edit(one)} className="flex h-full w-full flex-col items-stretch justify-start px-4 py-2 text-left -outline-offset-2 hover:bg-sunken">
                  {inside}
                </button>
              ) : (
                <div className="px-4 py-2">{inside}</div>
              )}
            </li>
          )
        })}
      </ul>
    </section>
  )
}

function State({ one }: { one: Entry | Sign }) {
  const { t } = useI18n()
  if (!('counts' in one)) {
    if (one.holds === undefined) return <Badge>{t('c139.unknown')}</Badge>
    return <Badge tone={one.holds ? 'good' : 'warn'}>{t(one.holds ? 'c139.clear' : 'c139.notClear')}</Badge>
  }
  if (one.disputed) return <Badge tone="bad">{t('c139.disputed')}</Badge>
  if (one.counts) return <Badge tone="good">{one.holds === undefined ? `${t('c139.seen')} · ${t('c139.byStructure')}` : t('c139.seen')}</Badge>
  return <Badge tone={one.holds === false ? 'warn' : 'plain'}>{t(one.holds === false ? 'c139.notSeen' : 'c139.unknown')}</Badge>
}

/** EditItem says what is known of one item. Where somebody was faster, what they said is shown beside one's own words. */
function EditItem({ deal, first, etag, sign, onClose }: { deal: Deal; first: Entry; etag: string; sign: boolean; onClose: () => void }) {
  const { t, language } = useI18n()
  const client = useQueryClient()
  const { done } = useToasts()
  const [holds, setHolds] = useState<'' | 'yes' | 'no'>(first.holds === undefined ? '' : first.holds ? 'yes' : 'no')
  const [known, setKnown] = useState(first.known)
  const [evidence, setEvidence] = useState(first.evidence)
  const [coach, setCoach] = useState(first.coach_id ?? '')
  const coaches = deal.contacts.filter((one) => one.role === 'coach')
  const { theirs, busy, error, save } = useChange<Entry>({ value: first, etag }, {
    read: async () => {
      const { value, etag } = await read(deal.opportunity_id)
      return { value: [...value.things, ...value.signs].find((one) => one.code === first.code) ?? first, etag }
    },
    send: async (base) => {
      const entry = { code: first.code, holds: holds === '' ? undefined : holds === 'yes', known, evidence, coach_id: coach || undefined }
      await tagged(
        sales.PATCH('/v1/opportunities/{opportunity_id}/c139', { params: { path: { opportunity_id: deal.opportunity_id }, header: { 'If-Match': base.etag } }, body: { entries: [entry] } }),
      )
      done(t('c139.saved'))
      void client.invalidateQueries({ queryKey: ['sales'] })
      onClose()
    },
  })
  const name = language === 'en' ? first.name.en : first.name.zh
  return (
    <Dialog title={name} onClose={onClose}>
      <form onSubmit={(e) => void save(e)} className="flex flex-col gap-3 p-4">
        {theirs && (
          <p role="alert" className="rounded-md bg-warn-soft p-3 text-warn">
            {t('c139.conflict', { theirs: [theirs.known, theirs.evidence].filter(Boolean).join(' · ') || t('c139.nothingSaid') })}
          </p>
        )}
        <Select label={t(sign ? 'c139.isSeen' : 'c139.holds')} value={holds} onChange={setHolds} options={[['', t('c139.unknown')], ['yes', t('yesNo.yes')], ['no', t('yesNo.no')]]} />
        <Field label={t('c139.known')}>{(id) => <textarea id={id} rows={3} required={holds === 'yes' && !sign} value={known} onChange={(e) => setKnown(e.target.value)} className="field h-auto resize-y py-2" />}</Field>
        <Field label={t('c139.evidenceField')}>{(id) => <textarea id={id} rows={2} required={holds === 'yes'} value={evidence} onChange={(e) => setEvidence(e.target.value)} className="field h-auto resize-y py-2" />}</Field>
        {coaches.length > 0 && (
          <Select label={t('c139.coachField')} value={coach} onChange={setCoach} options={[['', t('c139.noCoach')], ...coaches.map((one) => [one.customer_id, one.customer_id.slice(-8)] as const)]} />
        )}
        <FormEnd error={error} disabled={busy} onCancel={onClose} />
      </form>
    </Dialog>
  )
}
