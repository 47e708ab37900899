import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { body, loyalty, once } from '../../api/client'
import { useSession } from '../../api/session'
import { number, time } from '../../format'
import { useI18n } from '../../i18n'
import { affordable } from '../../loyalty'
import { Dialog } from '../../ui/Dialog'
import { Badge, Button, Card, Empty, Field, Loaded } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'

interface Reward {
  code: string
  name: string
  points?: number
  stock?: number
}

function useRewards(programme: string) {
  return useQuery({
    queryKey: ['loyalty', 'rewards', programme],
    queryFn: () => body(loyalty.GET('/v1/rewards', { params: { query: { programme, limit: 100 } } })),
  })
}

export function Rewards({ id, programme, available, state }: { id: string; programme: string; available: number; state: string }) {
  const { t, language } = useI18n()
  const { can } = useSession()
  const [chosen, choose] = useState<Reward | null>(null)
  const query = useRewards(programme)
  return (
    <Card title={t('redeem.title')}>
      <Loaded query={query} lines={4}>
        {(d) =>
          d.items.length === 0 ? (
            <Empty title={t('redeem.none')} />
          ) : (
            <ul className="divide-y divide-line">
              {d.items.map((one) => {
                const many = affordable(available, one.points, one.stock)
                return (
                  <li key={one.reward_id} className="flex items-center justify-between gap-3 px-4 py-2.5">
                    <span className="min-w-0">
                      <span className="block truncate font-medium">{one.name}</span>
                      <span className="text-xs text-soft">
                        {t(`rewardKind.${one.kind}`)} · {one.points === undefined ? t('redeem.noCost') : t('customer.available', { n: one.points })}
                        {one.stock !== undefined && ` · ${t('redeem.stock', { n: one.stock })}`}
                        {one.tier && ` · ${t('redeem.tier', { tier: one.tier })}`}
                      </span>
                    </span>
                    {can('loyalty.write') && (
                      <Button disabled={many === 0 || state !== 'active'} title={many === 0 && one.points !== undefined ? t('redeem.tooFew', { n: number(language, available) }) : undefined} onClick={() => choose(one)}>
                        {t('redeem.do')}
                      </Button>
                    )}
                  </li>
                )
              })}
            </ul>
          )
        }
      </Loaded>
      {chosen && <Confirm member={id} reward={chosen} available={available} onClose={() => choose(null)} />}
    </Card>
  )
}

function Confirm({ member, reward, available, onClose }: { member: string; reward: Reward; available: number; onClose: () => void }) {
  const { t, language } = useI18n()
  const { done, failed } = useToasts()
  const client = useQueryClient()
  const [quantity, setQuantity] = useState(1)
  const most = affordable(available, reward.points, reward.stock)
  const points = (reward.points ?? 0) * quantity
  // One key for one wish: pressed twice, or sent again after the line broke, it takes the points once. Another quantity is another wish.
  const [keys] = useState(() => new Map<number, ReturnType<typeof once>>())
  const redeem = useMutation({
    mutationFn: () => {
      if (!keys.has(quantity)) keys.set(quantity, once())
      return body(
        loyalty.POST('/v1/members/{member_id}/redemptions', {
          params: { path: { member_id: member }, header: keys.get(quantity) },
          body: { reward: reward.code, quantity, points },
        }),
      )
    },
    onSuccess: (got) => {
      done(t('redeem.done', { name: reward.name, n: got.points }))
      void client.invalidateQueries({ queryKey: ['loyalty'] })
      onClose()
    },
    onError: failed,
  })
  return (
    <Dialog title={t('redeem.confirm', { name: reward.name })} onClose={onClose}>
      <form
        className="flex flex-col gap-4 p-4"
        onSubmit={(e) => {
          e.preventDefault()
          redeem.mutate()
        }}
      >
        <Field label={t('redeem.quantity')}>
          {(id) => <input id={id} type="number" min={1} max={most} required className="field w-28" value={quantity} onChange={(e) => setQuantity(Math.max(1, Math.floor(e.target.valueAsNumber || 1)))} />}
        </Field>
        <p className="tabular-nums">{t('redeem.costs', { points: number(language, points), left: number(language, available - points) })}</p>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button type="submit" look="primary" disabled={redeem.isPending || quantity > most}>
            {t('redeem.do')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

const tones = { reserved: 'warn', handed_over: 'accent', fulfilled: 'good', cancelled: 'plain' } as const

export function Redemptions({ id, programme }: { id: string; programme: string }) {
  const { t, language } = useI18n()
  const { can } = useSession()
  const { done, failed } = useToasts()
  const client = useQueryClient()
  const query = useQuery({
    queryKey: ['loyalty', 'member', id, 'redemptions'],
    queryFn: () => body(loyalty.GET('/v1/redemptions', { params: { query: { member_id: id, limit: 20 } } })),
  })
  const rewards = useRewards(programme)
  const name = (code: string) => rewards.data?.items.find((one) => one.code === code)?.name ?? code
  const cancel = useMutation({
    mutationFn: (redemption: string) =>
      body(loyalty.POST('/v1/redemptions/{redemption_id}/cancel', { params: { path: { redemption_id: redemption }, header: once() }, body: { reason: 'customer_request' } })),
    onSuccess: (got) => {
      done(t('redeem.cancelled', { n: got.points }))
      void client.invalidateQueries({ queryKey: ['loyalty'] })
    },
    onError: failed,
  })
  return (
    <Card title={t('redeem.list')}>
      <Loaded query={query} lines={3}>
        {(d) =>
          d.items.length === 0 ? (
            <Empty title={t('redeem.nothing')} />
          ) : (
            <ul className="divide-y divide-line">
              {d.items.map((one) => (
                <li key={one.redemption_id} className="flex items-center justify-between gap-3 px-4 py-2.5">
                  <span className="min-w-0">
                    <span className="font-medium">
                      {one.quantity > 1 && `${one.quantity} × `}
                      {name(one.reward)}
                    </span>{' '}
                    <Badge tone={tones[one.state]}>{t(`redemptionState.${one.state}`)}</Badge>
                    <span className="block text-xs text-faint">
                      {t('customer.available', { n: one.points })} · {time(language, one.redeemed_at)}
                    </span>
                  </span>
                  {can('loyalty.write') && (one.state === 'reserved' || one.state === 'handed_over') && (
                    <Button look="quiet" disabled={cancel.isPending} onClick={() => cancel.mutate(one.redemption_id)}>
                      {t('redeem.cancel')}
                    </Button>
                  )}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}
