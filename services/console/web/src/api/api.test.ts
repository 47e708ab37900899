import { afterEach, describe, expect, it, vi } from 'vitest'
import { accounts, body, session, tagged } from './client'
import { touches } from './live'
import { problemOf } from './problem'

// The client is made for the page's own origin as soon as it is loaded.
vi.hoisted(() => vi.stubGlobal('location', { origin: 'http://console.test' }))

afterEach(() => vi.restoreAllMocks())

function answering(answer: () => Response): Request[] {
  const seen: Request[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation((request) => {
    seen.push(request as Request)
    return Promise.resolve(answer())
  })
  return seen
}

const json = (value: unknown, status = 200, headers = {}) => new Response(JSON.stringify(value), { status, headers: { 'Content-Type': 'application/json', ...headers } })
const id = '018f0000-0000-7000-8000-000000000000'

describe('requests', () => {
  it('carry the mark of the page when they change something, and only then', async () => {
    const seen = answering(() => json({ version: 2, customers: 1 }, 200, { ETag: '"2"' }))
    await body(accounts.GET('/v1/customers/summary'))
    const { etag } = await tagged(
      accounts.PATCH('/v1/customers/{customer_id}', { params: { path: { customer_id: id }, header: { 'If-Match': '"1"' } }, body: { owner: 'anna' } }),
    )
    expect(seen.map((r) => r.headers.get('X-Guanxi-Console'))).toEqual([null, '1'])
    expect(seen.map((r) => new URL(r.url).pathname)).toEqual(['/console/api/accounts/v1/customers/summary', `/console/api/accounts/v1/customers/${id}`])
    expect(seen[1]!.headers.get('If-Match')).toBe('"1"')
    expect(etag).toBe('"2"')
  })

  it('that are refused throw what the service said', async () => {
    answering(() => json({ code: 'version_conflict', detail: 'Somebody was faster.' }, 412))
    await expect(body(accounts.GET('/v1/customers/summary'))).rejects.toMatchObject({ status: 412, code: 'version_conflict', message: 'Somebody was faster.' })
  })

  it('without a session say so once for the whole page', async () => {
    answering(() => json({}, 401))
    const ended = vi.fn()
    session.ended = ended
    await expect(body(accounts.GET('/v1/customers/summary'))).rejects.toMatchObject({ status: 401 })
    expect(ended).toHaveBeenCalledOnce()
  })
})

describe('a problem', () => {
  it('has the words of the service, and of each field', () => {
    const problem = problemOf(422, { code: 'invalid', detail: 'This cannot be saved.', errors: [{ location: 'body.owner', message: 'is too long' }, {}] })
    expect([problem.code, problem.message]).toEqual(['invalid', 'This cannot be saved. owner: is too long'])
  })

  it('is one also where the answer came from something in between', () => {
    expect(problemOf(502, null)).toMatchObject({ status: 502, code: '', message: 'HTTP 502' })
  })
})

describe('a change', () => {
  const change = { service: 'tickets', type: 'TicketReplied', aggregate: 'ticket', id: 't', customer: 'c' }
  it('touches what its service shows, and what accounts shows of its customer', () => {
    expect(touches(['tickets', 'list'], change)).toBe(true)
    expect(touches(['accounts', 'customer', 'c', 'timeline'], change)).toBe(true)
    expect(touches(['accounts', 'customer', 'd', 'timeline'], change)).toBe(false)
    expect(touches(['sales', 'board'], change)).toBe(false)
  })

  it('of which the customer is not told may be of anybody', () => {
    expect(touches(['accounts', 'customer', 'd', 'profile'], { ...change, customer: undefined })).toBe(true)
  })
})
