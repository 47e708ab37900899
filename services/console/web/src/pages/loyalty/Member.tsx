import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { body, loyalty, tagged } from '../../api/client'
import { useSession } from '../../api/session'
import { date, number, time } from '../../format'
import { useI18n } from '../../i18n'
import { isKey } from '../../i18n/say'
import { grouped, progress } from '../../loyalty'
import { Badge, Button, Card, Empty, Field, Loaded, More } from '../../ui/parts'
import { Manage } from './Manage'
import { Redemptions, Rewards } from './Redeem'

const route = getRouteApi('/loyalty/members/$memberId')

export function Member() {
  const { memberId } = route.useParams()
  const { t, language } = useI18n()
  const { can } = useSession()
  const query = useQuery({
    queryKey: ['loyalty', 'member', memberId],
    queryFn: () => body(loyalty.GET('/v1/members/{member_id}', { params: { path: { member_id: memberId } } })),
  })
  return (
    <Loaded query={query} lines={10}>
      {(d) => (
        <div className="mx-auto flex max-w-7xl flex-col gap-5 p-4 md:p-6">
          <header className="flex flex-wrap items-center gap-x-4 gap-y-1">
            <h1 className="text-xl font-semibold tabular-nums">{d.card_number ? grouped(d.card_number) : t('loyalty.erased')}</h1>
            <Badge tone={d.state === 'active' ? 'good' : 'warn'}>{t(`memberState.${d.state}`)}</Badge>
            <span className="text-soft">
              {d.programme} · {t('loyalty.since', { at: date(language, d.enrolled_at) })}
              {d.state_reason && ` · ${d.state_reason.replaceAll('_', ' ')}`}
            </span>
            {can('customers.read') && (
              <Link to="/customers/$customerId" params={{ customerId: d.customer_id }} search={{}} className="ml-auto text-accent hover:underline">
                {t('loyalty.customer')}
              </Link>
            )}
            <span className="flex flex-wrap gap-2">
              <Manage id={memberId} state={d.state} />
            </span>
          </header>
          <div className="grid grid-cols-1 items-start gap-5 lg:grid-cols-2">
            <Balance id={memberId} />
            <Tier id={memberId} programme={d.programme} />
          </div>
          <Ledger id={memberId} />
          <div className="grid grid-cols-1 items-start gap-5 lg:grid-cols-2">
            <Rewards id={memberId} programme={d.programme} available={d.available} state={d.state} />
            <Redemptions id={memberId} programme={d.programme} />
          </div>
        </div>
      )}
    </Loaded>
  )
}

function Balance({ id }: { id: string }) {
  const { t, language } = useI18n()
  const [day, setDay] = useState('')
  // The end of a day here; a day that is not over is now.
  const end = day ? new Date(`${day}T23:59:59.999`).toISOString() : undefined
  const query = useQuery({
    queryKey: ['loyalty', 'member', id, 'balance', day],
    queryFn: () => body(loyalty.GET('/v1/members/{member_id}/balance', { params: { path: { member_id: id }, query: { at: end } } })),
    placeholderData: (before) => before,
  })
  return (
    <Card title={t('loyalty.balance')}>
      <Loaded query={query} lines={4}>
        {(d) => (
          <div className="flex flex-col gap-3 p-4">
            <div className="flex flex-wrap items-end justify-between gap-3">
              <div>
                <div className="text-3xl font-semibold tabular-nums">{number(language, d.available)}</div>
                <div className="text-soft">{t('loyalty.available')}</div>
              </div>
              <Field label={t('loyalty.at')}>
                {(field) => <input id={field} type="date" max={new Date().toLocaleDateString('sv')} className="field" value={day} onChange={(e) => setDay(e.target.value)} />}
              </Field>
            </div>
            <p className="flex flex-wrap gap-x-4">
              <span>{t('customer.pending', { n: d.pending })}</span>
              {d.debt > 0 && <span className="text-bad">{t('loyalty.debt', { n: d.debt })}</span>}
            </p>
            {d.expiring?.length ? (
              <ul className="text-soft">
                {d.expiring.slice(0, 4).map((one) => (
                  <li key={one.at}>{t('customer.expiring', { n: one.points, at: date(language, one.at) })}</li>
                ))}
              </ul>
            ) : null}
            {d.own && <p className="text-xs text-soft">{t('loyalty.pooled', { n: d.own.available })}</p>}
            <p className="text-xs text-faint">{t('state.asOf', { at: time(language, d.as_of) })}</p>
          </div>
        )}
      </Loaded>
    </Card>
  )
}

