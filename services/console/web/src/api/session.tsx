import { useQuery } from '@tanstack/react-query'
import { createContext, use, type ReactNode } from 'react'
import { problemOf } from './problem'

export interface Session {
  subject: string
  name: string
  tenant: string
  roles: string[]
  permissions: string[]
  /** workflows_url is where Temporal's own page shows workflows, traces_url where a trace is, with {trace_id}; empty: nowhere. */
  workflows_url?: string
  traces_url?: string
}

async function load(): Promise<Session | null> {
  const response = await fetch('/console/session')
  if (response.status === 401) return null
  if (!response.ok) throw problemOf(response.status, await response.json().catch(() => null))
  return (await response.json()) as Session
}

/** useSessionQuery asks who is signed in; null: nobody. */
export function useSessionQuery() {
  return useQuery({ queryKey: ['session'], queryFn: load, staleTime: 60_000 })
}

const Context = createContext<Session | null>(null)

export function SessionProvider({ session, children }: { session: Session; children: ReactNode }) {
  return <Context value={session}>{children}</Context>
}

export function useSession(): Session & { can: (permission: string) => boolean } {
  const session = use(Context)
  if (!session) throw new Error('useSession needs somebody who is signed in')
  return { ...session, can: (permission) => session.permissions.includes(permission) }
}

export function signInAgain() {
  location.assign('/console/sign-in?to=' + encodeURIComponent(location.pathname + location.search))
}

export async function signOut() {
  const response = await fetch('/console/sign-out', { method: 'POST', headers: { 'X-Guanxi-Console': '1' } })
  const { then = '' } = response.ok ? ((await response.json()) as { then?: string }) : {}
  // Only a page of the web may follow: what the answer names is not run.
  location.assign(/^https?:\/\//.test(then) ? then : '/console/')
}
