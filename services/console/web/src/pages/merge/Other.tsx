import { useQuery } from '@tanstack/react-query'
import { useDeferredValue, useRef, useState } from 'react'
import { accounts, body } from '../../api/client'
import { useI18n } from '../../i18n'
import { useArrows } from '../../ui/arrows'
import { Dialog } from '../../ui/Dialog'
import { Skeleton } from '../../ui/parts'
import { Merge } from './Merge'

/** MergeWith looks for the customer who is the same as this one, and then merges the two. */
export function MergeWith({ id, onClose, onMerged }: { id: string; onClose: () => void; onMerged: (survivor: string) => void }) {
  const { t } = useI18n()
  const [typed, setTyped] = useState('')
  const [other, setOther] = useState<string | null>(null)
  const q = useDeferredValue(typed.trim())
  const list = useRef<HTMLUListElement>(null)
  const keys = useArrows(list, 'button')
  const query = useQuery({
    queryKey: ['accounts', 'search', 'merge', q],
    enabled: [...q].length >= 2,
    queryFn: ({ signal }) => body(accounts.GET('/v1/customers/search', { params: { query: { q, limit: 10, sort: 'relevance' } }, signal })),
  })
  if (other) return <Merge pair={[id, other]} onClose={onClose} onMerged={onMerged} />
  const found = (query.data?.items ?? []).filter((one) => one.customer_id !== id)
  return (
    <Dialog title={t('merge.title')} onClose={onClose}>
      <div className="flex flex-col gap-3 p-4" onKeyDown={keys}>
        <input autoFocus type="search" className="field" aria-label={t('merge.find')} placeholder={t('merge.find')} value={typed} onChange={(e) => setTyped(e.target.value)} />
        {query.isFetching && <Skeleton lines={2} />}
        <ul ref={list}>
          {found.map((one) => (
            <li key={one.customer_id}>
              <button type="button" onClick={() => setOther(one.customer_id)} className="flex w-full justify-between gap-3 rounded px-3 py-2 text-left hover:bg-sunken">
                <span className="min-w-0 truncate">{one.display_name || t('customers.noName')}</span>
                <span className="text-xs text-faint">{one.kind && t(`kind.${one.kind}`)}</span>
              </button>
            </li>
          ))}
        </ul>
        {query.data && found.length === 0 && <p className="text-soft">{t('merge.none')}</p>}
      </div>
    </Dialog>
  )
}
