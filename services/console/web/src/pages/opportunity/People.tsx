import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useDeferredValue, useState, type FormEvent } from 'react'
import { accounts, body, sales } from '../../api/client'
import { useI18n } from '../../i18n'
import { Dialog } from '../../ui/Dialog'
import { Button, Field, Select } from '../../ui/parts'
import { useProblemText } from '../../ui/problems'
import type { Deal } from '../Opportunity'

type Contact = Deal['contacts'][number]
type Rival = Deal['competitors'][number]
const roles = ['decision_maker', 'influencer', 'user', 'coach', 'buyer'] as const
const leanings = [-2, -1, 0, 1, 2] as const

/** headers carry the version of the deal that is shown: what somebody else changed meanwhile is not overwritten. */
const headers = (deal: Deal) => ({ 'If-Match': `"${deal.version}"` })

/** useSend sends a change of the deal; what is refused is said in the dialog, which stays with what was typed. */
function useSend(onClose: () => void) {
  const client = useQueryClient()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const send = async (change: () => Promise<unknown>) => {
    setBusy(true)
    setError(null)
    try {
      await change()
      onClose()
    } catch (problem) {
      setError(problem)
      setBusy(false)
    }
    void client.invalidateQueries({ queryKey: ['sales'] })
  }
  return { busy, error, send }
}

/** Ways are how a form is left: what is there already can be removed. */
function Ways({ busy, remove }: { busy: boolean; remove?: () => void }) {
  const { t } = useI18n()
  return (
    <div className="flex justify-between gap-2">
      {remove ? (
        <Button look="quiet" disabled={busy} onClick={remove}>
          {t('map.remove')}
        </Button>
      ) : (
        <span />
      )}
      <Button look="primary" type="submit" disabled={busy}>
        {t('action.save')}
      </Button>
    </div>
  )
}

function Refused({ error }: { error: unknown }) {
  const say = useProblemText()
  if (error === null) return null
  return (
    <p role="alert" className="rounded-md bg-bad-soft p-3 text-bad">
      {say(error)}
    </p>
  )
}

/** ContactForm says which part a person has in the decision; without one, it asks first who. */
export function ContactForm({ deal, contact, onClose }: { deal: Deal; contact?: Contact; onClose: () => void }) {
  const { t } = useI18n()
  const { busy, error, send } = useSend(onClose)
  const [who, setWho] = useState(contact?.customer_id ?? '')
  const [role, setRole] = useState<(typeof roles)[number] | ''>(contact?.role ?? '')
  const [influence, setInfluence] = useState(contact?.influence === undefined ? '' : String(contact.influence))
  const [leaning, setLeaning] = useState(contact?.leaning === undefined ? '' : String(contact.leaning))
  const path = { opportunity_id: deal.opportunity_id, customer_id: who }
  const save = (e: FormEvent) => {
    e.preventDefault()
    void send(() =>
      body(
        sales.PUT('/v1/opportunities/{opportunity_id}/contacts/{customer_id}', {
          params: { path, header: headers(deal) },
          body: { role: role || undefined, influence: influence ? Number(influence) : undefined, leaning: leaning ? Number(leaning) : undefined },
        }),
      ),
    )
  }
  return (
    <Dialog title={t(contact ? 'map.edit' : 'map.add')} onClose={onClose}>
      {who === '' ? (
        <Find choose={setWho} without={deal.contacts.map((one) => one.customer_id)} />
      ) : (
        <form onSubmit={save} className="flex flex-col gap-3 p-4">
          <Select label={t('map.role')} value={role} onChange={setRole} options={[['', t('map.notKnown')], ...roles.map((one) => [one, t(`dealRole.${one}`)] as const)]} />
          <Select label={t('map.influenceOf')} value={influence} onChange={setInfluence} options={[['', t('map.notKnown')], ...['1', '2', '3', '4', '5'].map((one) => [one, one] as const)]} />
          <Select label={t('map.leaning')} value={leaning} onChange={setLeaning} options={[['', t('map.notKnown')], ...leanings.map((one) => [String(one), t(`map.${one}`)] as const)]} />
          <Refused error={error} />
          <Ways busy={busy}
            remove={contact && (() => void send(() => sales.DELETE('/v1/opportunities/{opportunity_id}/contacts/{customer_id}', { params: { path, header: headers(deal) } })))} />
        </form>
      )}
    </Dialog>
  )
}

function Find({ choose, without }: { choose: (customer: string) => void; without: string[] }) {
  const { t } = useI18n()
  const [typed, setTyped] = useState('')
  const q = useDeferredValue(typed.trim())
  const query = useQuery({
    queryKey: ['accounts', 'search', 'contact', q],
    enabled: [...q].length >= 2,
    queryFn: ({ signal }) => body(accounts.GET('/v1/customers/search', { params: { query: { q, kind: 'person', limit: 10, sort: 'relevance' } }, signal })),
  })
  const found = (query.data?.items ?? []).filter((one) => !without.includes(one.customer_id))
  return (
    <div className="flex flex-col gap-3 p-4">
      <input autoFocus type="search" className="field" aria-label={t('map.find')} placeholder={t('map.find')} value={typed} onChange={(e) => setTyped(e.target.value)} />
      <ul>
        {found.map((one) => (
          <li key={one.customer_id}>
            <button type="button" onClick={() => choose(one.customer_id)} className="w-full truncate rounded px-3 py-2 text-left hover:bg-sunken">
              {one.display_name || t('customers.noName')}
            </button>
          </li>
        ))}
      </ul>
      {query.data && found.length === 0 && <p className="text-soft">{t('merge.none')}</p>}
    </div>
  )
}

/** RivalForm says how the customer sees a competitor. */
export function RivalForm({ deal, rival, onClose }: { deal: Deal; rival?: Rival; onClose: () => void }) {
  const { t } = useI18n()
  const { busy, error, send } = useSend(onClose)
  const [code, setCode] = useState(rival?.competitor ?? '')
  const [strengths, setStrengths] = useState(rival?.strengths ?? '')
  const [weaknesses, setWeaknesses] = useState(rival?.weaknesses ?? '')
  const path = { opportunity_id: deal.opportunity_id, competitor: code }
  const save = (e: FormEvent) => {
    e.preventDefault()
    void send(() => body(sales.PUT('/v1/opportunities/{opportunity_id}/competitors/{competitor}', { params: { path, header: headers(deal) }, body: { strengths, weaknesses } })))
  }
  return (
    <Dialog title={t(rival ? 'map.editRival' : 'map.addRival')} onClose={onClose}>
      <form onSubmit={save} className="flex flex-col gap-3 p-4">
        <Field label={t('map.rivalCode')}>
          {(id) => <input id={id} required readOnly={rival !== undefined} maxLength={64} pattern="[a-z0-9][a-z0-9_\-]{0,63}" title={t('map.codeHint')} className="field" value={code} onChange={(e) => setCode(e.target.value)} />}
        </Field>
        <Field label={t('map.strengths')}>{(id) => <textarea id={id} rows={2} maxLength={2000} className="field h-auto py-2" value={strengths} onChange={(e) => setStrengths(e.target.value)} />}</Field>
        <Field label={t('map.weaknesses')}>{(id) => <textarea id={id} rows={2} maxLength={2000} className="field h-auto py-2" value={weaknesses} onChange={(e) => setWeaknesses(e.target.value)} />}</Field>
        <Refused error={error} />
        <Ways busy={busy}
          remove={rival && (() => void send(() => sales.DELETE('/v1/opportunities/{opportunity_id}/competitors/{competitor}', { params: { path, header: headers(deal) } })))} />
      </form>
    </Dialog>
  )
}
