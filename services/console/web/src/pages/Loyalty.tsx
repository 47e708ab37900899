import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { accounts, body, loyalty } from '../api/client'
import { Problem } from '../api/problem'
import { useSession } from '../api/session'
import { date } from '../format'
import { useI18n } from '../i18n'
import { guess } from '../lookup'
import { grouped, sought } from '../loyalty'
import { Badge, Button, Card, Empty, Loaded, More, Select } from '../ui/parts'

const route = getRouteApi('/loyalty')

/** most is how many customers are looked at who fit what was typed. */
const most = 6

export function Loyalty() {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/loyalty' })
  const [typed, setTyped] = useState(search.q ?? '')
  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-5 p-4 md:p-6">
      <h1 className="text-xl font-semibold">{t('loyalty.title')}</h1>
      <form
        role="search"
        className="flex gap-2"
        onSubmit={(e) => {
          e.preventDefault()
          void navigate({ search: (s) => ({ ...s, q: typed.trim() || undefined }) })
        }}
      >
        <input type="search" className="field flex-1 text-ellipsis sm:max-w-112" aria-label={t('loyalty.find')} placeholder={t('loyalty.find')} value={typed} onChange={(e) => setTyped(e.target.value)} />
        <Button type="submit" look="primary">
          {t('loyalty.findIt')}
        </Button>
      </form>
      <div className="grid grid-cols-1 items-start gap-5 lg:grid-cols-[1fr_20rem]">
        {search.q ? <Found typed={search.q} /> : <All />}
        <Programmes />
      </div>
    </div>
  )
}

/** look finds members by card, or by whom accounts knows under what was typed. */
async function look(typed: string, signal: AbortSignal) {
  const members = async (query: { card_number: string } | { customer_id: string }) => (await body(loyalty.GET('/v1/members', { params: { query }, signal }))).items
  const by = sought(typed)
  if (!by) return []
  if ('card' in by) return members({ card_number: by.card })
  if ('customer' in by) return members({ customer_id: by.customer })
  const { identities, name } = guess(by.words)
  const found = new Set<string>()
  for (const query of identities) {
    const list = await body(accounts.GET('/v1/customers/lookup', { params: { query }, signal })).catch((e: unknown) => {
      if (e instanceof Problem && e.status < 500) return null // nobody, or nothing that can be looked up by this
      throw e
    })
    list?.items?.forEach((one) => found.add(one.customer_id))
  }
  if (name) {
    const list = await body(accounts.GET('/v1/customers/search', { params: { query: { q: name, limit: most } }, signal }))
    list.items?.forEach((one) => found.add(one.customer_id))
  }
  return (await Promise.all([...found].slice(0, most).map((id) => members({ customer_id: id })))).flat()
}

type Row = Awaited<ReturnType<typeof look>>[number]

function Found({ typed }: { typed: string }) {
  const { t } = useI18n()
  const query = useQuery({ queryKey: ['loyalty', 'find', typed], queryFn: ({ signal }) => look(typed, signal), retry: false })
  return (
    <Card title={t('loyalty.found', { q: typed })}>
      <Loaded query={query} lines={3}>
        {(items) => (items.length === 0 ? <Empty title={t('loyalty.nobody')}><p>{t('loyalty.nobodyHint')}</p></Empty> : <Rows items={items} />)}
      </Loaded>
    </Card>
  )
}

function All() {
  const { t } = useI18n()
  const { state } = route.useSearch()
  const navigate = useNavigate({ from: '/loyalty' })
  const query = useInfiniteQuery({
    queryKey: ['loyalty', 'members', state],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => body(loyalty.GET('/v1/members', { params: { query: { state, limit: 50, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor || undefined,
  })
  const states = (['active', 'suspended', 'left'] as const).map((one) => [one, t(`memberState.${one}`)] as const)
  return (
    <Card
      title={t('loyalty.members')}
      action={<Select<'' | 'active' | 'suspended' | 'left'> bare label={t('loyalty.state')} value={state ?? ''} onChange={(next) => void navigate({ search: (s) => ({ ...s, state: next || undefined }), replace: true })} options={[['', t('loyalty.anyState')], ...states]} />}
    >
      <Loaded query={query} lines={8}>
        {(d) => {
          const items = d.pages.flatMap((page) => page.items)
          if (items.length === 0) return <Empty title={t('loyalty.none')} />
          return (
            <>
              <Rows items={items} />
              <More of={query} inCard />
            </>
          )
        }}
      </Loaded>
    </Card>
  )
}

function Rows({ items }: { items: Row[] }) {
  const { t, language } = useI18n()
  return (
    <ul className="divide-y divide-line">
      {items.map((one) => (
        <li key={one.member_id}>
          <Link to="/loyalty/members/$memberId" params={{ memberId: one.member_id }} search={{}} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 py-2.5 hover:bg-sunken">
            <span className="min-w-0">
              <span className="block font-medium tabular-nums">{one.card_number ? grouped(one.card_number) : t('loyalty.erased')}</span>
              <span className="text-xs text-faint">
                {one.programme} · {t('loyalty.since', { at: date(language, one.enrolled_at) })}
              </span>
            </span>
            <span className="flex items-center gap-3">
              {one.blocked_card && <Badge tone="bad">{t('loyalty.blocked')}</Badge>}
              {one.state !== 'active' && <Badge tone="warn">{t(`memberState.${one.state}`)}</Badge>}
              <span className="text-right font-semibold tabular-nums">{t('customer.available', { n: one.available })}</span>
            </span>
          </Link>
        </li>
      ))}
    </ul>
  )
}

function Programmes() {
  const { t } = useI18n()
  const { can } = useSession()
  const query = useQuery({ queryKey: ['loyalty', 'programmes'], queryFn: () => body(loyalty.GET('/v1/programmes')) })
  return (
    <Card title={t('loyalty.programmes')}>
      <Loaded query={query} lines={3}>
        {(d) => (
          <ul className="divide-y divide-line">
            {(d.items ?? []).map((one) => (
              <li key={one.code}>
                <Link to="/loyalty/programmes/$code" params={{ code: one.code }} className="block px-4 py-2.5 hover:bg-sunken">
                  <span className="font-medium">{one.name}</span> <span className="text-xs text-faint">{one.code}</span>
                  <span className="block text-xs text-soft">
                    {one.version > 0 ? t('programme.version', { n: one.version }) : t('programme.house')} · {one.zone} {can('loyalty.configure') && `· ${t('action.edit')}`}
                  </span>
                </Link>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}
