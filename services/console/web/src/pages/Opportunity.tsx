import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { accounts, body, sales } from '../api/client'
import type { components } from '../api/sales'
import { useSession } from '../api/session'
import { map } from '../forecast'
import { date, money, number, span, time } from '../format'
import { useI18n } from '../i18n'
import { Badge, Button, Card, Detail, linkLook, Loaded } from '../ui/parts'
import { C139 } from './opportunity/C139'
import { Close } from './opportunity/Close'
import { ContactForm, RivalForm } from './opportunity/People'

const route = getRouteApi('/opportunities/$opportunityId')

export type Deal = components['schemas']['OpportunityView']

/** Opportunity is one deal: what is known of it, who decides, what to find out next, and where it stood. */
export function Opportunity() {
  const { opportunityId } = route.useParams()
  const query = useQuery({
    queryKey: ['sales', 'opportunity', opportunityId],
    queryFn: () => body(sales.GET('/v1/opportunities/{opportunity_id}', { params: { path: { opportunity_id: opportunityId } } })),
  })
  return (
    <div className="mx-auto max-w-7xl p-4 md:p-6">
      <Loaded query={query} lines={10}>
        {(deal) => (
          <Detail
            head={<Header deal={deal} />}
            main={
              <>
                <C139 deal={deal} />
                <DecisionMap deal={deal} />
              </>
            }
            side={
              <>
                <Gaps deal={deal} />
                <Stages deal={deal} />
                <Lines deal={deal} />
              </>
            }
          />
        )}
      </Loaded>
    </div>
  )
}

const stateTone = { open: 'accent', won: 'good', lost: 'bad', withdrawn: 'plain' } as const

/** useStageName gives what people call a stage; its code where the pipeline has it no more. */
function useStageName(): (pipeline: string, stage: string) => string {
  const { data } = useQuery({ queryKey: ['sales', 'pipelines'], queryFn: () => body(sales.GET('/v1/pipelines')) })
  return (pipeline, stage) => data?.items?.find((one) => one.code === pipeline)?.stages?.find((one) => one.code === stage)?.name ?? stage
}

function Header({ deal }: { deal: Deal }) {
  const { t, language } = useI18n()
  const { can } = useSession()
  const stage = useStageName()
  return (
    <section className="card flex flex-wrap items-start justify-between gap-3 p-4 md:p-5" aria-labelledby="deal">
      <div className="min-w-0">
        <div className="flex flex-wrap items-center gap-2">
          <h1 id="deal" className="text-xl font-semibold break-words">
            {deal.name || t('deal.noName')}
          </h1>
          <Badge tone={stateTone[deal.state]}>{t(`dealState.${deal.state}`)}</Badge>
          <Badge>{stage(deal.pipeline, deal.stage)}</Badge>
          {deal.stalled && <Badge tone="warn">{t(`stalled.${deal.stalled.reason}`)}</Badge>}
        </div>
        <p className="mt-1 text-2xl font-semibold tabular-nums">{money(language, deal.amount_minor, deal.currency)}</p>
        <p className="text-soft">
          {[
            deal.owner ? t('deal.owner', { owner: deal.owner }) : t('deal.noOwner'),
            deal.closed_at ? t('deal.closed', { at: date(language, deal.closed_at) }) : deal.expected_close_on ? t('deal.closes', { at: date(language, deal.expected_close_on) }) : t('pipeline.noClose'),
          ].join(' · ')}
        </p>
        <p className="mt-2">
          <span className="text-soft">{t('deal.nextStep')}: </span>
          {deal.next_step ? `${deal.next_step}${deal.next_step_on ? ` · ${date(language, deal.next_step_on)}` : ''}` : <span className="text-faint">{t('deal.noNextStep')}</span>}
        </p>
      </div>
      <div className="flex flex-wrap gap-2">
        {can('sales.write') && <Close deal={deal} />}
        <Link to="/pipeline" search={{ pipeline: deal.pipeline }} className={linkLook}>
          {t('deal.board')}
        </Link>
        {can('customers.read') && (
          <Link to="/customers/$customerId" params={{ customerId: deal.customer_id }} search={{}} className={linkLook}>
            {t('tickets.customer')}
          </Link>
        )}
      </div>
    </section>
  )
}

