import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { body, sales } from '../api/client'
import { categories, lines, type Category } from '../forecast'
import { money, number, percent, time } from '../format'
import { useI18n } from '../i18n'
import { Card, Empty, Loaded, Select } from '../ui/parts'

const route = getRouteApi('/forecast')
const colours: Record<Category, string> = { closed: 'bg-good', commit: 'bg-accent', best_case: 'bg-warn', pipeline: 'bg-strong-line' }

/** Forecast adds up what was won and what is open, by category, and shows how far targets are reached. */
export function Forecast() {
  const { t, language } = useI18n()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/forecast' })
  const by = search.by ?? 'month'
  const query = useQuery({
    queryKey: ['sales', 'forecast', by],
    queryFn: () => body(sales.GET('/v1/forecast', { params: { query: { by: [by] } } })),
    placeholderData: (before) => before,
  })
  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-4 p-4 md:p-6">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h1 className="text-xl font-semibold">{t('forecast.title')}</h1>
        <div className="flex items-center gap-2">
          <Link to="/pipeline" search={{}} className="inline-flex h-9 items-center rounded-md px-2 text-accent hover:bg-sunken">
            {t('pipeline.title')}
          </Link>
          <Select bare label={t('forecast.by')} value={by} onChange={(value) => void navigate({ search: { by: value === 'month' ? undefined : value }, replace: true })}
            options={(['month', 'owner', 'team'] as const).map((one) => [one, t(`forecastBy.${one}`)] as const)} />
        </div>
      </div>
      <Loaded query={query} lines={8}>
        {(d) => {
          const rows = lines(d.items ?? [], by)
          if (rows.length === 0) return <div className="card"><Empty title={t('forecast.none')} /></div>
          const largest = Math.max(...rows.map((row) => categories.reduce((sum, one) => sum + row.amounts[one], 0)), 1)
          return (
            <section className="card overflow-x-auto" tabIndex={0} aria-label={t('forecast.title')}>
              <table className="w-full min-w-3xl text-right tabular-nums">
                <thead className="border-b border-line text-xs text-soft">
                  <tr>
                    <th className="px-4 py-2 text-left font-medium">{t(`forecastBy.${by}`)}</th>
                    {categories.map((one) => (
                      <th key={one} className="px-3 py-2 font-medium">
                        <span aria-hidden className={`mr-1.5 inline-block size-2 rounded-full ${colours[one]}`} />
                        {t(`forecastOf.${one}`)}
                      </th>
                    ))}
                    <th className="px-3 py-2 font-medium">{t('forecast.expected')}</th>
                    <th className="px-4 py-2 font-medium">{t('forecast.deals')}</th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map((row) => (
                    <tr key={row.key + row.currency} className="border-b border-line last:border-0">
                      <th className="px-4 py-2.5 text-left font-medium">
                        {row.key || <span className="text-faint">{t('forecast.nobody')}</span>} <span className="text-xs text-faint">{row.currency}</span>
                        <span aria-hidden className="mt-1 flex h-1.5 w-48 overflow-hidden rounded-full bg-sunken">
                          {categories.map((one) => (
                            <span key={one} className={colours[one]} style={{ width: `${(row.amounts[one] / largest) * 100}%` }} />
                          ))}
                        </span>
                      </th>
                      {categories.map((one) => (
                        <td key={one} className={`px-3 py-2.5 ${row.amounts[one] === 0 ? 'text-faint' : ''}`}>
                          {money(language, row.amounts[one], row.currency)}
                        </td>
                      ))}
                      <td className="px-3 py-2.5 font-semibold">{money(language, row.weighted, row.currency)}</td>
                      <td className="px-4 py-2.5">{number(language, row.opportunities)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
              <p className="border-t border-line px-4 py-2 text-xs text-faint">
                {t('forecast.hint')} {t('state.asOf', { at: time(language, d.as_of) })}
              </p>
            </section>
          )
        }}
      </Loaded>
      <Targets />
    </div>
  )
}

function Targets() {
  const { t, language } = useI18n()
  const query = useQuery({ queryKey: ['sales', 'targets'], queryFn: () => body(sales.GET('/v1/forecast/targets', { params: { query: { limit: 50 } } })) })
  return (
    <Card title={t('forecast.targets')}>
      <Loaded query={query}>
        {(d) =>
          d.items.length === 0 ? (
            <p className="p-4 text-soft">{t('forecast.noTargets')}</p>
          ) : (
            <ul className="divide-y divide-line">
              {d.items.map((one) => (
                <li key={one.target_id} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 py-2.5">
                  <span>
                    <span className="font-medium">{one.period}</span> · {one.owner ?? one.team} · <span className="tabular-nums">{money(language, one.amount_minor, one.currency)}</span>
                  </span>
                  <span className="flex items-center gap-3">
                    <span aria-hidden className="relative h-2 w-40 overflow-hidden rounded-full bg-sunken">
                      <span className="absolute inset-y-0 left-0 bg-accent opacity-40" style={{ width: `${Math.min(100, one.expected_percent)}%` }} />
                      <span className="absolute inset-y-0 left-0 bg-good" style={{ width: `${Math.min(100, one.attained_percent)}%` }} />
                    </span>
                    <span className="text-xs text-soft">
                      {t('forecast.attained', { share: percent(language, one.attained_percent / 100) })} · {t('forecast.withExpected', { share: percent(language, one.expected_percent / 100) })}
                    </span>
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}
