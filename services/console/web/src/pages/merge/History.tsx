import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { accounts, body, once } from '../../api/client'
import { useSession } from '../../api/session'
import { date, time } from '../../format'
import { useI18n } from '../../i18n'
import { undoable } from '../../merge'
import { Button, Card } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'

/** History is who was merged into a customer; a merge is undone as long as the server says that it may be. */
export function History({ id }: { id: string }) {
  const { t, language } = useI18n()
  const { can } = useSession()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const [busy, setBusy] = useState(false)
  const query = useQuery({
    queryKey: ['accounts', 'customer', id, 'merges'],
    queryFn: () => body(accounts.GET('/v1/customers/{customer_id}/merges', { params: { path: { customer_id: id }, query: { limit: 20 } } })),
  })
  const merges = query.data?.items ?? []
  if (merges.length === 0) return null
  const undo = async (merge: string) => {
    setBusy(true)
    try {
      await body(accounts.POST('/v1/merges/{merge_id}/undo', { params: { path: { merge_id: merge }, header: once() } }))
      done(t('merge.undone'))
    } catch (error) {
      failed(error)
    }
    setBusy(false)
    void client.invalidateQueries()
  }
  return (
    <Card title={t('merge.history')}>
      <ul className="divide-y divide-line">
        {merges.map((one) => (
          <li key={one.merge_id} className="flex items-start justify-between gap-3 px-4 py-2.5">
            <span className="min-w-0">
              {one.merged_at && t('merge.at', { at: time(language, one.merged_at), who: one.merged_by ?? '' })}
              <span className="block text-xs text-faint">
                {one.undone_at ? t('merge.undoneAt', { at: time(language, one.undone_at), who: one.undone_by ?? '' }) : one.undo_until && t('merge.until', { at: date(language, one.undo_until) })}
              </span>
            </span>
            {can('customers.merge') && undoable(one, new Date()) && (
              <Button disabled={busy} onClick={() => void undo(one.merge_id!)}>
                {t('merge.undo')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Card>
  )
}
