import { accounts, analytics, body, loyalty, once, rollout, sales, tickets } from './api/client'
import type { operations } from './api/accounts'

type Answer<Name extends keyof operations> = operations[Name]['responses'] extends { 200: { content: { 'application/json': infer T } } } ? T : never

export type Status = Answer<'get-accounts-status'>
export type Parked = Answer<'accounts-ops-parked-list'>['parked'][number]
export type Subscription = Answer<'accounts-ops-subscriptions'>['subscriptions'][number]
export type ParkedEvent = Answer<'accounts-ops-parked-show'>

// Every service answers for itself in the same way; the types are those of accounts.
const clients = { accounts, sales, loyalty, tickets, analytics, rollout } as unknown as Record<Service, typeof accounts>

export const services = ['accounts', 'sales', 'loyalty', 'tickets', 'analytics', 'rollout'] as const
export type Service = (typeof services)[number]

export function statusOf(service: Service): Promise<Status> {
  return body(clients[service].GET(`/v1/ops/${service}/status` as '/v1/ops/accounts/status'))
}

/** subscriptions gives who reads the platform's events from outside: those of the tenant, or all to a platform administrator. */
export async function subscriptions(): Promise<Subscription[]> {
  return (await body(accounts.GET('/v1/ops/accounts/subscriptions'))).subscriptions
}

export function parkedOf(service: Service, cursor?: string) {
  return body(clients[service].GET(`/v1/ops/${service}/parked` as '/v1/ops/accounts/parked', { params: { query: { limit: 50, cursor } } }))
}

export function parkedEvent(service: Service, id: string): Promise<ParkedEvent> {
  return body(clients[service].GET(`/v1/ops/${service}/parked/{id}` as '/v1/ops/accounts/parked/{id}', { params: { path: { id } } }))
}

/** release tries a parked event again. */
export async function release(service: Service, id: string): Promise<void> {
  await clients[service].POST(`/v1/ops/${service}/parked/{id}/release` as '/v1/ops/accounts/parked/{id}/release', { params: { path: { id }, header: once() } })
}

/** discard drops a parked event for good; the reason is kept. */
export async function discard(service: Service, id: string, reason: string): Promise<void> {
  await clients[service].POST(`/v1/ops/${service}/parked/{id}/discard` as '/v1/ops/accounts/parked/{id}/discard', {
    params: { path: { id }, header: once() },
    body: { reason },
  })
}

/** worst says how a service is: broken where something that it stands on does not answer, busy where work waits. */
export function worst(status: Status): 'broken' | 'parked' | 'busy' | 'well' {
  if ([status.database, status.kafka, status.temporal].some((one) => one !== 'ok' && one !== 'off' && one !== '')) return 'broken'
  if (status.outbox_parked > 0 || (status.consumers ?? []).some((one) => one.parked > 0)) return 'parked'
  if (status.outbox_backlog > 0 || (status.consumers ?? []).some((one) => one.lag > 0)) return 'busy'
  return 'well'
}

/** readable lays out JSON in lines; what is none stays as it is. */
export function readable(payload: string): string {
  try {
    return JSON.stringify(JSON.parse(payload), null, 2)
  } catch {
    return payload
  }
}