/** useTiers gives the name of a tier in the language of the reader, from the programme's terms; its code until they are there. */
function useTiers(programme: string) {
  const { language } = useI18n()
  const query = useQuery({
    queryKey: ['loyalty', 'programme', programme],
    queryFn: () => tagged(loyalty.GET('/v1/programmes/{code}', { params: { path: { code: programme } } })),
  })
  const levels = query.data?.value.terms.tiers?.levels ?? []
  return (code: string) => {
    const level = levels.find((one) => one.code === code)
    return (language === 'en' ? level?.name : level?.name_zh) || level?.name || code
  }
}

function Tier({ id, programme }: { id: string; programme: string }) {
  const { t, language } = useI18n()
  const tier = useTiers(programme)
  const query = useQuery({
    queryKey: ['loyalty', 'member', id, 'tier'],
    queryFn: () => body(loyalty.GET('/v1/members/{member_id}/tier', { params: { path: { member_id: id } } })),
  })
  return (
    <Card title={t('customer.tier')}>
      <Loaded query={query} lines={4}>
        {(d) => {
          if (!d.tier) return <Empty title={t('tier.none')} />
          const words = language === 'en' ? d.words.en : d.words.zh
          return (
            <div className="flex flex-col gap-3 p-4">
              <div className="flex flex-wrap items-baseline gap-2">
                <span className="text-2xl font-semibold">{tier(d.tier)}</span>
                {d.valid_until && <span className="text-soft">{t('tier.until', { at: date(language, d.valid_until) })}</span>}
                {d.manual && <Badge>{t('tier.manual', { at: date(language, d.manual.until) })}</Badge>}
                {d.paid && <Badge tone="accent">{t('tier.paid')}</Badge>}
              </div>
              {d.next && d.qualifying && (
                <div>
                  <Bar value={progress(d.qualifying.count, d.next.missing)} label={t('tier.progress', { tier: tier(d.next.tier) })} />
                  <p className="tabular-nums">
                    {t(d.qualifying.driven_by === 'growth' ? 'tier.missingScore' : 'tier.missing', { n: d.next.missing, has: number(language, d.qualifying.count), tier: tier(d.next.tier) })}
                    {d.next.by && ` ${t('tier.by', { at: date(language, d.next.by) })}`}
                  </p>
                </div>
              )}
              {d.will_fall && (
                <p className="text-warn">
                  {t('tier.falls', { tier: tier(d.will_fall.tier), at: date(language, d.will_fall.at) })}
                  {d.will_fall.missing !== undefined && ` ${t('tier.keep', { n: d.will_fall.missing })}`}
                </p>
              )}
              {d.benefits.length > 0 && (
                <ul className="list-disc pl-5">
                  {d.benefits.map((one) => (
                    <li key={one.code}>{(language === 'en' ? one.text : one.text_zh) || one.text || one.code}</li>
                  ))}
                </ul>
              )}
              {words.length > 0 && (
                <details>
                  <summary className="cursor-pointer text-accent">{t('tier.words')}</summary>
                  <ul className="mt-2 flex flex-col gap-1 text-soft">
                    {words.map((one) => (
                      <li key={one}>{one}</li>
                    ))}
                  </ul>
                </details>
              )}
            </div>
          )
        }}
      </Loaded>
    </Card>
  )
}

function Bar({ value, label }: { value: number; label: string }) {
  const percent = Math.round(value * 100)
  return (
    <div role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent} className="mb-1 h-2 overflow-hidden rounded-full bg-sunken">
      <div className="h-full bg-accent" style={{ width: `${percent}%` }} />
    </div>
  )
}

const numeric = 'px-4 py-1.5 max-sm:pl-0 text-right whitespace-nowrap tabular-nums'

