import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import type { components } from '../api/accounts'
import { accounts, body, once } from '../api/client'
import { time } from '../format'
import { useI18n } from '../i18n'
import { Badge, Button, Empty, Loaded, More, Select } from '../ui/parts'
import { useToasts } from '../ui/Toasts'
import { Merge } from './merge/Merge'

const route = getRouteApi('/duplicates')
const states = ['accepted', 'dismissed'] as const

type Pair = components['schemas']['DuplicateView']

/** Duplicates is the queue of pairs of customers who may be one, the likeliest first. */
export function Duplicates() {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/duplicates' })
  const [compared, compare] = useState<Pair | null>(null)
  const state = search.state ?? 'open'
  const query = useInfiniteQuery({
    queryKey: ['accounts', 'duplicates', state],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => body(accounts.GET('/v1/duplicates', { params: { query: { state, limit: 50, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor || undefined,
    placeholderData: (before) => before,
  })
  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-3 p-4 md:p-6">
      <div className="flex flex-wrap items-start justify-between gap-2">
        <div>
          <h1 className="text-xl font-semibold">{t('duplicates.title')}</h1>
          <p className="text-soft">{t('duplicates.hint')}</p>
        </div>
        <Select bare label={t('duplicates.state')} value={search.state ?? ''} onChange={(value) => void navigate({ search: (s) => ({ ...s, state: value || undefined }), replace: true })}
          options={[['', t('dupState.open')], ...states.map((one) => [one, t(`dupState.${one}`)] as const)]} />
      </div>
      <Loaded query={query} lines={8}>
        {(d) => {
          const pairs = d.pages.flatMap((page) => page.items)
          if (pairs.length === 0)
            return (
              <div className="card">
                <Empty title={t(state === 'open' ? 'duplicates.none' : 'duplicates.noneDecided')}>{state === 'open' && <p>{t('duplicates.noneHint')}</p>}</Empty>
              </div>
            )
          return (
            <ul className="flex flex-col gap-3">
              {pairs.map((pair) => (
                <One key={pair.duplicate_id} pair={pair} compare={() => compare(pair)} />
              ))}
            </ul>
          )
        }}
      </Loaded>
      <More of={query} />
      {compared && <Merge pair={[compared.customers[0]!.customer_id, compared.customers[1]!.customer_id]} duplicate={compared.duplicate_id} onClose={() => compare(null)} />}
    </div>
  )
}

function One({ pair, compare }: { pair: Pair; compare: () => void }) {
  const { t, language } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const [busy, setBusy] = useState(false)
  const dismiss = async () => {
    setBusy(true)
    try {
      await body(accounts.POST('/v1/duplicates/{duplicate_id}/dismiss', { params: { path: { duplicate_id: pair.duplicate_id }, header: once() } }))
      done(t('duplicates.dismissed'))
    } catch (error) {
      failed(error)
    }
    setBusy(false)
    void client.invalidateQueries({ queryKey: ['accounts', 'duplicates'] })
  }
  return (
    <li className="card flex flex-wrap items-center justify-between gap-3 p-4">
      <div className="min-w-0 flex-1 basis-72">
        <div className="flex flex-wrap items-baseline gap-x-2 font-medium">
          {pair.customers.map((one, i) => (
            <span key={one.customer_id} className="flex min-w-0 items-baseline gap-2">
              {i > 0 && <span className="text-faint">≟</span>}
              <Link to="/customers/$customerId" params={{ customerId: one.customer_id }} search={{}} className="min-w-0 break-words hover:text-accent hover:underline">
                {one.display_name || t('customers.noName')}
              </Link>
            </span>
          ))}
        </div>
        <div className="mt-1 flex flex-wrap items-center gap-1.5 text-xs text-soft">
          <Badge tone={pair.score >= 80 ? 'warn' : 'plain'}>{t('duplicates.score', { n: pair.score })}</Badge>
          {t('duplicates.common')}: {pair.criteria.map((one) => one.replaceAll('_', ' ')).join(', ')} · {t('duplicates.rule', { rule: pair.rule })} · {time(language, pair.found_at)}
          {pair.left_because && <span> · {t('duplicates.left', { why: pair.left_because.replaceAll('_', ' ') })}</span>}
        </div>
      </div>
      {pair.state === 'open' ? (
        <div className="flex flex-wrap gap-2">
          <Button disabled={busy} onClick={() => void dismiss()}>
            {t('duplicates.dismiss')}
          </Button>
          <Button look="primary" onClick={compare}>
            {t('duplicates.compare')}
          </Button>
        </div>
      ) : (
        pair.decided_at && <span className="text-xs text-soft">{t('duplicates.decided', { at: time(language, pair.decided_at), who: pair.decided_by ?? '' })}</span>
      )}
    </li>
  )
}
