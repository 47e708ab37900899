import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { accounts, body, sales, tickets } from '../api/client'
import { useSession } from '../api/session'
import { date, money, number, time } from '../format'
import { useI18n } from '../i18n'
import { Badge, Card, Empty, Loaded } from '../ui/parts'
import { Due } from '../ui/Due'

export function Home() {
  const { t } = useI18n()
  const { can, name, subject } = useSession()
  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-5 p-4 md:p-6">
      <h1 className="text-xl font-semibold">{t('home.hello', { name: name || subject })}</h1>
      <div className="grid grid-cols-1 gap-4 sm:grid-cols-2 lg:grid-cols-3">
        {can('customers.read') && <CustomerCount />}
        {can('tickets.report') && <Backlog />}
        {can('orders.read') && <Revenue />}
      </div>
      <div className="grid grid-cols-1 items-start gap-5 lg:grid-cols-2">
        {can('tickets.read') && <Deadlines />}
        {can('sales.read') && <Activities />}
      </div>
    </div>
  )
}

function Figure({ label, value, note }: { label: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className="p-4">
      <div className="text-soft">{label}</div>
      <div className="mt-1 text-2xl font-semibold tabular-nums">{value}</div>
      <div className="mt-1 text-xs text-faint">{note}</div>
    </div>
  )
}

function Read({ at }: { at: number }) {
  const { t, language } = useI18n()
  return <>{t('state.asOf', { at: time(language, new Date(at).toISOString()) })}</>
}

function CustomerCount() {
  const { t, language } = useI18n()
  const query = useQuery({ queryKey: ['accounts', 'summary'], queryFn: () => body(accounts.GET('/v1/customers/summary')) })
  return (
    <div className="card">
      <Loaded query={query}>
        {(d) => <Figure label={t('home.customers')} value={number(language, d.customers)} note={<Read at={query.dataUpdatedAt} />} />}
      </Loaded>
    </div>
  )
}

function Backlog() {
  const { t, language } = useI18n()
  const query = useQuery({
    queryKey: ['tickets', 'backlog'],
    queryFn: () => body(tickets.GET('/v1/ticket-reports/backlog', { params: { query: { by: 'priority' } } })),
  })
  return (
    <div className="card">
      <Loaded query={query}>
        {(d) => {
          const groups = d.items ?? []
          const sum = (of: (g: (typeof groups)[number]) => number) => groups.reduce((all, g) => all + of(g), 0)
          const overdue = sum((g) => g.overdue)
          return (
            <Figure
              label={t('home.openTickets')}
              value={number(language, sum((g) => g.open))}
              note={
                <>
                  {overdue > 0 ? <span className="text-bad">{t('home.overdue', { n: overdue })}</span> : t('home.noneOverdue')} ·{' '}
                  {t('state.asOf', { at: time(language, d.at) })}
                </>
              }
            />
          )
        }}
      </Loaded>
    </div>
  )
}

function Revenue() {
  const { t, language } = useI18n()
  const query = useQuery({ queryKey: ['sales', 'orders', 'summary'], queryFn: () => body(sales.GET('/v1/orders/summary')) })
  return (
    <div className="card">
      <Loaded query={query}>
        {(d) => (
          <Figure
            label={t('home.revenue')}
            value={(d.revenue ?? []).map((r) => money(language, r.revenue_minor, r.currency)).join(' + ') || '–'}
            note={
              <>
                {t('home.orders', { n: d.orders })} · <Read at={query.dataUpdatedAt} />
              </>
            }
          />
        )}
      </Loaded>
    </div>
  )
}

function Deadlines() {
  const { t } = useI18n()
  const query = useQuery({
    queryKey: ['tickets', 'list', 'home'],
    queryFn: () => body(tickets.GET('/v1/tickets', { params: { query: { sort: 'due', limit: 8 } } })),
  })
  const all = (
    <Link to="/tickets" search={{}} className="text-accent hover:underline">
      {t('home.allTickets')}
    </Link>
  )
  return (
    <Card title={t('home.nextDeadlines')} action={all}>
      <Loaded query={query} lines={6}>
        {(d) =>
          !d.items?.length ? (
            <Empty title={t('home.noDeadlines')} />
          ) : (
            <ul className="divide-y divide-line">
              {d.items.map((one) => (
                <li key={one.ticket_id}>
                  <Link to="/tickets" search={{ ticket: one.ticket_id }} className="flex items-center justify-between gap-3 px-4 py-2.5 hover:bg-sunken">
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

function Activities() {
  const { t, language } = useI18n()
  const { subject } = useSession()
  const query = useQuery({
    queryKey: ['sales', 'activities', subject],
    queryFn: () => body(sales.GET('/v1/activities', { params: { query: { owner: subject, state: 'open', limit: 8 } } })),
  })
  return (
    <Card title={t('home.activities')}>
      <Loaded query={query} lines={4}>
        {(d) =>
          !d.items?.length ? (
            <Empty title={t('home.noActivities')} />
          ) : (
            <ul className="divide-y divide-line">
              {d.items.map((one) => (
                <li key={one.activity_id} className="flex items-center justify-between gap-3 px-4 py-2.5">
                  <span className="min-w-0">
                    <span className="block truncate">{one.title}</span>
                    <span className="text-xs text-faint">
                      {t(`activityKind.${one.kind}`)} · {t('home.due', { at: date(language, one.due_on) })}
                    </span>
                  </span>
                  {one.overdue && <Badge tone="bad">{t('home.overdueMark')}</Badge>}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}
