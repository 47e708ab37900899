import { useQuery } from '@tanstack/react-query'
import { useCallback, useState } from 'react'
import { analytics, body, tickets } from '../../api/client'
import { useSession } from '../../api/session'
import { useI18n } from '../../i18n'
import type { Key } from '../../i18n/say'
import { estimate, scaled, type Interval, type Scale } from '../../numbers'
import { questions } from '../../surveys'
import { Chart, NotEnough, Plot, type Draw } from '../../ui/Chart'
import { Card, Loaded, Select } from '../../ui/parts'
import { axis, ends, Figure, useCode, whiskers } from './parts'
import { Drivers } from './Drivers'
import { Kano } from './Kano'

export function Satisfaction() {
  return (
    <div className="flex flex-col gap-5">
      <Standing />
      <Touchpoints />
      <Surveys />
    </div>
  )
}

interface Score {
  n: number
  enough: boolean
  mean?: Interval
  net?: Interval
  share?: Interval
}

type Kind = 'nps' | 'csat' | 'ces'

const kinds = ['nps', 'csat', 'ces'] as const

const scales: Record<Kind, Scale> = { nps: 'net', csat: 'share', ces: 'share' }

/** main is the number that a kind of question is known by: the net score, or the share of those who are content. */
function main(kind: Kind, of: Score): Interval | undefined {
  return kind === 'nps' ? of.net : of.share
}

function Standing() {
  const { t, language } = useI18n()
  const [chosen, setKind] = useState<Kind | null>(null)
  const query = useQuery({
    queryKey: ['analytics', 'satisfaction', 'month'],
    queryFn: () => body(analytics.GET('/v1/analytics/satisfaction', { params: { query: { grain: 'month' } } })),
  })
  const trend = query.data?.trend
  const scores = query.data?.scores
  // Unless somebody chooses, what most was answered to is shown.
  const kind = chosen ?? kinds.reduce((best, one) => ((scores?.[one].n ?? 0) > (scores?.[best].n ?? 0) ? one : best))
  const draw = useCallback<Draw>(
    (c) => {
      const shown = (trend ?? []).map((one) => ({ from: one.from, n: one[kind].n, of: main(kind, one[kind]) }))
      const times = kind === 'nps' ? 1 : 100
      return {
        grid: { left: 56, right: 20, top: 16, bottom: 48 },
        tooltip: { trigger: 'item', formatter: (p) => { const one = shown[(p as { dataIndex: number }).dataIndex]!; return `${one.from.slice(0, 7)}<br>${estimate(language, scales[kind], one.of, one.n)}` } },
        xAxis: { type: 'category', data: shown.map((one) => one.from.slice(0, 7)), ...axis(c, t('satisfaction.month'), { axisLine: { onZero: false, lineStyle: { color: c.line } } }) },
        yAxis: { type: 'value', ...(kind === 'nps' ? { min: -100, max: 100 } : { min: 0, max: 100 }), ...axis(c, t(`satisfaction.${kind}Unit`), { nameGap: 36 }) },
        series: [
          { type: 'line', name: t(`satisfaction.${kind}`), symbolSize: 8, data: shown.map((one) => (one.of ? Math.round(one.of.value * times * 10) / 10 : '-')) },
          whiskers(c, t('plot.interval'), shown.flatMap((one, i) => (one.of ? [[i, one.of.low * times, one.of.high * times] as [number, number, number]] : [])), 'y') as never,
        ],
      }
    },
    [trend, kind, language, t],
  )
  return (
    <Loaded query={query} lines={8}>
      {(d) => {
        const asOf = d.time.as_of
        const any = kinds.some((one) => d.scores[one].n > 0)
        if (!any)
          return (
            <Card title={t('satisfaction.trend')}>
              <NotEnough why={t('satisfaction.nobody', { from: d.time.from, to: d.time.to })} />
            </Card>
          )
        return (
          <div className="flex flex-col gap-5">
            <div className="grid grid-cols-1 gap-5 sm:grid-cols-3">
              {kinds.map((one) => {
                const score = d.scores[one]
                const of = main(one, score)
                return (
                  <Figure
                    key={one}
                    label={t(`satisfaction.${one}`)}
                    value={score.enough && of ? scaled(language, scales[one], of.value) : t('plot.notEnoughShort')}
                    note={
                      <>
                        {estimate(language, scales[one], of, score.n)} · {t(`satisfaction.${one}Is`)}
                        {!score.enough && ` · ${t('satisfaction.needs', { n: d.time.min_n })}`}
                      </>
                    }
                  />
                )
              })}
            </div>
            <Plot
              title={t('satisfaction.trend')}
              definition={t('satisfaction.trendIs')}
              asOf={asOf}
              file="satisfaction"
              controls={<Select bare label={t('satisfaction.kind')} value={kind} onChange={setKind} options={kinds.map((one) => [one, t(`satisfaction.${one}`)] as const)} />}
              table={{
                columns: [t('satisfaction.month'), t('plot.sample'), t(`satisfaction.${kind}`), t('plot.low'), t('plot.high')].map((name) => ({ name })),
                rows: (trend ?? []).map((one) => { const of = main(kind, one[kind]); return [one.from, one[kind].n, of?.value ?? null, ...ends(of)] }),
              }}
            >
              {d.scores[kind].n === 0 ? <NotEnough why={t('satisfaction.nobody', { from: d.time.from, to: d.time.to })} /> : <Chart label={t('satisfaction.trend')} draw={draw} height={280} />}
            </Plot>
          </div>
        )
      }}
    </Loaded>
  )
}

