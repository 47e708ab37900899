import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState, type ReactNode } from 'react'
import { body, loyalty, once, sales, tickets } from '../../api/client'
import { useSession } from '../../api/session'
import { date, money, percent } from '../../format'
import { useI18n } from '../../i18n'
import { Due } from '../../ui/Due'
import { Badge, Button, Card, Loaded, Select } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import type { Profile } from '../Customer'

/** few is how many rows a panel shows: those that are latest. */
const few = 5

/** Panels are what other services have of the customer, each only to who may read it. */
export function Panels({ profile }: { profile: Profile }) {
  const { can } = useSession()
  const id = profile.customer_id
  return (
    <>
      {can('tickets.read') && <TicketsPanel id={id} />}
      {can('sales.read') && <DealsPanel id={id} />}
      {can('loyalty.read') && <PointsPanel id={id} />}
      <ValuePanel profile={profile} />
      <ConsentPanel profile={profile} />
    </>
  )
}

function None({ children }: { children: ReactNode }) {
  return <p className="p-4 text-soft">{children}</p>
}

function TicketsPanel({ id }: { id: string }) {
  const { t } = useI18n()
  const query = useQuery({
    queryKey: ['tickets', 'of', id],
    queryFn: () => body(tickets.GET('/v1/tickets', { params: { query: { customer_id: id, limit: few } } })),
  })
  return (
    <Card title={t('customer.tickets')}>
      <Loaded query={query}>
        {(d) =>
          !d.items?.length ? (
            <None>{t('customer.noTickets')}</None>
          ) : (
            <ul className="divide-y divide-line">
              {d.items.map((one) => (
                <li key={one.ticket_id}>
                  <Link to="/tickets" search={{ view: 'all', ticket: one.ticket_id }} className="flex items-center justify-between gap-3 px-4 py-2 hover:bg-sunken">
                    <span className="min-w-0">
                      <span className="block truncate">{one.subject}</span>
                      <span className="text-xs text-faint">
                        {one.number} · {t(`ticketStatus.${one.status}`)}
                      </span>
                    </span>
                    {one.next_due_at && <Due at={one.next_due_at} />}
                  </Link>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}

function DealsPanel({ id }: { id: string }) {
  const { t, language } = useI18n()
  const query = useQuery({
    queryKey: ['sales', 'of', id],
    queryFn: () => body(sales.GET('/v1/opportunities', { params: { query: { customer_id: id, limit: few } } })),
  })
  return (
    <Card title={t('customer.deals')}>
      <Loaded query={query}>
        {(d) =>
          !d.items?.length ? (
            <None>{t('customer.noDeals')}</None>
          ) : (
            <ul className="divide-y divide-line">
              {d.items.map((one) => (
                <li key={one.opportunity_id}>
                  <Link to="/opportunities/$opportunityId" params={{ opportunityId: one.opportunity_id }} className="flex items-center justify-between gap-3 px-4 py-2 hover:bg-sunken">
                  <span className="min-w-0">
                    <span className="block truncate">{one.name}</span>
                    <span className="text-xs text-faint">
                      {t(`dealState.${one.state}`)}
                      {one.expected_close_on && one.state === 'open' && ` · ${t('pipeline.closes', { at: date(language, one.expected_close_on) })}`}
                    </span>
                  </span>
                  <span className="tabular-nums">{money(language, one.amount_minor, one.currency)}</span>
                  </Link>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}

/** usual is the programme that every tenant has. */
const usual = 'standard'

/** Enrol makes a customer a member of a programme: the usual one, or where there are several the one that is chosen. in are those that the customer is in. */
function Enrol({ customer, in: known }: { customer: string; in: string[] }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const [busy, setBusy] = useState(false)
  const [chosen, choose] = useState<string>()
  const query = useQuery({ queryKey: ['loyalty', 'programmes'], queryFn: () => body(loyalty.GET('/v1/programmes')) })
  const open = (query.data?.items ?? []).filter((one) => !known.includes(one.code))
  const programme = (open.find((one) => one.code === chosen) ?? open.find((one) => one.code === usual) ?? open[0])?.code
  if (!programme) return null
  const enrol = async () => {
    setBusy(true)
    try {
      await body(loyalty.POST('/v1/members', { params: { header: once() }, body: { customer_id: customer, programme } }))
      done(t('member.enrolled'))
    } catch (error) {
      failed(error)
    } finally {
      setBusy(false)
    }
    void client.invalidateQueries({ queryKey: ['loyalty'] })
  }
  return (
    <div className="flex flex-wrap items-end gap-2 px-4 pt-1 pb-4">
      {open.length > 1 && <Select label={t('member.programme')} value={programme} onChange={choose} options={open.map((one) => [one.code, one.name] as const)} />}
      <Button disabled={busy} onClick={() => void enrol()}>
        {t('member.enrol')}
      </Button>
    </div>
  )
}

function PointsPanel({ id }: { id: string }) {
  const { t } = useI18n()
  const { can } = useSession()
  const query = useQuery({
    queryKey: ['loyalty', 'of', id],
    queryFn: () => body(loyalty.GET('/v1/members', { params: { query: { customer_id: id, limit: few } } })),
  })
  return (
    <Card title={t('customer.loyalty')}>
      <Loaded query={query}>
        {(d) => (
          <>
            {!d.items?.length && <None>{t('customer.noMember')}</None>}
            <ul className="divide-y divide-line empty:hidden">
              {d.items?.map((one) => (
                <li key={one.member_id} className="px-4 py-3">
                  <div className="flex items-baseline justify-between gap-3">
                    <span className="font-medium">{one.programme}</span>
                    <span className="text-lg font-semibold tabular-nums">{t('customer.available', { n: one.available })}</span>
                  </div>
                  <div className="text-xs text-soft">
                    {[one.card_number && t('customer.card', { card: one.card_number }), one.pending > 0 && t('customer.pending', { n: one.pending })]
                      .filter(Boolean)
                      .join(' · ')}
                  </div>
                  <Expiring member={one.member_id} />
                </li>
              ))}
            </ul>
            {can('loyalty.write') && <Enrol customer={id} in={(d.items ?? []).map((one) => one.programme)} />}
          </>
        )}
      </Loaded>
    </Card>
  )
}

/** Expiring says which points go next, and when. */
function Expiring({ member }: { member: string }) {
  const { t, language } = useI18n()
  const query = useQuery({
    queryKey: ['loyalty', 'balance', member],
    queryFn: () => body(loyalty.GET('/v1/members/{member_id}/balance', { params: { path: { member_id: member } } })),
  })
  const next = query.data?.expiring?.[0]
  if (!next) return null
  return <div className="text-xs text-warn">{t('customer.expiring', { n: next.points, at: date(language, next.at) })}</div>
}

function ValuePanel({ profile }: { profile: Profile }) {
  const { t, language } = useI18n()
  const { lifetime_value, churn_risk, next_best_action } = profile.facts
  const rows = [
    ...(lifetime_value ?? []).map((one) => [t('customer.lifetimeValue'), money(language, one.amount_minor, one.currency)] as const),
    ...(churn_risk === undefined ? [] : [[t('customer.churn'), percent(language, churn_risk)] as const]),
    ...(next_best_action ? [[t('customer.nextAction'), next_best_action] as const] : []),
  ]
  return (
    <Card title={t('customer.value')}>
      {rows.length === 0 ? (
        <None>{t('customer.noValue')}</None>
      ) : (
        <dl className="flex flex-col gap-2 p-4">
          {rows.map(([label, value]) => (
            <div key={label + value} className="flex items-baseline justify-between gap-4">
              <dt className="text-soft">{label}</dt>
              <dd className="font-medium tabular-nums">{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </Card>
  )
}

const consentTone = { granted: 'good', withdrawn: 'bad', pending: 'warn', suppressed: 'bad' } as const

function ConsentPanel({ profile }: { profile: Profile }) {
  const { t, language } = useI18n()
  return (
    <Card title={t('customer.consent')}>
      {profile.consents.length === 0 ? (
        <None>{t('customer.noConsent')}</None>
      ) : (
        <ul className="divide-y divide-line">
          {profile.consents.map((one) => (
            <li key={[one.purpose, one.channel, one.address].join()} className="flex items-baseline justify-between gap-3 px-4 py-2">
              <span className="min-w-0">
                {t(`consentFor.${one.purpose}`)} · {one.channel && t(`channel.${one.channel}`)}
                {one.address && <span className="block truncate text-xs text-faint">{one.address}</span>}
              </span>
              <span className="flex shrink-0 flex-col items-end gap-0.5">
                <Badge tone={consentTone[one.state]}>{t(`consent.${one.state}`)}</Badge>
                <span className="text-xs text-faint">{date(language, one.since)}</span>
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}
