import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { body, sales, tickets } from '../../api/client'
import { useSession } from '../../api/session'
import { costOf, priced, remedyOf, type Complaint, type Part } from '../../complaint'
import { date, minorOf, money } from '../../format'
import { useI18n } from '../../i18n'
import { Button, Field } from '../../ui/parts'

interface Remedy {
  currency: string
  parts: Part[]
  setCurrency: (currency: string) => void
  setParts: (parts: Part[]) => void
  amounts: (text: string) => number | null
  /** complete says whether it can be sent, as far as the page can tell. */
  complete: boolean
  body: { currency?: string; parts?: ReturnType<typeof remedyOf> }
}

const blank: Part = { entry: '', kind: 'apology', points: '', order: '', amount: '' }

/** isCurrency says whether the browser knows how a currency is written. */
function isCurrency(code: string): boolean {
  return /^[A-Z]{3}$/.test(code)
}

/** useRemedy holds a remedy that is being proposed. The currency is first that of the customer's last order. */
export function useRemedy(wanted: boolean, customer: string): Remedy {
  const { data } = useOrders(wanted, customer)
  const [said, setCurrency] = useState<string | null>(null)
  const [parts, setParts] = useState<Part[]>([blank])
  const currency = said ?? data?.items?.[0]?.currency ?? ''
  const amounts = (text: string) => (isCurrency(currency) ? minorOf(text, currency) : null)
  const right = (part: Part) => {
    if (part.kind === 'points') return Number.isInteger(Number(part.points)) && Number(part.points) > 0
    const amount = part.amount.trim() ? amounts(part.amount) : undefined
    if (amount === null) return false
    if (part.kind === 'refund') return part.order.trim() !== '' && Boolean(amount)
    return part.kind === 'voucher' ? Boolean(amount) : true
  }
  const complete = !wanted || (isCurrency(currency) && parts.length > 0 && parts.every(right))
  return { currency, parts, setCurrency, setParts, amounts, complete, body: wanted ? { currency, parts: remedyOf(parts, amounts) } : {} }
}

function useOrders(wanted: boolean, customer: string) {
  const { can } = useSession()
  return useQuery({
    queryKey: ['sales', 'orders-of', customer],
    enabled: wanted && can('sales.read'),
    queryFn: () => body(sales.GET('/v1/orders', { params: { query: { customer_id: customer, limit: 20 } } })),
  })
}

/** Remedy is the form of a proposal: parts from the tenant's menu, with what they will cost. */
export function Remedy({ of, remedy }: { of: Complaint; remedy: Remedy }) {
  const { t, language } = useI18n()
  const menu = useQuery({ queryKey: ['tickets', 'remedy-menu'], queryFn: () => body(tickets.GET('/v1/complaints/menu')) })
  const policy = useQuery({ queryKey: ['tickets', 'complaint-policy'], queryFn: () => body(tickets.GET('/v1/complaints/policy')) })
  const entries = menu.data?.entries ?? []
  const cost = costOf(remedy.parts, entries, policy.data?.point_minor ?? 0, remedy.amounts)
  const change = (i: number, part: Partial<Part>) => remedy.setParts(remedy.parts.map((one, j) => (i === j ? { ...one, ...part } : one)))
  return (
    <fieldset className="flex flex-col gap-3">
      <legend className="mb-2 font-medium">{t('ask.parts')}</legend>
      <Field label={t('ask.currency')}>
        {(id) => <input id={id} required maxLength={3} pattern="[A-Z]{3}" value={remedy.currency} onChange={(e) => remedy.setCurrency(e.target.value.toUpperCase())} className="field w-24" />}
      </Field>
      {remedy.parts.map((part, i) => (
        <div key={i} className="card flex flex-wrap items-end gap-2 p-3">
          <Field label={t('ask.part')}>
            {(id) => (
              <select
                id={id}
                className="field"
                value={part.entry || part.kind}
                onChange={(e) => {
                  const entry = entries.find((one) => one.code === e.target.value)
                  change(i, entry ? { entry: entry.code, kind: entry.kind } : { entry: '', kind: e.target.value as Part['kind'] })
                }}
              >
                {!entries.some((one) => one.code === (part.entry || part.kind)) && <option value={part.entry || part.kind}>{t(`part.${part.kind}`)}</option>}
                {entries.map((one) => (
                  <option key={one.code} value={one.code}>
                    {t(`part.${one.kind}`)}
                    {one.code !== one.kind && ` · ${one.code}`}
                  </option>
                ))}
              </select>
            )}
          </Field>
          {part.kind === 'points' && (
            <Field label={t('ask.points')}>{(id) => <input id={id} type="number" min={1} max={1_000_000} required value={part.points} onChange={(e) => change(i, { points: e.target.value })} className="field w-28" />}</Field>
          )}
          {part.kind === 'refund' && <Order of={of} value={part.order} set={(order) => change(i, { order })} />}
          {priced.includes(part.kind) && (
            <Field label={part.kind === 'refund' || part.kind === 'voucher' ? t('ask.amount') : t('ask.optional', { field: t('ask.amount') })}>
              {(id) => <input id={id} inputMode="decimal" required={part.kind === 'refund' || part.kind === 'voucher'} value={part.amount} onChange={(e) => change(i, { amount: e.target.value })} className="field w-32" />}
            </Field>
          )}
          {remedy.parts.length > 1 && (
            <Button look="quiet" aria-label={t('ask.removePart')} title={t('ask.removePart')} onClick={() => remedy.setParts(remedy.parts.filter((_, j) => j !== i))}>
              ✕
            </Button>
          )}
          {part.amount.trim() !== '' && priced.includes(part.kind) && isCurrency(remedy.currency) && remedy.amounts(part.amount) === null && (
            <p className="w-full text-xs text-bad">{t('ask.amountWrong', { currency: remedy.currency })}</p>
          )}
        </div>
      ))}
      <div className="flex flex-wrap items-center justify-between gap-2">
        <Button disabled={remedy.parts.length >= 10} onClick={() => remedy.setParts([...remedy.parts, blank])}>
          {t('ask.addPart')}
        </Button>
        {isCurrency(remedy.currency) && (
          <p className="text-soft">
            {t('ask.costs', { amount: money(language, cost, remedy.currency) })} {policy.data && t('ask.free', { amount: money(language, policy.data.free_minor, remedy.currency) })}
          </p>
        )}
      </div>
    </fieldset>
  )
}

/** Order chooses the order that is refunded; who may not read orders types its id. */
function Order({ of, value, set }: { of: Complaint; value: string; set: (order: string) => void }) {
  const { t, language } = useI18n()
  const { can } = useSession()
  const query = useOrders(true, of.customer_id)
  const orders = query.data?.items ?? []
  if (!can('sales.read')) return <Field label={t('ask.orderId')}>{(id) => <input id={id} required value={value} onChange={(e) => set(e.target.value)} className="field" />}</Field>
  return (
    <Field label={t('ask.order')}>
      {(id) => (
        <select id={id} required value={value} onChange={(e) => set(e.target.value)} className="field">
          <option value="">{t('ask.chooseOrder')}</option>
          {orders.map((one) => (
            <option key={one.order_id} value={one.order_id}>
              {date(language, one.placed_at)} · {money(language, one.total_minor, one.currency)}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}