function Touchpoints() {
  const { t, language } = useI18n()
  const code = useCode()
  const query = useQuery({ queryKey: ['analytics', 'touchpoints'], queryFn: () => body(analytics.GET('/v1/analytics/satisfaction/touchpoints')) })
  const list = query.data?.touchpoints
  const draw = useCallback<Draw>(
    (c, narrow) => {
      const items = list ?? []
      return {
        grid: { left: narrow ? 96 : 140, right: 24, top: 12, bottom: 48 },
        tooltip: { trigger: 'item', formatter: (p) => { const one = items[(p as { dataIndex: number }).dataIndex]!; return estimate(language, 'score', one.mean, one.n) } },
        xAxis: { type: 'value', min: 1, max: 5, ...axis(c, t('satisfaction.mean')) },
        yAxis: { type: 'category', inverse: true, data: items.map((one) => code('touchpoint', one.touchpoint)), ...axis(c, '') },
        series: [
          { type: 'scatter', name: t('satisfaction.mean'), symbolSize: 11, data: items.map((one) => ({ value: one.mean?.value ?? '-', itemStyle: { color: one.touchpoint === query.data?.hurts_most ? c.bad : c.accent } })) },
          whiskers(c, t('plot.interval'), items.flatMap((one, i) => (one.mean ? [[i, one.mean.low, one.mean.high] as [number, number, number]] : [])), 'x') as never,
        ],
      }
    },
    [list, query.data?.hurts_most, code, language, t],
  )
  return (
    <Loaded query={query} lines={6}>
      {(d) =>
        d.touchpoints.length === 0 ? (
          <Card title={t('satisfaction.touchpoints')}>
            <NotEnough why={t('satisfaction.noTouchpoints')} />
          </Card>
        ) : (
          <Plot
            title={t('satisfaction.touchpoints')}
            definition={`${t('satisfaction.touchpointsIs', { n: d.n })} ${d.hurts_most ? t('satisfaction.hurts', { name: code('touchpoint', d.hurts_most) }) : t('satisfaction.hurtsNone')}`}
            asOf={d.time.as_of}
            file="touchpoints"
            table={{
              columns: [t('satisfaction.touchpoint'), t('plot.sample'), t('satisfaction.mean'), t('plot.low'), t('plot.high'), t('satisfaction.passed'), t('satisfaction.harm')].map((name) => ({
                name, show: (v: number) => (Number.isInteger(v) ? String(v) : scaled(language, 'score', v)),
              })),
              rows: d.touchpoints.map((one) => [code('touchpoint', one.touchpoint), one.n, one.mean?.value ?? null, ...ends(one.mean), one.passed, one.harm?.value ?? null]),
            }}
          >
            <Chart label={t('satisfaction.touchpoints')} draw={draw} height={80 + d.touchpoints.length * 34} />
          </Plot>
        )
      }
    </Loaded>
  )
}

/** Surveys shows what one survey tells: what drives satisfaction, and what attributes are to customers. */
function Surveys() {
  const { t, language } = useI18n()
  const { can } = useSession()
  const [chosen, choose] = useState('')
  const allowed = can('surveys.read')
  const query = useQuery({
    queryKey: ['tickets', 'surveys'],
    enabled: allowed,
    queryFn: () => body(tickets.GET('/v1/surveys', { params: { query: { limit: 100 } } })),
  })
  const card = (why: Key) => (
    <Card title={t('satisfaction.surveys')}>
      <NotEnough why={t(why)} />
    </Card>
  )
  if (!allowed) return card('satisfaction.surveysForbidden')
  return (
    <Loaded query={query} lines={3}>
      {(d) => {
        const told = d.items.map((survey) => ({ survey, asks: questions(survey.content.questions) })).filter(({ asks }) => asks.kano || asks.drivers.length > 0)
        const one = told.find(({ survey }) => survey.survey_id === chosen) ?? told[0]
        if (!one) return card('satisfaction.noSurveys')
        const title = (of: Record<string, string>, other: string) => of[language === 'en' ? 'en' : 'zh'] ?? Object.values(of)[0] ?? other
        return (
          <div className="flex flex-col gap-5">
            <div className="max-w-md">
              <Select
                label={t('satisfaction.survey')}
                value={one.survey.survey_id}
                onChange={choose}
                options={told.map(({ survey }) => [survey.survey_id, title(survey.content.title, survey.code)] as const)}
              />
            </div>
            {one.asks.drivers.length > 0 && <Drivers key={`d${one.survey.survey_id}`} survey={one.survey.survey_id} outcome={one.asks.outcome} attributes={one.asks.drivers} />}
            {one.asks.kano && <Kano key={`k${one.survey.survey_id}`} survey={one.survey.survey_id} />}
          </div>
        )
      }}
    </Loaded>
  )
}
