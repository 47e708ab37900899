import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useCallback, useMemo } from 'react'
import { analytics, body } from '../../api/client'
import { money, number, percent } from '../../format'
import { useI18n } from '../../i18n'
import { estimate, major } from '../../numbers'
import { Chart, NotEnough, Plot, type Draw } from '../../ui/Chart'
import { Card, Loaded, Select } from '../../ui/parts'
import { axis, on } from './parts'
import { Live } from './Source'

const route = getRouteApi('/analytics')

export function Cohorts() {
  const { t, language } = useI18n()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/analytics' })
  const live = search.live === 'yes'
  const by = search.by === 'net' ? 'net' : 'retention'
  const query = useQuery({
    queryKey: ['analytics', 'cohorts', live],
    queryFn: () => body(analytics.GET('/v1/analytics/cohorts', { params: { query: { live, max_age: 24 } } })),
  })
  const items = useMemo(() => query.data?.items ?? [], [query.data])
  const currency = query.data?.currency ?? ''
  const points = useMemo(
    () =>
      items.flatMap((row, y) =>
        (row.cells ?? [])
          // Of the first month itself everybody is there: it would drown the rest.
          .filter((cell) => by === 'net' || cell.age > 0)
          .map((cell) => ({
            x: cell.age, y, complete: cell.complete, row, cell,
            value: by === 'net' ? (row.customers ? major(cell.net_minor, currency) / row.customers : 0) : (cell.retention?.value ?? 0) * 100,
          })),
      ),
    [items, by, currency],
  )
  const draw = useCallback<Draw>(
    (c, narrow) => {
      const ages = Array.from({ length: Math.max(0, ...points.map((p) => p.x)) + 1 }, (_, i) => i).slice(by === 'net' ? 0 : 1)
      const top = Math.max(by === 'net' ? 0.01 : 1, ...points.map((p) => p.value))
      return {
        grid: { left: 76, right: 12, top: 12, bottom: 92 },
        tooltip: {
          formatter: (p) => {
            const one = points[(p as { dataIndex: number }).dataIndex]!
            const share = one.cell.retention && estimate(language, 'share', one.cell.retention, one.cell.retention.of)
            return [
              t('cohorts.point', { month: one.row.month, age: one.x }), share, money(language, one.cell.net_minor, currency), one.complete ? '' : t('cohorts.running'),
            ].filter(Boolean).join('<br>')
          },
        },
        xAxis: { type: 'category', data: ages.map(String), ...axis(c, t('cohorts.age'), { nameGap: 26 }) },
        yAxis: { type: 'category', inverse: true, data: items.map((row) => row.month), ...axis(c, t('cohorts.month'), { nameGap: 58 }) },
        visualMap: {
          min: 0, max: top, orient: 'horizontal', left: 'center', bottom: 4, itemWidth: 12, itemHeight: 140, inRange: { color: [c.sunken, c.accent] },
          textStyle: { color: c.soft }, text: [by === 'net' ? number(language, Math.round(top)) : percent(language, top / 100), '0'],
        },
        series: [{
          type: 'heatmap', name: t(`cohorts.${by}`),
          data: points.map((p) => ({ value: [by === 'net' ? p.x : p.x - 1, p.y, Math.round(p.value * 10) / 10], label: { color: on(c, p.value, top) } })),
          itemStyle: { borderColor: c.surface, borderWidth: 1 },
          label: { show: !narrow, fontSize: 10, formatter: (p) => number(language, Math.round((p.value as number[])[2]!)) },
        }],
      }
    },
    [points, items, by, currency, language, t],
  )
  const set = (part: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...part }), replace: true })
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-end justify-between gap-3">
        <Select label={t('cohorts.by')} value={by} onChange={(value) => set({ by: value === 'net' ? 'net' : undefined })} options={[['retention', t('cohorts.retention')], ['net', t('cohorts.net')]]} />
        <Live on={live} keptAt={query.data?.source.kept_at} onChange={(on) => set({ live: on ? 'yes' : undefined })} />
      </div>
      <Loaded query={query} lines={12}>
        {(d) =>
          !d.enough ? (
            <Card title={t('cohorts.title')}>
              <NotEnough why={t(`journey.why.${d.why ?? 'no_run'}`)} />
            </Card>
          ) : (
            <Plot
              title={t('cohorts.title')}
              definition={t(`cohorts.${by}Is`, { unit: currency, share: d.total.net_minor ? percent(language, d.rest.net_minor / d.total.net_minor) : '–' })}
              asOf={d.source.as_of}
              file="cohorts"
              table={{
                columns: [
                  { name: t('cohorts.month') }, { name: t('cohorts.size') }, { name: t('cohorts.age') }, { name: t('cohorts.bought') }, { name: `${t('cohorts.retention')}, %` },
                  { name: t('plot.low') }, { name: t('plot.high') }, { name: t('plot.in', { name: t('value.net'), unit: currency }) },
                ],
                rows: items.flatMap((row) =>
                  (row.cells ?? []).map((cell) => [
                    row.month, row.customers, cell.age, cell.customers,
                    ...(cell.retention ? [cell.retention.value, cell.retention.low, cell.retention.high].map((v) => Math.round(v * 1000) / 10) : [null, null, null]),
                    major(cell.net_minor, currency),
                  ]),
                ),
              }}
            >
              <Chart label={t('cohorts.title')} draw={draw} height={Math.max(260, 130 + items.length * 26)} />
            </Plot>
          )
        }
      </Loaded>
    </div>
  )
}
