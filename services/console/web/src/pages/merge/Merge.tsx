import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { accounts, body, once } from '../../api/client'
import { Problem } from '../../api/problem'
import { useI18n } from '../../i18n'
import { isKey } from '../../i18n/say'
import { rows, type Customer, type Row } from '../../merge'
import { Dialog } from '../../ui/Dialog'
import { Button, Loaded, Select } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { useProblemText } from '../../ui/problems'

const rules = ['most_recent', 'oldest'] as const

interface Props {
  /** pair are the two; the first one stays unless somebody swaps them. */
  pair: readonly [string, string]
  /** duplicate is the pair of the review queue that this decides. */
  duplicate?: string
  onClose: () => void
  /** onMerged is told who has stayed. */
  onMerged?: (survivor: string) => void
}

function useCustomer(id: string) {
  return useQuery({ queryKey: ['accounts', 'customer', id, 'record'], queryFn: () => body(accounts.GET('/v1/customers/{customer_id}', { params: { path: { customer_id: id } } })) })
}

/** Merge shows field by field what would come of two customers, lets choose, and merges them. */
export function Merge({ pair, duplicate, onClose, onMerged }: Props) {
  const { t } = useI18n()
  const say = useProblemText()
  const client = useQueryClient()
  const { done } = useToasts()
  const [swapped, swap] = useState(false)
  const [rule, setRule] = useState<(typeof rules)[number]>('most_recent')
  const [choose, setChoose] = useState<Record<string, string>>({})
  const [key, setKey] = useState(once)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [survivor, absorbed] = swapped ? [pair[1], pair[0]] : pair
  const a = useCustomer(survivor)
  const b = useCustomer(absorbed)
  const asked = { rule, choose, reason: 'duplicate' }
  const preview = useQuery({
    queryKey: ['accounts', 'merge', survivor, absorbed, asked],
    queryFn: () =>
      body(accounts.POST('/v1/customers/{customer_id}/merges', { params: { path: { customer_id: survivor } }, body: { absorbed_id: absorbed, ...asked, dry_run: true } })),
    placeholderData: (before) => (before?.survivor_id === survivor ? before : undefined),
  })
  const both = { data: a.data && b.data && preview.data ? { a: a.data, b: b.data, shown: preview.data } : undefined, error: a.error ?? b.error ?? preview.error, isPending: preview.isPending, refetch: preview.refetch }

  const merge = async () => {
    setBusy(true)
    setError(null)
    try {
      if (duplicate) await body(accounts.POST('/v1/duplicates/{duplicate_id}/accept', { params: { path: { duplicate_id: duplicate }, header: key }, body: { survivor_id: survivor, ...asked } }))
      else await body(accounts.POST('/v1/customers/{customer_id}/merges', { params: { path: { customer_id: survivor }, header: key }, body: { absorbed_id: absorbed, ...asked } }))
      done(t('merge.done'))
      onMerged?.(survivor)
      onClose()
      // What was only shown is no more asked for: there are no two any more.
      void client.invalidateQueries({ predicate: (query) => query.queryKey[1] !== 'merge' })
    } catch (problem) {
      setError(problem)
      if (problem instanceof Problem && problem.status < 500) setKey(once())
    } finally {
      setBusy(false)
    }
  }

  return (
    <Dialog title={t('merge.title')} onClose={onClose} wide>
      <div className="flex flex-col gap-3 p-4">
        <div className="flex flex-wrap items-end justify-between gap-2">
          <Select label={t('merge.rule')} value={rule} onChange={setRule} options={rules.map((one) => [one, t(`mergeRule.${one}`)] as const)} />
          <Button
            onClick={() => {
              swap(!swapped)
              setKey(once())
            }}
          >
            ⇄ {t('merge.swap')}
          </Button>
        </div>
        <Loaded query={both} lines={6}>
          {({ a, b, shown }) => <Preview a={a} b={b} rows={rows(shown.fields ?? [], a, b)} choose={(field, id) => setChoose({ ...choose, [field]: id })} />}
        </Loaded>
        <p className="text-soft">{t('merge.adds')}</p>
        {error !== null && (
          <p role="alert" className="rounded-md bg-bad-soft p-3 text-bad">
            {say(error)}
          </p>
        )}
        <div className="flex justify-end gap-2 pt-1">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button look="primary" disabled={busy || !preview.data || preview.isPlaceholderData} onClick={() => void merge()}>
            {t('merge.do')}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}

function Preview({ a, b, rows, choose }: { a: Customer; b: Customer; rows: Row[]; choose: (field: string, id: string) => void }) {
  const { t } = useI18n()
  const name = (field: string) => {
    const key = `edit.${field}`
    const other = `customers.${field}`
    if (field === 'tags') return t('customers.tags')
    return isKey(key) ? t(key) : isKey(other) ? t(other) : field.replace(/^custom\./, '').replaceAll('_', ' ')
  }
  const side = (row: Row, which: 'a' | 'b') => {
    const value = row[which]
    const taken = row.from === which || row.from === 'both'
    if (row.withheld) return <span className="text-faint">{t('merge.hidden')}</span>
    if (!row.free) return <span className={taken && value ? '' : 'text-faint'}>{value || '–'}</span>
    return (
      <label className={`flex cursor-pointer items-start gap-1.5 rounded-md border px-2 py-1 ${taken ? 'border-accent bg-accent-soft' : 'border-line hover:bg-sunken'}`}>
        <input type="radio" name={`merge-${row.field}`} checked={taken} onChange={() => choose(row.field, which === 'a' ? a.customer_id : b.customer_id)} aria-label={t('merge.choose', { value })} className="mt-0.5 accent-accent" />
        <span className="min-w-0 break-words">{value}</span>
      </label>
    )
  }
  return (
    <div className="overflow-x-auto">
      <table className="w-full min-w-lg border-collapse text-left">
        <thead className="text-xs text-soft">
          <tr className="border-b border-line align-bottom">
            <th className="py-2 pr-3 font-medium">{t('merge.field')}</th>
            <th className="py-2 pr-3 font-medium">
              {t('merge.stays')}
              <span className="block font-semibold text-ink">{a.display_name || t('customers.noName')}</span>
            </th>
            <th className="py-2 pr-3 font-medium">
              {t('merge.absorbed')}
              <span className="block font-semibold text-ink">{b.display_name || t('customers.noName')}</span>
            </th>
            <th className="py-2 font-medium">{t('merge.result')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.field} className="border-b border-line align-top">
              <th className="py-2 pr-3 font-normal text-soft">{name(row.field)}</th>
              <td className="max-w-48 py-2 pr-3 break-words">{side(row, 'a')}</td>
              <td className="max-w-48 py-2 pr-3 break-words">{side(row, 'b')}</td>
              <td className="max-w-48 py-2 break-words">
                {row.withheld ? t('merge.hidden') : row.value}
                <span className="block text-xs text-faint">{t(`mergeRule.${row.rule}`)}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p className="py-3 text-soft">{t('merge.nothing')}</p>}
    </div>
  )
}
