import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useCallback, useMemo } from 'react'
import { analytics, body } from '../../api/client'
import { date, money, number, percent } from '../../format'
import { useI18n } from '../../i18n'
import { compact, major } from '../../numbers'
import { Chart, NotEnough, Plot, type Draw } from '../../ui/Chart'
import { Card, Field, Loaded, Select } from '../../ui/parts'
import { axis, on, useCode, useCurrency, useFacts } from './parts'

const route = getRouteApi('/analytics')

const scores = [1, 2, 3, 4, 5]

export function Rfm() {
  const { t, language } = useI18n()
  const code = useCode()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/analytics' })
  const facts = useFacts()
  const settings = useCurrency()
  const currency = search.currency ?? settings.data?.currency ?? ''
  const by = search.by ?? 'customers'
  const query = useQuery({
    queryKey: ['analytics', 'rfm', currency, search.at],
    enabled: currency !== '',
    queryFn: () => body(analytics.GET('/v1/analytics/rfm/cells', { params: { query: { currency, as_of: search.at } } })),
    placeholderData: (before) => before,
  })
  const cells = useMemo(() => query.data?.cells ?? [], [query.data])
  const draw = useCallback<Draw>(
    (c, narrow) => {
      const amount = (cell: (typeof cells)[number]) => (by === 'customers' ? cell.customers : major(cell.net_minor, currency))
      const most = Math.max(1, ...cells.map(amount))
      return {
        grid: { left: 48, right: 16, top: 12, bottom: 92 },
        tooltip: { valueFormatter: (v) => number(language, Number((v as unknown as number[])[2] ?? v)) },
        xAxis: { type: 'category', data: scores.map(String), ...axis(c, t('rfm.f'), { nameGap: 26 }) },
        yAxis: { type: 'category', data: scores.map(String), ...axis(c, t('rfm.r'), { nameGap: 26 }) },
        visualMap: {
          min: 0, max: most, calculable: false, orient: 'horizontal', left: 'center', bottom: 4, itemWidth: 12, itemHeight: 140,
          inRange: { color: [c.sunken, c.accent] }, textStyle: { color: c.soft }, text: [compact(language, most), '0'],
        },
        series: [{
          type: 'heatmap', name: t(`rfm.${by}`),
          data: cells.map((cell) => ({ value: [cell.f - 1, cell.r - 1, amount(cell)], name: code('rfmCell', cell.cell), label: { color: on(c, amount(cell), most) } })),
          itemStyle: { borderColor: c.surface, borderWidth: 2 },
          label: {
            show: true, fontSize: narrow ? 9 : 11, lineHeight: 15,
            formatter: (p) => `${narrow ? '' : `${p.name}\n`}${compact(language, (p.value as number[])[2]!)}`,
          },
        }],
      }
    },
    [cells, by, currency, language, t, code],
  )
  const set = (part: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...part }), replace: true })
  const currencies = [...new Set([currency, ...(facts.data?.revenue ?? []).map((r) => r.currency)])].filter(Boolean)
  if (settings.data && currency === '')
    return (
      <Card title={t('rfm.title')}>
        <NotEnough why={t('rfm.noOrders')} />
      </Card>
    )
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-end gap-3">
        <Select label={t('rfm.currency')} value={currency} onChange={(value) => set({ currency: value })} options={currencies.map((one) => [one, one] as const)} />
        <Select label={t('rfm.by')} value={by} onChange={(value) => set({ by: value === 'customers' ? undefined : value })} options={[['customers', t('rfm.customers')], ['net', t('rfm.net')]]} />
        <Field label={t('rfm.at')}>
          {(id) => <input id={id} type="date" className="field" value={search.at ?? ''} onChange={(e) => set({ at: e.target.value || undefined })} />}
        </Field>
      </div>
      <Loaded query={query} lines={12}>
        {(d) =>
          d.population.customers === 0 ? (
            <Card title={t('rfm.title')}>
              <NotEnough why={t('rfm.nobody')} />
            </Card>
          ) : (
            <>
              <Plot
                title={t('rfm.title')}
                definition={t('rfm.is', { n: d.population.customers, at: date(language, d.population.rated_at) })}
                asOf={d.population.as_of}
                file={`rfm-${d.population.rated_at}`}
                table={{
                  columns: [
                    { name: t('rfm.cell') }, { name: 'R' }, { name: 'F' }, { name: t('rfm.customers') }, { name: t('value.shareOf', { of: '%' }) },
                    { name: t('plot.in', { name: t('rfm.net'), unit: currency }) },
                  ],
                  rows: cells.map((cell) => [code('rfmCell', cell.cell), cell.r, cell.f, cell.customers, Math.round((cell.customers / d.population.customers) * 1000) / 10, major(cell.net_minor, currency)]),
                }}
              >
                <Chart label={t('rfm.title')} draw={draw} height={480} />
              </Plot>
              <Named cells={cells} all={d.population.customers} currency={currency} />
            </>
          )
        }
      </Loaded>
    </div>
  )
}

/** Named adds the cells of one name up: who they are, and what they brought. */
function Named({ cells, all, currency }: { cells: { cell: string; customers: number; net_minor: number }[]; all: number; currency: string }) {
  const { t, language } = useI18n()
  const code = useCode()
  const names = new Map<string, { customers: number; net: number }>()
  for (const cell of cells) {
    const sum = names.get(cell.cell) ?? { customers: 0, net: 0 }
    names.set(cell.cell, { customers: sum.customers + cell.customers, net: sum.net + cell.net_minor })
  }
  const net = cells.reduce((sum, cell) => sum + cell.net_minor, 0)
  return (
    <ul className="grid grid-cols-1 gap-3 sm:grid-cols-2 lg:grid-cols-4">
      {[...names].map(([name, sum]) => (
        <li key={name} className="card p-3">
          <div className="text-soft">{code('rfmCell', name)}</div>
          <div className="mt-1 font-semibold tabular-nums">
            {t('value.people', { n: sum.customers })} · {percent(language, sum.customers / all)}
          </div>
          <div className="text-xs text-soft tabular-nums">
            {money(language, sum.net, currency)} · {t('rfm.ofNet', { share: net > 0 ? percent(language, sum.net / net) : '–' })}
          </div>
        </li>
      ))}
    </ul>
  )
}
