import { useQuery } from '@tanstack/react-query'
import { useCallback, useState } from 'react'
import { analytics, body } from '../../api/client'
import { date, money, number, percent } from '../../format'
import { useI18n } from '../../i18n'
import { compact, major } from '../../numbers'
import { Chart, NotEnough, Plot, type Draw } from '../../ui/Chart'
import { Button, Card, Loaded, Select } from '../../ui/parts'
import { axis, Figure, useCode, useFacts } from './parts'
import { Pyramid } from './Pyramid'

export function Value() {
  return (
    <div className="flex flex-col gap-5">
      <Grades />
      <div className="grid grid-cols-1 items-start gap-5 lg:grid-cols-2">
        <Spread value="realised" />
        <Spread value="predicted" />
      </div>
      <Equity />
    </div>
  )
}

function Grades() {
  const { t, language } = useI18n()
  const code = useCode()
  const [run, setRun] = useState('')
  const runs = useQuery({ queryKey: ['analytics', 'grades', 'runs'], queryFn: () => body(analytics.GET('/v1/analytics/grades/runs', { params: { query: { limit: 20 } } })) })
  const query = useQuery({
    queryKey: ['analytics', 'grades', run],
    queryFn: () => body(analytics.GET('/v1/analytics/grades', { params: { query: { run_id: run || undefined } } })),
    placeholderData: (before) => before,
  })
  const done = (runs.data?.items ?? []).filter((one) => one.state === 'done')
  const choose = done.length > 1 && (
    <Select bare label={t('value.run')} value={run} onChange={setRun} options={[['', t('value.lastRun')], ...done.map((one) => [one.run_id, date(language, one.as_of)] as const)]} />
  )
  return (
    <Loaded query={query} lines={8}>
      {(d) => {
        if (!d.enough || !d.run) {
          // Who has bought nothing for long may still have a pyramid of better days.
          const earlier = done.find((one) => one.customers > 0 && one.run_id !== d.run?.run_id)
          return (
            <Card title={t('value.pyramid')} action={choose}>
              <NotEnough why={t(`value.why.${d.why ?? 'no_run'}`)}>
                {earlier && <Button onClick={() => setRun(earlier.run_id)}>{t('value.earlier', { at: date(language, earlier.as_of), n: earlier.customers })}</Button>}
              </NotEnough>
            </Card>
          )
        }
        const { currency, customers, as_of } = d.run
        const cash = (minor: number) => money(language, minor, currency)
        const all = d.grades.reduce((sum, g) => sum + g.contribution_minor, 0)
        const share = (part: number, of: number) => (of > 0 ? percent(language, part / of) : '–')
        return (
          <Plot
            title={t('value.pyramid')}
            definition={t('value.pyramidIs', { at: date(language, as_of), n: customers })}
            asOf={d.run.facts_as_of ?? null}
            file={`grades-${as_of}`}
            controls={choose}
            table={{
              columns: [
                { name: t('value.grade') }, { name: t('value.customers') }, { name: t('value.shareOf', { of: '%' }) },
                ...[t('value.contribution'), t('value.net'), t('value.margin'), t('value.cost'), t('value.begins')].map((name) => ({
                  name: t('plot.in', { name, unit: currency }), show: (v: number) => number(language, v),
                })),
              ],
              rows: d.grades.map((g) => [
                code('grade', g.grade), g.customers, customers ? Math.round((g.customers / customers) * 1000) / 10 : null,
                ...[g.contribution_minor, g.net_minor, g.margin_minor, g.tickets_minor + g.complaints_minor + g.touches_minor + g.interactions_minor].map((m) => major(m, currency)),
                g.least_minor === undefined ? null : major(g.least_minor, currency),
              ]),
            }}
          >
            <Pyramid
              label={t('value.pyramid')}
              grades={d.grades.map((g) => ({
                name: `${code('grade', g.grade)} · ${t('value.people', { n: g.customers })}`,
                size: g.customers,
                text: t('value.brings', { share: share(g.contribution_minor, all), amount: cash(g.contribution_minor) }),
              }))}
            />
          </Plot>
        )
      }}
    </Loaded>
  )
}

