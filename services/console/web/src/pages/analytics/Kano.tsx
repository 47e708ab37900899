import { useQuery } from '@tanstack/react-query'
import { useCallback } from 'react'
import { analytics, body } from '../../api/client'
import { useI18n } from '../../i18n'
import { scaled } from '../../numbers'
import { Chart, NotEnough, Plot, type Draw } from '../../ui/Chart'
import { Card, Loaded } from '../../ui/parts'
import { axis, ends, useCode } from './parts'

/** Kano draws the plane of Kano's coefficients: what an attribute adds to satisfaction, and what its lack takes away. */
export function Kano({ survey }: { survey: string }) {
  const { t, language } = useI18n()
  const code = useCode()
  const query = useQuery({
    queryKey: ['analytics', 'kano', survey],
    queryFn: () => body(analytics.POST('/v1/kano/classify', { body: { survey_id: survey } })),
  })
  const all = query.data?.attributes
  const draw = useCallback<Draw>(
    (c) => {
      const colours = { M: c.bad, O: c.accent, A: c.good, I: c.soft, R: c.warn, Q: c.warn }
      const shown = (all ?? []).filter((one) => one.better && one.worse)
      const quarter = (name: string, at: [number, number]) => ({ value: at, name, symbolSize: 0.1, label: { show: true, color: c.soft, fontSize: 12, position: 'inside' as const, formatter: name } })
      return {
        grid: { left: 56, right: 24, top: 16, bottom: 48 },
        tooltip: { trigger: 'item' },
        xAxis: { type: 'value', min: 0, max: 1, ...axis(c, t('kano.worse')) },
        yAxis: { type: 'value', min: 0, max: 1, ...axis(c, t('kano.better'), { nameGap: 36 }) },
        series: [
          {
            type: 'scatter', silent: true, tooltip: { show: false },
            data: [quarter(t('kano.A'), [0.25, 0.97]), quarter(t('kano.O'), [0.75, 0.97]), quarter(t('kano.I'), [0.25, 0.03]), quarter(t('kano.M'), [0.75, 0.03])],
            markLine: { silent: true, symbol: 'none', label: { show: false }, lineStyle: { color: c.soft, type: 'dashed' }, data: [{ xAxis: 0.5 }, { yAxis: 0.5 }] },
          },
          {
            type: 'scatter', name: t('kano.title'), symbolSize: 13,
            tooltip: { formatter: (p) => { const one = shown[(p as { dataIndex: number }).dataIndex]!; return `${t(`kano.${one.category}`)} · n = ${one.n}<br>${t('kano.better')}: ${scaled(language, 'score', one.better!.value)}<br>${t('kano.worse')}: ${scaled(language, 'score', Math.abs(one.worse!.value))}` } },
            data: shown.map((one) => ({
              value: [Math.abs(one.worse!.value), one.better!.value], name: code('attribute', one.attribute),
              itemStyle: { color: colours[one.category], opacity: one.enough ? 1 : 0.45 },
            })),
            label: { show: true, position: 'right', color: c.ink, formatter: (p) => p.name },
            labelLayout: { moveOverlap: 'shiftY' },
          },
        ],
      }
    },
    [all, code, language, t],
  )
  const title = t('kano.title')
  return (
    <Loaded query={query} lines={6}>
      {(d) =>
        d.attributes.length === 0 ? (
          <Card title={title}>
            <NotEnough why={t('kano.none')} />
          </Card>
        ) : (
          <Plot
            title={title}
            definition={t('kano.is')}
            asOf={d.as_of ?? null}
            file="kano"
            table={{
              columns: [
                t('drivers.attribute'), t('kano.category'), t('plot.sample'), t('kano.better'), t('plot.low'), t('plot.high'), t('kano.worse'), t('plot.low'), t('plot.high'), t('kano.certain'),
              ].map((name, i) => ({ name: [7, 8].includes(i) ? `${name} ` : name, show: i === 2 ? undefined : (v: number) => scaled(language, 'score', v) })),
              rows: d.attributes.map((one) => [
                code('attribute', one.attribute), t(`kano.${one.category}`), one.n, one.better?.value ?? null, ...ends(one.better), one.worse?.value ?? null, ...ends(one.worse),
                !one.enough ? t('kano.few') : one.significant ? t('kano.significant') : t('kano.divided'),
              ]),
            }}
          >
            <Chart label={title} draw={draw} height={420} />
          </Plot>
        )
      }
    </Loaded>
  )
}