/** Ledger explains the balance: the lots that it is made of, and the entries that left it. */
function Ledger({ id }: { id: string }) {
  const { t, language } = useI18n()
  const [explained, explain] = useState(false)
  const query = useInfiniteQuery({
    queryKey: ['loyalty', 'member', id, 'explanation', language],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      body(
        loyalty.GET('/v1/members/{member_id}/explanation', {
          params: { path: { member_id: id }, query: { limit: 25, cursor: pageParam, language: language === 'en' ? 'en' : 'zh' } },
        }),
      ),
    getNextPageParam: (last) => last.next_cursor || undefined,
  })
  return (
    <Loaded query={query} lines={8}>
      {(d) => {
        const first = d.pages[0]!
        const entries = d.pages.flatMap((page) => page.items)
        const left = (state: string) => first.open_lots.filter((lot) => lot.state === state).reduce((sum, lot) => sum + lot.remaining, 0)
        return (
          <div className="flex flex-col gap-5">
            <Card
              title={t('loyalty.lots')}
              action={
                <Button look="quiet" aria-expanded={explained} onClick={() => explain(!explained)}>
                  {t('loyalty.explain')}
                </Button>
              }
            >
              {explained && (
                <div className="border-b border-line bg-canvas px-4 py-3">
                  <ul className="flex flex-col gap-1">
                    {first.in_words.map((one) => (
                      <li key={one}>{one}</li>
                    ))}
                  </ul>
                  {first.open_lots_total === first.open_lots.length && (
                    <p className="mt-2 text-soft tabular-nums">
                      {t('loyalty.sum', { available: number(language, left('available')), pending: number(language, left('locked')), n: first.open_lots_total })}
                    </p>
                  )}
                </div>
              )}
              {first.open_lots.length === 0 ? (
                <Empty title={t('loyalty.noLots')} />
              ) : (
                <div className="max-h-80 overflow-auto" tabIndex={0} role="region" aria-label={t('loyalty.lots')}>
                  <table className="w-full">
                    <thead className="sticky top-0 bg-surface text-xs text-soft">
                      <tr>
                        <th scope="col" className="px-4 py-2 text-left font-medium">{t('lot.expires')}</th>
                        <th scope="col" className="px-4 py-2 text-left font-medium">{t('lot.for')}</th>
                        <th scope="col" className="px-4 py-2 text-left font-medium max-sm:hidden">{t('lot.earned')}</th>
                        <th scope="col" className="px-4 py-2 text-right font-medium">{t('lot.left')}</th>
                      </tr>
                    </thead>
                    <tbody>
                      {first.open_lots.map((lot) => (
                        <tr key={lot.lot_id} className="border-t border-line">
                          <td className="px-4 py-1.5">
                            {lot.expires_at ? date(language, lot.expires_at) : t('lot.never')}
                            {lot.state === 'locked' && <span className="block text-xs text-soft">{t('lot.locked', { at: date(language, lot.available_at) })}</span>}
                          </td>
                          <td className="px-4 py-1.5"><Reason type={lot.reason_type} /></td>
                          <td className="px-4 py-1.5 max-sm:hidden">{date(language, lot.earned_at)}</td>
                          <td className={numeric}>{t('lot.of', { left: number(language, lot.remaining), of: number(language, lot.points) })}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              )}
            </Card>
            <Card title={t('loyalty.ledger')}>
              {entries.length === 0 ? (
                <Empty title={t('loyalty.noEntries')} />
              ) : (
                <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={t('loyalty.ledger')}>
                  <table className="w-full">
                    <thead className="text-xs text-soft">
                      <tr>
                        <th scope="col" className="px-4 py-2 text-left font-medium">{t('entry.at')}</th>
                        <th scope="col" className="px-4 py-2 text-left font-medium">{t('entry.what')}</th>
                        <th scope="col" className="px-4 py-2 text-right font-medium">{t('entry.change')}</th>
                        <th scope="col" className="px-4 py-2 text-right font-medium max-sm:hidden">{t('entry.pending')}</th>
                        <th scope="col" className="px-4 py-2 text-right font-medium">{t('entry.after')}</th>
                      </tr>
                    </thead>
                    <tbody>
                      {entries.map((one) => (
                        <tr key={one.entry_id} className="border-t border-line align-top">
                          <td className="px-4 py-1.5 max-sm:pr-0 sm:whitespace-nowrap">{date(language, one.booked_at)}</td>
                          <td className="px-4 py-1.5">
                            <span className="font-medium">{t(`entryKind.${one.kind}`)}</span> · <Reason type={one.reason_type} />
                            <span className="block text-xs text-soft max-sm:hidden">{one.in_words}</span>
                          </td>
                          <td className={numeric}><Signed value={one.available} /></td>
                          <td className={`${numeric} max-sm:hidden`}><Signed value={one.pending} /></td>
                          <td className={`${numeric} font-medium`}>{number(language, one.available_after)}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              )}
              <More of={query} inCard />
            </Card>
          </div>
        )
      }}
    </Loaded>
  )
}

function Reason({ type }: { type: string }) {
  const { t } = useI18n()
  const key = `reason.${type}`
  return <>{isKey(key) ? t(key) : type.replaceAll('_', ' ')}</>
}

function Signed({ value }: { value: number }) {
  const { language } = useI18n()
  if (value === 0) return <span className="text-faint">0</span>
  return <span className={value > 0 ? 'text-good' : 'text-bad'}>{new Intl.NumberFormat(language, { signDisplay: 'always' }).format(value)}</span>
}