function Spread({ value }: { value: 'predicted' | 'realised' }) {
  const { t, language } = useI18n()
  const facts = useFacts()
  const query = useQuery({
    queryKey: ['analytics', 'value', value],
    queryFn: () => body(analytics.GET('/v1/analytics/value/distribution', { params: { query: { value } } })),
  })
  const data = query.data
  const draw = useCallback<Draw>(
    (c) => ({
      grid: { left: 70, right: 16, top: 16, bottom: 44 },
      tooltip: { trigger: 'axis', valueFormatter: (v) => number(language, Number(v)) },
      xAxis: { type: 'category', data: (data?.tenths ?? []).map((one) => String(one.tenth)), ...axis(c, t('value.tenth')) },
      yAxis: { type: 'value', ...axis(c, t('value.perCustomer', { unit: data?.currency ?? '' }), { nameGap: 52, axisLabel: { color: c.soft, formatter: (v: number) => compact(language, v) } }) },
      series: [{
        type: 'bar', name: t('value.mean'), itemStyle: { color: c.accent },
        data: (data?.tenths ?? []).map((one) => (one.customers ? Math.round(major(one.sum_minor, data!.currency) / one.customers * 100) / 100 : 0)),
      }],
    }),
    [data, language, t],
  )
  const title = t(`value.${value}`)
  return (
    <Loaded query={query} lines={8}>
      {(d) => {
        if (d.tenths.length === 0)
          return (
            <Card title={title}>
              <NotEnough why={t(`value.${value}None`)} />
            </Card>
          )
        const amount = (name: string) => ({ name: t('plot.in', { name, unit: d.currency }) })
        return (
          <Plot
            title={title}
            definition={`${t(`value.${value}Is`)} ${t('value.without', { n: d.without })}`}
            asOf={facts.data?.as_of}
            file={`value-${value}`}
            table={{
              columns: [{ name: t('value.tenth') }, { name: t('value.customers') }, amount(t('value.sum')), amount(t('value.highest')), amount(t('value.lowest'))],
              rows: d.tenths.map((one) => [one.tenth, one.customers, ...[one.sum_minor, Math.max(one.from_minor, one.to_minor), Math.min(one.from_minor, one.to_minor)].map((m) => major(m, d.currency))]),
            }}
          >
            <Chart label={title} draw={draw} height={260} />
          </Plot>
        )
      }}
    </Loaded>
  )
}

function Equity() {
  const { t, language } = useI18n()
  const query = useQuery({
    queryKey: ['analytics', 'equity'],
    queryFn: () => body(analytics.GET('/v1/analytics/value/equity', { params: { query: { per: 'day' } } })),
  })
  const items = query.data?.items
  const currency = items?.at(-1)?.currency ?? ''
  const draw = useCallback<Draw>(
    (c) => ({
      grid: { left: 70, right: 16, top: 40, bottom: 44 },
      legend: { top: 4, textStyle: { color: c.soft } },
      tooltip: { trigger: 'axis', valueFormatter: (v) => number(language, Number(v)) },
      xAxis: { type: 'category', data: (items ?? []).map((one) => one.as_of), ...axis(c, t('value.day')) },
      yAxis: { type: 'value', ...axis(c, t('plot.in', { name: t('value.sum'), unit: currency }), { nameGap: 52, axisLabel: { color: c.soft, formatter: (v: number) => compact(language, v) } }) },
      series: (['predicted', 'realised'] as const).map((value) => ({
        type: 'line', name: t(`value.${value}`), symbolSize: 7,
        // Where nobody has a predicted value there is none to draw: 0 would be an answer.
        data: (items ?? []).map((one) => (value === 'realised' ? major(one.realised_minor, currency) : one.predicted > 0 ? major(one.predicted_minor, currency) : null)),
      })),
    }),
    [items, currency, language, t],
  )
  return (
    <Loaded query={query} lines={6}>
      {(d) => {
        const last = d.items.at(-1)
        if (!last)
          return (
            <Card title={t('value.equity')}>
              <NotEnough why={t('value.equityNone')} />
            </Card>
          )
        const cash = (minor: number) => money(language, minor, last.currency)
        const sums = ['predicted', 'realised', 'new', 'raised', 'lowered', 'gone'] as const
        return (
          <div className="grid grid-cols-1 items-start gap-5 lg:grid-cols-[16rem_1fr]">
            <div className="grid grid-cols-1 gap-5 sm:grid-cols-2 lg:grid-cols-1">
              <Figure label={t('value.equity')} value={last.predicted ? cash(last.predicted_minor) : '–'} note={t('value.ofCustomers', { n: last.predicted })} />
              <Figure label={t('value.realised')} value={cash(last.realised_minor)} note={t('value.ofCustomers', { n: last.customers })} />
            </div>
            <Plot
              title={t('value.equityTime')}
              definition={t('value.equityIs')}
              asOf={last.reckoned_at}
              file="customer-equity"
              table={{
                columns: [{ name: t('value.day') }, { name: t('value.customers') }, ...sums.map((one) => ({ name: t('plot.in', { name: t(`value.move.${one}`), unit: last.currency }) }))],
                rows: d.items.map((one) => [one.as_of, one.customers, ...sums.map((sum) => { const minor = one[`${sum}_minor`]; return minor == null ? null : major(minor, one.currency) })]),
              }}
            >
              <Chart label={t('value.equityTime')} draw={draw} height={260} />
            </Plot>
          </div>
        )
      }}
    </Loaded>
  )
}
