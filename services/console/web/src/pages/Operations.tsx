import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useSession } from '../api/session'
import { number, span } from '../format'
import { useI18n } from '../i18n'
import { isKey, type Key } from '../i18n/say'
import { services, statusOf, worst, type Service, type Status } from '../operations'
import { Badge, Loaded } from '../ui/parts'
import { Tabs } from '../ui/Tabs'
import { Jobs } from './operations/Jobs'
import { ParkedEvents } from './operations/Parked'
import { People } from './operations/People'
import { Subscriptions } from './operations/Subscriptions'

const route = getRouteApi('/operations')

/** fresh is how often what is shown is asked for again, in milliseconds: machinery tells nobody when it moves. */
export const fresh = 5000

const views = ['state', 'parked', 'subscriptions', 'jobs', 'people'] as const

/** Operations shows how the machinery is doing and what waits for somebody. */
export function Operations() {
  const { t } = useI18n()
  const { can } = useSession()
  const search = route.useSearch()
  const view = search.view ?? 'state'
  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-4 p-4 md:p-6">
      <h1 className="text-xl font-semibold">{t('ops.title')}</h1>
      <Tabs
        label={t('ops.view')}
        to="/operations"
        current={view}
        tabs={views
          .filter((name) => name !== 'parked' || can('ops.operate'))
          .map((name) => ({ name, words: t(`ops.${name}`), search: name === 'state' ? {} : { view: name } }))}
      />
      {view === 'state' && (
        // Columns, not rows: a service with many consumers leaves no gap below its neighbours.
        <div className="gap-4 md:columns-2 xl:columns-3">
          {services.map((service) => (
            <ServiceCard key={service} service={service} />
          ))}
        </div>
      )}
      {view === 'parked' && <ParkedEvents />}
      {view === 'subscriptions' && <Subscriptions />}
      {view === 'jobs' && <Jobs />}
      {view === 'people' && <People />}
    </div>
  )
}

const tone = { well: 'good', busy: 'accent', parked: 'warn', broken: 'bad' } as const

function ServiceCard({ service }: { service: Service }) {
  const { t } = useI18n()
  const query = useQuery({ queryKey: [service, 'ops', 'status'], queryFn: () => statusOf(service), refetchInterval: fresh })
  return (
    <section className="card mb-4 break-inside-avoid" aria-label={t(`service.${service}`)}>
      <header className="flex min-h-11 items-center justify-between gap-2 border-b border-line px-4">
        <h2 className="font-semibold">{t(`service.${service}`)}</h2>
        {query.data && <Badge tone={tone[worst(query.data)]}>{t(`ops.is.${worst(query.data)}`)}</Badge>}
      </header>
      <Loaded query={query} lines={6}>
        {(status) => <Machinery status={status} />}
      </Loaded>
    </section>
  )
}

function Machinery({ status }: { status: Status }) {
  const { t, language } = useI18n()
  const consumers = status.consumers ?? []
  const part = (said: string) => (said === 'ok' ? t('ops.answers') : said)
  const backlog = number(language, status.outbox_backlog)
  const facts: [string, string, boolean][] = [
    [t('ops.database'), part(status.database), status.database === 'ok'],
    [t('ops.kafka'), part(status.kafka), status.kafka === 'ok'],
    [t('ops.temporal'), part(status.temporal), status.temporal === 'ok'],
    [t('ops.outbox'), status.outbox_backlog > 0 ? `${backlog}, ${t('ops.oldest', { time: span(language, status.outbox_oldest_seconds * 1000) })}` : backlog, true],
    [t('ops.outboxParked'), number(language, status.outbox_parked), status.outbox_parked === 0],
    [t('ops.processes'), number(language, status.processes_waiting), true],
    ...(status.waiting ?? []).map<[string, string, boolean]>((one) => [
      t('ops.waiting', { name: isKey(`queue.${one.name}`) ? t(`queue.${one.name}` as Key) : one.name.replaceAll('_', ' ') }),
      one.count > 0 ? `${number(language, one.count)}, ${t('ops.oldest', { time: span(language, one.oldest_seconds * 1000) })}` : '0',
      true,
    ]),
  ]
  return (
    <>
      <dl className="flex flex-col gap-1 p-4">
        {facts.map(([label, value, good]) => (
          <div key={label} className="flex items-baseline justify-between gap-4">
            <dt className="text-soft">{label}</dt>
            <dd className={`text-right tabular-nums ${good ? '' : 'font-semibold text-bad'}`}>{value}</dd>
          </div>
        ))}
      </dl>
      {consumers.length > 0 && (
        <table className="w-full border-t border-line text-left">
          <thead className="text-xs text-soft">
            <tr>
              <th scope="col" className="px-4 pt-2 font-medium">{t('ops.consumer')}</th>
              <th scope="col" className="px-2 pt-2 text-right font-medium">{t('ops.lag')}</th>
              <th scope="col" className="px-4 pt-2 text-right font-medium">{t('ops.parkedCount')}</th>
            </tr>
          </thead>
          <tbody className="tabular-nums">
            {consumers.map((one) => (
              <tr key={one.name}>
                <td className="px-4 py-0.5 break-all">{one.name}</td>
                <td className={`px-2 py-0.5 text-right ${one.lag === 0 ? 'text-faint' : ''}`}>{number(language, one.lag)}</td>
                <td className="px-4 py-0.5 text-right text-faint">
                  {one.parked > 0 ? (
                    <Link from="/operations" to="/operations" search={{ view: 'parked' }} className="font-semibold text-bad underline">
                      {number(language, one.parked)}
                    </Link>
                  ) : (
                    0
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p className="px-4 py-3 text-xs text-faint">{t('ops.version', { version: status.version })}</p>
    </>
  )
}