/** Name is what a person of the decision is called, to who may read it. */
export function Name({ id }: { id: string }) {
  const { t } = useI18n()
  const { can } = useSession()
  const query = useQuery({
    queryKey: ['accounts', 'customer', id, 'record'],
    enabled: can('customers.read'),
    queryFn: () => body(accounts.GET('/v1/customers/{customer_id}', { params: { path: { customer_id: id } } })),
  })
  const name = query.data?.display_name || (query.isLoading ? '…' : t('customers.nameHidden'))
  if (!can('customers.read')) return name
  return (
    <Link to="/customers/$customerId" params={{ customerId: id }} search={{}} className="font-medium break-words hover:text-accent hover:underline">
      {name}
    </Link>
  )
}

const leanings = [-2, -1, 0, 1, 2] as const
const leaningTone = ['border-bad', 'border-warn', 'border-strong-line', 'border-accent', 'border-good']

function DecisionMap({ deal }: { deal: Deal }) {
  const { t } = useI18n()
  const { can } = useSession()
  const { columns, unknown } = map(deal.contacts)
  const [form, open] = useState<{ of: 'person'; one?: Deal['contacts'][number] } | { of: 'rival'; one?: Deal['competitors'][number] } | null>(null)
  const close = () => open(null)
  // Of a deal that is closed nothing changes any more.
  const may = can('sales.write') && deal.state === 'open'
  const person = (one: Deal['contacts'][number]) => (
    <li key={one.customer_id} className="card p-2">
      <Name id={one.customer_id} />
      {may && <Change label={t('map.edit')} onClick={() => open({ of: 'person', one })} />}
      <div className="text-xs text-soft">{[one.role && t(`dealRole.${one.role}`), one.influence !== undefined && t('map.influence', { n: one.influence })].filter(Boolean).join(' · ')}</div>
    </li>
  )
  return (
    <Card title={t('map.title')}
      action={may && (
        <span className="flex gap-2 py-1.5">
          {can('customers.read') && <Button onClick={() => open({ of: 'person' })}>{t('map.add')}</Button>}
          <Button onClick={() => open({ of: 'rival' })}>{t('map.addRival')}</Button>
        </span>
      )}>
      {form?.of === 'person' && <ContactForm deal={deal} contact={form.one} onClose={close} />}
      {form?.of === 'rival' && <RivalForm deal={deal} rival={form.one} onClose={close} />}
      {deal.contacts.length === 0 ? (
        <p className="p-4 text-soft">{t('map.none')}</p>
      ) : (
        <div className="overflow-x-auto p-4">
          <div className="grid min-w-2xl grid-cols-5 gap-2">
            {leanings.map((leaning, i) => (
              <section key={leaning} aria-label={t(`map.${leaning}`)} className={`rounded-md border-t-3 bg-sunken p-2 ${leaningTone[i]}`}>
                <h3 className="mb-2 text-xs font-medium text-soft">{t(`map.${leaning}`)}</h3>
                <ul className="flex flex-col gap-2">{columns[i]!.map(person)}</ul>
              </section>
            ))}
          </div>
          {unknown.length > 0 && (
            <>
              <h3 className="mt-3 mb-2 text-xs font-medium text-soft">{t('map.unknown')}</h3>
              <ul className="flex flex-wrap gap-2">{unknown.map(person)}</ul>
            </>
          )}
        </div>
      )}
      {deal.competitors.length > 0 && (
        <div className="border-t border-line p-4">
          <h3 className="mb-2 text-xs font-medium text-soft">{t('map.competitors')}</h3>
          <ul className="flex flex-col gap-2">
            {deal.competitors.map((one) => (
              <li key={one.competitor}>
                <span className="font-medium">{one.competitor}</span>
                {may && <Change label={t('map.changeOf', { name: one.competitor })} onClick={() => open({ of: 'rival', one })} />}
                {one.strengths && <span className="block text-good">+ {one.strengths}</span>}
                {one.weaknesses && <span className="block text-bad">− {one.weaknesses}</span>}
              </li>
            ))}
          </ul>
        </div>
      )}
    </Card>
  )
}

