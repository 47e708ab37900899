import { useQuery } from '@tanstack/react-query'
import { useCallback } from 'react'
import { analytics, body } from '../../api/client'
import { percent } from '../../format'
import { useI18n } from '../../i18n'
import { scaled } from '../../numbers'
import { Chart, NotEnough, Plot, type Draw } from '../../ui/Chart'
import { Card, Loaded } from '../../ui/parts'
import { axis, ends, useCode } from './parts'

/** Drivers says which attributes of a survey move its outcome most. */
export function Drivers({ survey, outcome, attributes }: { survey: string; outcome: string; attributes: string[] }) {
  const { t, language } = useI18n()
  const code = useCode()
  const query = useQuery({
    queryKey: ['analytics', 'drivers', survey],
    queryFn: () => body(analytics.POST('/v1/analytics/satisfaction/drivers', { body: { survey_id: survey, outcome, attributes } })),
  })
  const items = query.data?.drivers
  const draw = useCallback<Draw>(
    (c, narrow) => {
      const sorted = [...(items ?? [])].sort((a, b) => b.importance - a.importance)
      return {
        grid: { left: narrow ? 96 : 140, right: 48, top: 12, bottom: 48 },
        tooltip: { trigger: 'axis', valueFormatter: (v) => percent(language, Number(v) / 100) },
        xAxis: { type: 'value', min: 0, ...axis(c, t('drivers.importance')) },
        yAxis: { type: 'category', inverse: true, data: sorted.map((one) => code('attribute', one.attribute)), ...axis(c, '') },
        series: [{
          type: 'bar', name: t('drivers.importance'), barMaxWidth: 24, data: sorted.map((one) => Math.round(one.importance * 1000) / 10),
          label: { show: true, position: 'right', color: c.ink, formatter: (p) => percent(language, Number(p.value) / 100) },
        }],
      }
    },
    [items, code, language, t],
  )
  const title = t('drivers.title')
  return (
    <Loaded query={query} lines={6}>
      {(d) =>
        d.drivers.length === 0 ? (
          <Card title={title}>
            <NotEnough why={t('drivers.none', { n: d.n })} />
          </Card>
        ) : (
          <Plot
            title={title}
            definition={`${t('drivers.is', { outcome: code('attribute', outcome), n: d.n, r2: percent(language, d.r2), adjusted: percent(language, d.r2_adjusted) })} ${d.enough ? '' : t('drivers.few')}`}
            asOf={d.as_of ?? null}
            file="drivers"
            table={{
              columns: [t('drivers.attribute'), t('drivers.importance'), t('drivers.slope'), t('plot.low'), t('plot.high'), t('drivers.performance'), 'p'].map((name) => ({ name, show: (v: number) => scaled(language, 'score', v) })),
              rows: d.drivers.map((one) => [code('attribute', one.attribute), one.importance, one.slope.value, ...ends(one.slope), one.performance.value, one.p]),
            }}
          >
            <Chart label={title} draw={draw} height={80 + d.drivers.length * 34} />
          </Plot>
        )
      }
    </Loaded>
  )
}
