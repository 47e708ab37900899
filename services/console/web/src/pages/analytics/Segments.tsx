import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useCallback, useEffect, useState } from 'react'
import { analytics, body, once } from '../../api/client'
import { useSession } from '../../api/session'
import { number, percent, time } from '../../format'
import { useI18n } from '../../i18n'
import { Chart, NotEnough, Plot, type Draw } from '../../ui/Chart'
import { Badge, Button, Card, Empty, Field, Loaded, More, Select } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { useProblemText } from '../../ui/problems'
import { axis, useFacts } from './parts'

const route = getRouteApi('/analytics')

/** pause is how long nobody has typed before it is counted, in milliseconds. */
const pause = 400

export function Segments() {
  const { t } = useI18n()
  const { can } = useSession()
  const [making, make] = useState(false)
  return (
    <div className="flex flex-col gap-5">
      {can('analytics.manage') && !making && (
        <div>
          <Button look="primary" onClick={() => make(true)}>
            {t('segments.new')}
          </Button>
        </div>
      )}
      {making && <Maker onClose={() => make(false)} />}
      <List />
    </div>
  )
}

function List() {
  const { t, language } = useI18n()
  const { segment } = route.useSearch()
  const navigate = useNavigate({ from: '/analytics' })
  const query = useInfiniteQuery({
    queryKey: ['analytics', 'segments'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => body(analytics.GET('/v1/segments', { params: { query: { limit: 50, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor || undefined,
  })
  return (
    <Card title={t('segments.title')}>
      <Loaded query={query} lines={6}>
        {(d) => {
          const items = d.pages.flatMap((page) => page.items)
          if (items.length === 0)
            return (
              <Empty title={t('segments.none')}>
                <p>{t('segments.noneHint')}</p>
              </Empty>
            )
          return (
            <>
              <ul className="divide-y divide-line">
                {items.map((one) => (
                  <li key={one.id}>
                    <button
                      type="button"
                      aria-expanded={one.id === segment}
                      onClick={() => void navigate({ search: (s) => ({ ...s, segment: one.id === segment ? undefined : one.id }), replace: true })}
                      className="grid w-full grid-cols-[1fr_auto] gap-x-4 px-4 py-2.5 text-left hover:bg-sunken"
                    >
                      <span className="min-w-0">
                        <span className="font-medium">{one.name}</span>{' '}
                        <Badge tone={one.state === 'retired' ? 'plain' : one.kind === 'live' ? 'accent' : 'plain'}>{t(one.state === 'retired' ? 'segments.retired' : `segments.${one.kind}`)}</Badge>
                        <code className="block truncate text-xs text-soft">{one.filter_text || t('segments.byHand')}</code>
                      </span>
                      <span className="text-right">
                        <span className="text-lg font-semibold tabular-nums">{number(language, one.members)}</span>
                        <span className="block text-xs text-faint">
                          {one.run && one.run.state !== 'done' && one.run.state !== 'superseded' ? t('segments.judging', { n: one.run.customers }) : t('segments.members')}
                        </span>
                      </span>
                    </button>
                    {one.id === segment && <History id={one.id} name={one.name} description={one.description} changed={one.updated_at} />}
                  </li>
                ))}
              </ul>
              <More of={query} inCard />
            </>
          )
        }}
      </Loaded>
    </Card>
  )
}

function History({ id, name, description, changed }: { id: string; name: string; description: string; changed: string }) {
  const { t, language } = useI18n()
  const facts = useFacts()
  const query = useQuery({
    queryKey: ['analytics', 'segments', id, 'history'],
    queryFn: () => body(analytics.GET('/v1/segments/{segment_id}/history', { params: { path: { segment_id: id }, query: { limit: 90 } } })),
  })
  const items = query.data?.items
  const draw = useCallback<Draw>(
    (c) => {
      const days = [...(items ?? [])].reverse()
      return {
        grid: { left: 64, right: 20, top: 36, bottom: 48 },
        legend: { top: 4, textStyle: { color: c.soft } },
        tooltip: { trigger: 'axis', valueFormatter: (v) => number(language, Number(v)) },
        xAxis: { type: 'category', data: days.map((one) => one.day), ...axis(c, t('value.day')) },
        yAxis: { type: 'value', minInterval: 1, ...axis(c, t('value.customers'), { nameGap: 46 }) },
        series: [
          { type: 'line', step: 'end', name: t('segments.members'), data: days.map((one) => one.members) },
          { type: 'bar', name: t('segments.entered'), barMaxWidth: 14, itemStyle: { color: c.good }, data: days.map((one) => one.entered) },
          { type: 'bar', name: t('segments.left'), barMaxWidth: 14, itemStyle: { color: c.bad }, data: days.map((one) => -one.left) },
        ],
      }
    },
    [items, language, t],
  )
  return (
    <div className="bg-canvas p-4">
      <p className="pb-3 text-soft">
        {description} {t('segments.changed', { at: time(language, changed) })}
      </p>
      <Loaded query={query} lines={4}>
        {(d) =>
          d.items.length === 0 ? (
            <NotEnough why={t('segments.noHistory')} />
          ) : (
            <Plot
              title={t('segments.history', { name })}
              definition={t('segments.historyIs')}
              asOf={facts.data?.as_of}
              file={`segment-${id}`}
              table={{
                columns: [t('value.day'), t('segments.members'), t('segments.entered'), t('segments.left')].map((one) => ({ name: one })),
                rows: d.items.map((one) => [one.day, one.members, one.entered, one.left]),
              }}
            >
              <Chart label={t('segments.history', { name })} draw={draw} height={240} />
            </Plot>
          )
        }
      </Loaded>
    </div>
  )
}

/** Maker counts while somebody writes a filter, and makes a segment of it. */
function Maker({ onClose }: { onClose: () => void }) {
  const { t } = useI18n()
  const say = useProblemText()
  const { done, failed } = useToasts()
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [code, setCode] = useState('')
  const [kind, setKind] = useState<'live' | 'static'>('live')
  const [filter, setFilter] = useState('orders >= 3')
  const [counted, count] = useState(filter)
  // The same key each time it is sent: sent twice, it makes one.
  const [key] = useState(once)
  useEffect(() => {
    const timer = setTimeout(() => count(filter.trim()), pause)
    return () => clearTimeout(timer)
  }, [filter])
  const preview = useQuery({
    queryKey: ['analytics', 'segments', 'preview', counted],
    enabled: counted !== '',
    queryFn: ({ signal }) => body(analytics.POST('/v1/segments/preview', { body: { filter_text: counted }, signal })),
    placeholderData: (before) => before,
    retry: false,
  })
  const create = useMutation({
    mutationFn: () => body(analytics.POST('/v1/segments', { params: { header: key }, body: { code, name, kind, filter_text: filter.trim() } })),
    onSuccess: () => {
      done(t('segments.made', { name }))
      void client.invalidateQueries({ queryKey: ['analytics', 'segments'] })
      onClose()
    },
    onError: failed,
  })
  const fields = useQuery({ queryKey: ['analytics', 'fields'], queryFn: () => body(analytics.GET('/v1/analytics/fields')), staleTime: Infinity })
  const wrong = preview.error ? say(preview.error) : ''
  return (
    <Card title={t('segments.new')} action={<Button look="quiet" onClick={onClose}>{t('action.cancel')}</Button>}>
      <form
        className="flex flex-col gap-4 p-4"
        onSubmit={(e) => {
          e.preventDefault()
          create.mutate()
        }}
      >
        <Field label={t('segments.filter')}>
          {(id) => <textarea id={id} className="field h-20 w-full py-2 font-mono" spellCheck={false} value={filter} onChange={(e) => setFilter(e.target.value)} />}
        </Field>
        <div role="status" className="min-h-10">
          {wrong ? (
            <p className="text-bad">{wrong}</p>
          ) : preview.data ? (
            <Count count={preview.data.count} of={preview.data.customers} />
          ) : (
            <p className="text-soft">{t('state.loading')}</p>
          )}
        </div>
        <details>
          <summary className="cursor-pointer text-accent">{t('segments.fields')}</summary>
          <Loaded query={fields} lines={4}>
            {(d) => (
              <ul className="mt-2 grid grid-cols-1 max-h-60 gap-1 overflow-auto text-xs sm:grid-cols-2">
                {d.items.map((field) => (
                  <li key={field.name}>
                    <button type="button" title={field.doc} onClick={() => setFilter((text) => `${text.trimEnd()} ${text.trim() ? 'and ' : ''}${field.name} `)} className="rounded px-1 text-left hover:bg-sunken">
                      <code>{field.name}</code> <span className="text-faint">{t(`fieldType.${field.type}`)}</span>
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </Loaded>
        </details>
        <div className="flex flex-wrap items-end gap-3">
          <Field label={t('segments.name')}>{(id) => <input id={id} required maxLength={100} className="field" value={name} onChange={(e) => setName(e.target.value)} />}</Field>
          <Field label={t('segments.code')}>
            {(id) => <input id={id} required pattern="[a-z][a-z0-9_]*" title={t('segments.codeHint')} className="field font-mono" value={code} onChange={(e) => setCode(e.target.value)} />}
          </Field>
          <Select label={t('segments.kind')} value={kind} onChange={setKind} options={[['live', t('segments.live')], ['static', t('segments.static')]]} />
          <Button type="submit" look="primary" disabled={create.isPending || !!wrong || !filter.trim()}>
            {t('segments.make')}
          </Button>
        </div>
        <p className="text-xs text-faint">{t(`segments.${kind}Is`)}</p>
      </form>
    </Card>
  )
}

function Count({ count, of }: { count: number; of: number }) {
  const { t, language } = useI18n()
  return (
    <p>
      <span className="text-2xl font-semibold tabular-nums">{number(language, count)}</span>{' '}
      <span className="text-soft">{t('segments.count', { n: of, share: of > 0 ? percent(language, count / of) : '–' })}</span>
    </p>
  )
}
