import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useCallback } from 'react'
import { analytics, body } from '../../api/client'
import { useSession } from '../../api/session'
import { date, percent, time } from '../../format'
import { useI18n } from '../../i18n'
import { validated, warningText, type Validated } from '../../models'
import { estimate } from '../../numbers'
import { Chart, NotEnough, Plot, type Draw } from '../../ui/Chart'
import { Badge, Card, Loaded, More } from '../../ui/parts'
import { axis, Figure, useCode, useFacts, whiskers } from './parts'

export function Churn() {
  return (
    <div className="flex flex-col gap-5">
      <Definition />
      <Model />
      <Risks />
    </div>
  )
}

function Definition() {
  const { t } = useI18n()
  const query = useQuery({ queryKey: ['analytics', 'churn', 'settings'], queryFn: () => body(analytics.GET('/v1/analytics/churn/settings')) })
  return (
    <Loaded query={query} lines={2}>
      {(d) => (
        <p className="text-soft">
          {d.kind === 'silence' ? t('churn.silence', { factor: d.factor, min: d.min_days, newcomer: d.newcomer_days }) : t('churn.contract')}{' '}
          {t('churn.horizon', { n: d.horizon_days })}
        </p>
      )}
    </Loaded>
  )
}

function Model() {
  const { t, language } = useI18n()
  const facts = useFacts()
  const query = useQuery({
    queryKey: ['analytics', 'models', 'churn'],
    queryFn: () => body(analytics.GET('/v1/models', { params: { query: { kind: 'churn', in_use: true, limit: 1 } } })),
  })
  return (
    <Loaded query={query} lines={6}>
      {(d) => {
        const model = d.items[0]
        const checked = model && validated(model.detail)
        if (!model || !checked)
          return (
            <Card title={t('churn.quality')}>
              <NotEnough why={t('churn.noModel')} />
            </Card>
          )
        return (
          <div className="flex flex-col gap-5">
            <div className="grid grid-cols-1 gap-5 sm:grid-cols-3">
              <Figure label={t('churn.auc')} value={estimate(language, 'score', checked.auc, model.rows).split(' (')[0]} note={`${estimate(language, 'score', checked.auc, model.rows)} · ${t('churn.aucIs')}`} />
              <Figure label={t('churn.lift')} value={`${checked.deciles[0]?.lift.toFixed(1) ?? '–'}×`} note={t('churn.liftIs')} />
              <Figure label={t('churn.trained')} value={date(language, model.trained_at)} note={t('churn.version', { n: model.version, at: model.cutoff ? date(language, model.cutoff) : '–' })} />
            </div>
            <Calibration of={checked} asOf={facts.data?.as_of} />
            {model.warnings.length > 0 && (
              <details>
                <summary className="cursor-pointer text-accent">{t('churn.notes', { n: model.warnings.length })}</summary>
                <ul className="list-disc pl-5 text-xs text-soft">
                  {model.warnings.map((one) => (
                    <li key={one.code + one.detail}>{warningText(language, one)}</li>
                  ))}
                </ul>
              </details>
            )}
          </div>
        )
      }}
    </Loaded>
  )
}

function Calibration({ of, asOf }: { of: Validated; asOf?: string | null }) {
  const { t, language } = useI18n()
  const { deciles } = of
  const draw = useCallback<Draw>(
    (c) => ({
      grid: { left: 56, right: 20, top: 36, bottom: 48 },
      legend: { top: 4, textStyle: { color: c.soft }, data: [t('churn.predicted'), t('churn.observed')] },
      tooltip: { trigger: 'axis', valueFormatter: (v) => percent(language, Number(v) / 100) },
      xAxis: { type: 'category', data: deciles.map((one) => String(one.decile)), ...axis(c, t('churn.decile')) },
      yAxis: { type: 'value', min: 0, ...axis(c, t('churn.left'), { nameGap: 36 }) },
      series: [
        { type: 'bar', name: t('churn.observed'), barMaxWidth: 28, itemStyle: { color: c.accent, opacity: 0.7 }, data: deciles.map((one) => Math.round(one.observed * 1000) / 10) },
        { type: 'line', name: t('churn.predicted'), symbolSize: 8, itemStyle: { color: c.warn }, data: deciles.map((one) => Math.round(one.predicted * 1000) / 10) },
        whiskers(c, t('plot.interval'), deciles.map((one, i) => [i, one.low * 100, one.high * 100]), 'y') as never,
      ],
    }),
    [deciles, language, t],
  )
  const hundredth = (v: number) => Math.round(v * 1000) / 10
  return (
    <Plot
      title={t('churn.calibration')}
      definition={t('churn.calibrationIs')}
      asOf={asOf}
      file="churn-calibration"
      table={{
        columns: [t('churn.decile'), t('plot.sample'), t('churn.predicted'), t('churn.observed'), t('plot.low'), t('plot.high'), t('churn.lift')].map((name) => ({ name })),
        rows: deciles.map((one) => [one.decile, one.rows, hundredth(one.predicted), hundredth(one.observed), hundredth(one.low), hundredth(one.high), Math.round(one.lift * 100) / 100]),
      }}
    >
      <Chart label={t('churn.calibration')} draw={draw} height={300} />
    </Plot>
  )
}

function Risks() {
  const { t, language } = useI18n()
  const { can } = useSession()
  const code = useCode()
  const query = useInfiniteQuery({
    queryKey: ['analytics', 'churn', 'customers'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => body(analytics.GET('/v1/analytics/churn/customers', { params: { query: { limit: 20, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor || undefined,
  })
  return (
    <Card title={t('churn.atRisk')}>
      <Loaded query={query} lines={6}>
        {(d) => {
          const items = d.pages.flatMap((page) => page.items)
          if (items.length === 0) return <NotEnough why={t('churn.nobody')} />
          return (
            <>
              <ul className="divide-y divide-line">
                {items.map((one) => (
                  <li key={one.customer_id} className="grid grid-cols-1 gap-x-4 gap-y-1 px-4 py-2.5 sm:grid-cols-[7rem_14rem_1fr]">
                    <span className="flex items-center gap-2 font-semibold tabular-nums">
                      {one.risk_permille === undefined ? '–' : percent(language, one.risk_permille / 1000)}
                      {one.at_risk && <Badge tone="bad">{t('churn.high')}</Badge>}
                    </span>
                    <span className="min-w-0">
                      {can('customers.read') ? (
                        <Link to="/customers/$customerId" params={{ customerId: one.customer_id }} search={{}} className="block truncate text-accent hover:underline">
                          {t('churn.open')} {one.customer_id.slice(-8)}
                        </Link>
                      ) : (
                        one.customer_id.slice(-8)
                      )}
                      {one.told_at && <span className="text-xs text-faint">{t('churn.told', { at: time(language, one.told_at) })}</span>}
                    </span>
                    <ul className="flex flex-wrap gap-1.5">
                      {one.reasons.map((reason) => (
                        <li key={reason.code} title={reason.words}>
                          <Badge tone={reason.direction === 'raises' ? 'warn' : 'good'}>
                            {reason.direction === 'raises' ? '↑' : '↓'} {language === 'en' ? reason.words : code('churnReason', reason.code)}
                          </Badge>
                        </li>
                      ))}
                    </ul>
                  </li>
                ))}
              </ul>
              <More of={query} inCard />
              <p className="border-t border-line px-4 py-2 text-xs text-faint">{t('churn.reasonsAre')}</p>
            </>
          )
        }}
      </Loaded>
    </Card>
  )
}
