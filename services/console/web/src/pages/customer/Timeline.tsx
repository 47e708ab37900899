import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import { accounts, body } from '../../api/client'
import { useSession } from '../../api/session'
import { details as said, time } from '../../format'
import { useI18n } from '../../i18n'
import { isKey } from '../../i18n/say'
import { traceOf } from '../../trace'
import { Badge, Card, Empty, Loaded, More, Select } from '../../ui/parts'

const route = getRouteApi('/customers/$customerId')
const day = 24 * 60 * 60 * 1000

/** Timeline is what happened with a customer, of all services, latest first. */
export function Timeline({ id, purpose }: { id: string; purpose?: string }) {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/customers/$customerId' })
  // Whole minutes: otherwise each rendering would ask for something else.
  const since = useMemo(
    () => (search.since ? new Date(Math.floor(Date.now() / 60_000) * 60_000 - Number(search.since) * day).toISOString() : undefined),
    [search.since],
  )
  const query = useInfiniteQuery({
    queryKey: ['accounts', 'customer', id, 'timeline', purpose, search.from, since],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      body(
        accounts.GET('/v1/customers/{customer_id}/timeline', {
          params: { path: { customer_id: id }, query: { purpose, service: search.from, since, limit: 30, cursor: pageParam } },
        }),
      ),
    getNextPageParam: (last) => last.next_cursor || undefined,
  })
  const set = (part: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...part }), replace: true })
  const services = ['accounts', 'sales', 'loyalty', 'tickets', 'analytics'] as const
  return (
    <Card
      title={t('customer.timeline')}
      action={
        <div className="flex flex-wrap gap-2 py-1.5">
          <Select bare label={t('customer.from')} value={search.from ?? ''} onChange={(from) => set({ from: from || undefined })}
            options={[['', t('customer.everything')], ...services.map((one) => [one, t(`service.${one}`)] as const)]} />
          <Select bare label={t('customer.sinceLabel')} value={search.since ?? ''} onChange={(value) => set({ since: value || undefined })}
            options={[['', t('since.all')], ['30', t('since.30')], ['365', t('since.365')]]} />
        </div>
      }
    >
      <Loaded query={query} lines={8}>
        {(d) => {
          const items = d.pages.flatMap((p) => p.items)
          if (items.length === 0) return <Empty title={t(search.from || search.since ? 'customer.timelineNoneFiltered' : 'customer.timelineNone')} />
          return (
            <>
              <ol className="divide-y divide-line">
                {items.map((one) => (
                  <Entry key={one.event_id} {...one} />
                ))}
              </ol>
              <More of={query} inCard />
            </>
          )
        }}
      </Loaded>
    </Card>
  )
}

interface Event {
  at: string
  service: string
  title: string
  details: Record<string, unknown>
  trace_id?: string
}

/** isCode is of what programs spell; what people wrote has no underscores between small letters. */
const isCode = /^[a-z]+(_[a-z]+)+$/

/** wordsOf are where words for a value may stand: those of its own service first. */
function wordsOf(title: string, name: string, value: string): string[] {
  const area = name.replace(/^from_|_before$|_type$/, '').replace(/^category$/, 'cause')
  const own = title.startsWith('ticket_') ? `ticket${area.charAt(0).toUpperCase()}${area.slice(1)}` : ''
  return [`${own}.${value}`, `${area}.${value}`]
}

function Entry({ at, service, title, details, trace_id }: Event) {
  const { t, language, title: titleOf } = useI18n()
  const trace = traceOf(useSession().traces_url, trace_id)
  const key = `service.${service}`
  const shown = said(language, details).map(([name, value]) => {
    const words = `detail.${name}`
    const known = wordsOf(title, name, value).find(isKey)
    return `${isKey(words) ? t(words) : name.replaceAll('_', ' ')}${language === 'en' ? ': ' : '：'}${known ? t(known) : isCode.test(value) ? value.replaceAll('_', ' ') : value}`
  })
  return (
    <li className="grid grid-cols-[5.5rem_1fr] items-baseline gap-3 px-4 py-2.5">
      <span className="text-xs">
        <Badge>{isKey(key) ? t(key) : service}</Badge>
      </span>
      <div className="min-w-0">
        <div className="flex flex-wrap items-baseline justify-between gap-x-4">
          <span className="font-medium">{titleOf(title)}</span>
          <span className="text-xs text-faint">
            <time dateTime={at}>{time(language, at)}</time>
            {trace && (
              <a href={trace} target="_blank" rel="noreferrer" className="ml-2 underline" aria-label={t('customer.traceOf', { title: titleOf(title) })}>
                {t('customer.trace')} ↗
              </a>
            )}
          </span>
        </div>
        {shown.length > 0 && (
          <div className="mt-0.5 text-xs break-words text-soft">{shown.join(' · ')}</div>
        )}
      </div>
    </li>
  )
}
