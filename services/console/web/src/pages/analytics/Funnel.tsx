import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useCallback, useMemo } from 'react'
import { analytics, body } from '../../api/client'
import { number } from '../../format'
import { useI18n } from '../../i18n'
import { estimate } from '../../numbers'
import { Chart, NotEnough, Plot, type Draw } from '../../ui/Chart'
import { Card, Loaded } from '../../ui/parts'
import { axis, useCode, whiskers } from './parts'
import { Live } from './Source'

const route = getRouteApi('/analytics')

export function Funnel() {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/analytics' })
  const live = search.live === 'yes'
  const query = useQuery({
    queryKey: ['analytics', 'funnel', live],
    queryFn: () => body(analytics.GET('/v1/analytics/journey/funnel', { params: { query: { live } } })),
  })
  return (
    <div className="flex flex-col gap-4">
      <Live on={live} keptAt={query.data?.source.kept_at} onChange={(on) => void navigate({ search: (s) => ({ ...s, live: on ? 'yes' : undefined }), replace: true })} />
      <Loaded query={query} lines={8}>
        {(d) => {
          const stages = d.items[0]?.stages
          return !d.enough || !stages?.length ? (
            <Card title={t('funnel.title')}>
              <NotEnough why={t(`journey.why.${d.why ?? 'nobody'}`)} />
            </Card>
          ) : (
            <Stages stages={stages} asOf={d.source.as_of} />
          )
        }}
      </Loaded>
    </div>
  )
}

interface Share {
  value: number
  low: number
  high: number
  of: number
}

interface Stage {
  stage: string
  people: number
  of_first?: Share
  went_on?: Share
  median_days?: number
  p90_days?: number
}

function Stages({ stages, asOf }: { stages: Stage[]; asOf: string | null }) {
  const { t, language } = useI18n()
  const code = useCode()
  const names = useMemo(() => stages.map((s) => code('funnelStage', s.stage)), [stages, code])
  const draw = useCallback<Draw>(
    (c) => ({
      grid: { left: 84, right: 56, top: 12, bottom: 48 },
      tooltip: { trigger: 'axis', valueFormatter: (v) => number(language, Number(v)) },
      xAxis: { type: 'value', ...axis(c, t('funnel.people')) },
      yAxis: { type: 'category', inverse: true, data: names, ...axis(c, '') },
      series: [{
        type: 'bar', name: t('funnel.people'), barMaxWidth: 36, itemStyle: { color: c.accent }, data: stages.map((s) => s.people),
        label: { show: true, position: 'right', color: c.ink, formatter: (p) => number(language, Number(p.value)) },
      }],
    }),
    [stages, names, language, t],
  )
  const steps = useMemo(() => stages.flatMap((s, i) => (s.went_on ? [{ name: `${names[i]} → ${names[i + 1] ?? ''}`, share: s.went_on }] : [])), [stages, names])
  const drawSteps = useCallback<Draw>(
    (c, narrow) => ({
      grid: { left: narrow ? 110 : 150, right: 24, top: 12, bottom: 48 },
      tooltip: { trigger: 'item', formatter: (p) => estimate(language, 'share', steps[(p as { dataIndex: number }).dataIndex]?.share, steps[(p as { dataIndex: number }).dataIndex]?.share.of ?? 0) },
      xAxis: { type: 'value', min: 0, max: 100, ...axis(c, t('funnel.wentOn')) },
      yAxis: { type: 'category', inverse: true, data: steps.map((s) => s.name), ...axis(c, '', { axisLabel: { color: c.soft, width: narrow ? 100 : 140, overflow: 'break' } }) },
      series: [
        { type: 'bar', name: t('funnel.wentOn'), barMaxWidth: 28, itemStyle: { color: c.accent, opacity: 0.7 }, data: steps.map((s) => Math.round(s.share.value * 1000) / 10) },
        whiskers(c, t('plot.interval'), steps.map((s, i) => [i, s.share.low * 100, s.share.high * 100]), 'x') as never,
      ],
    }),
    [steps, language, t],
  )
  const share = (of?: Share) => (of ? [of.value, of.low, of.high].map((v) => Math.round(v * 1000) / 10) : [null, null, null])
  const table = {
    columns: [t('funnel.stage'), t('funnel.people'), t('funnel.ofFirst'), t('funnel.wentOn'), t('plot.low'), t('plot.high'), t('funnel.median'), t('funnel.p90')].map((name) => ({ name })),
    rows: stages.map((s, i) => [names[i]!, s.people, share(s.of_first)[0]!, ...share(s.went_on), s.median_days ?? null, s.p90_days ?? null]),
  }
  return (
    <>
      <Plot title={t('funnel.title')} definition={t('funnel.is')} asOf={asOf} file="funnel" table={table}>
        <Chart label={t('funnel.title')} draw={draw} height={90 + stages.length * 52} />
      </Plot>
      <Plot title={t('funnel.steps')} definition={t('funnel.stepsIs')} asOf={asOf} file="funnel-steps" table={table}>
        <Chart label={t('funnel.steps')} draw={drawSteps} height={80 + steps.length * 52} />
        <ul className="grid grid-cols-1 gap-x-6 gap-y-1 px-4 pb-4 sm:grid-cols-2">
          {stages.map((s, i) =>
            s.went_on ? (
              <li key={s.stage}>
                <span className="font-medium">{steps[i]?.name}</span>{' '}
                <span className="text-soft tabular-nums">
                  {estimate(language, 'share', s.went_on, s.went_on.of)}
                  {s.median_days !== undefined && ` · ${t('funnel.days', { n: s.median_days })}`}
                </span>
              </li>
            ) : null,
          )}
        </ul>
      </Plot>
    </>
  )
}
