import createClient, { type Middleware } from 'openapi-fetch'
import type { paths as Accounts } from './accounts'
import type { paths as Analytics } from './analytics'
import type { paths as Loyalty } from './loyalty'
import { problemOf } from './problem'
import type { paths as Rollout } from './rollout'
import type { paths as Sales } from './sales'
import type { paths as Tickets } from './tickets'

/** ended is told when the session is no more. */
export const session = { ended: () => {} }

const edge: Middleware = {
  onRequest({ request }) {
    if (request.method === 'GET') return
    // Only the page itself can set this header: the console takes no change without it.
    request.headers.set('X-Guanxi-Console', '1')
  },
  async onResponse({ response }) {
    if (response.ok) return
    if (response.status === 401) session.ended()
    throw problemOf(response.status, await response.json().catch(() => null))
  },
}

function clientOf<Paths extends object>(service: string) {
  // fetch is looked up at each call, so that a test may put another in its place.
  const client = createClient<Paths>({ baseUrl: `${location.origin}/console/api/${service}`, fetch: (request) => fetch(request) })
  client.use(edge)
  return client
}

export const accounts = clientOf<Accounts>('accounts')
export const analytics = clientOf<Analytics>('analytics')
export const loyalty = clientOf<Loyalty>('loyalty')
export const rollout = clientOf<Rollout>('rollout')
export const sales = clientOf<Sales>('sales')
export const tickets = clientOf<Tickets>('tickets')

/** body gives what a successful answer holds. Answers that are none have thrown a Problem already. */
export async function body<T>(answer: Promise<{ data?: T; response: Response }>): Promise<T> {
  const { data, response } = await answer
  if (data === undefined) throw problemOf(response.status, null)
  return data
}

/** tagged gives the body together with the ETag that a change needs as If-Match. */
export async function tagged<T>(answer: Promise<{ data?: T; response: Response }>): Promise<{ value: T; etag: string }> {
  const { data, response } = await answer
  if (data === undefined) throw problemOf(response.status, null)
  return { value: data, etag: response.headers.get('ETag') ?? '' }
}

/** once is the key by which a change that is sent twice has one effect. */
export function once(): { 'Idempotency-Key': string } {
  return { 'Idempotency-Key': crypto.randomUUID() }
}