function Change({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <button type="button" aria-label={label} title={label} onClick={onClick} className="ml-1 rounded px-1.5 text-soft hover:bg-sunken">
      ✎
    </button>
  )
}

function Gaps({ deal }: { deal: Deal }) {
  const { t, language } = useI18n()
  const query = useQuery({
    queryKey: ['sales', 'c139-gaps', deal.opportunity_id],
    queryFn: () => body(sales.GET('/v1/opportunities/{opportunity_id}/c139/gaps', { params: { path: { opportunity_id: deal.opportunity_id } } })),
  })
  const words = (text: { en: string; zh: string }) => (language === 'en' ? text.en : text.zh)
  return (
    <Card title={t('gaps.title')}>
      <Loaded query={query}>
        {(d) =>
          d.items.length === 0 ? (
            <p className="p-4 text-soft">{t('gaps.none')}</p>
          ) : (
            <ol tabIndex={0} className="max-h-112 divide-y divide-line overflow-auto">
              {d.items.map((one) => (
                <li key={one.code} className="px-4 py-2.5">
                  <div className="flex items-start justify-between gap-2">
                    <span className="font-medium">{words(one.name)}</span>
                    {one.needed_now && <Badge tone="warn">{t('gaps.now')}</Badge>}
                  </div>
                  <div>{words(one.question)}</div>
                  <div className="text-xs text-soft">
                    {t(`gap.${one.reason}`)} · {t('gaps.ask', { who: one.ask_role === 'team' ? t('gaps.team') : t(`dealRole.${one.ask_role as 'coach'}`) })}
                  </div>
                </li>
              ))}
            </ol>
          )
        }
      </Loaded>
    </Card>
  )
}

function Stages({ deal }: { deal: Deal }) {
  const { t, language } = useI18n()
  const stage = useStageName()
  const query = useQuery({
    queryKey: ['sales', 'stages', deal.opportunity_id],
    queryFn: () => body(sales.GET('/v1/opportunities/{opportunity_id}/stages', { params: { path: { opportunity_id: deal.opportunity_id }, query: { limit: 100 } } })),
  })
  return (
    <Card title={t('stages.title')}>
      <Loaded query={query}>
        {(d) => (
          <ol className="divide-y divide-line">
            {[...(d.items ?? [])].reverse().map((one) => (
              <li key={one.no} className="px-4 py-2.5">
                <div className="flex items-baseline justify-between gap-3">
                  <span className="font-medium">{one.state === 'open' ? stage(one.pipeline, one.stage) : `${t(`dealState.${one.state}`)} · ${stage(one.pipeline, one.stage)}`}</span>
                  <span className="text-xs text-soft tabular-nums">{span(language, one.seconds * 1000)}</span>
                </div>
                <div className="text-xs text-faint">
                  {time(language, one.entered_at)} · {one.by}
                  {!one.left_at && ` · ${t('stages.now')}`}
                </div>
              </li>
            ))}
          </ol>
        )}
      </Loaded>
    </Card>
  )
}

function Lines({ deal }: { deal: Deal }) {
  const { t, language } = useI18n()
  if (deal.lines.length === 0) return null
  return (
    <Card title={t('lines.title')}>
      <ul className="divide-y divide-line">
        {deal.lines.map((one, i) => (
          <li key={i} className="flex items-baseline justify-between gap-3 px-4 py-2">
            <span className="min-w-0 break-words">
              {one.sku}
              <span className="block text-xs text-faint">{t('lines.quantity', { n: number(language, one.quantity), price: money(language, one.unit_minor, deal.currency) })}</span>
            </span>
            <span className="tabular-nums">{money(language, one.amount_minor ?? one.quantity * one.unit_minor, deal.currency)}</span>
          </li>
        ))}
      </ul>
    </Card>
  )
}
