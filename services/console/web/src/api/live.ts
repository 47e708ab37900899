import { useQueryClient, type QueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'

/** Change is what the server tells of an event: what it is about, never its content. */
export interface Change {
  service: string
  type: string
  aggregate: string
  id: string
  customer?: string
}

/**
 * touches says whether what was asked by a query may be different after a change. Keys of queries begin with the service and end
 * with what was asked for; what accounts shows of a customer comes from all services.
 */
export function touches(key: readonly unknown[], change: Change): boolean {
  if (key[0] === change.service) return true
  return key[0] === 'accounts' && key[1] === 'customer' && (!change.customer || key[2] === change.customer)
}

function refresh(client: QueryClient, changes: Change[]) {
  void client.invalidateQueries({ predicate: (query) => changes.some((change) => touches(query.queryKey, change)) })
}

/** useLive keeps what is shown fresh by server-sent events; it gives whether the line stands. */
export function useLive(): boolean {
  const client = useQueryClient()
  const [on, setOn] = useState(false)
  useEffect(() => {
    const source = new EventSource('/console/live')
    let later: ReturnType<typeof setTimeout> | undefined
    source.addEventListener('ready', (e: MessageEvent<string>) => {
      setOn(true)
      if (!(JSON.parse(e.data) as { complete: boolean }).complete) void client.invalidateQueries()
    })
    source.addEventListener('missed', () => void client.invalidateQueries())
    source.addEventListener('changed', (e: MessageEvent<string>) => {
      const changes = JSON.parse(e.data) as Change[]
      refresh(client, changes)
      // Timeline and facts of a customer follow the events of other services a moment later.
      clearTimeout(later)
      later = setTimeout(() => refresh(client, changes.filter((c) => c.service !== 'accounts')), 2000)
    })
    source.onerror = () => setOn(false)
    return () => {
      clearTimeout(later)
      source.close()
    }
  }, [client])
  return on
}
