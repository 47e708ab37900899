/** Problem is what a service answers when it refuses or fails: see application/problem+json. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    /** code is stable and snake_case, such as customer_not_found; empty where the answer was none of a service. */
    readonly code: string,
    /** detail is the service's own sentence, faults the fields that are wrong, each with why. */
    readonly detail: string,
    readonly faults: string[] = [],
  ) {
    super([detail, ...faults].filter(Boolean).join(' ') || `HTTP ${status}`)
    this.name = 'Problem'
  }
}

/** problemOf reads the body of an answer that is not a success. */
export function problemOf(status: number, body: unknown): Problem {
  const b = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const text = (x: unknown) => (typeof x === 'string' ? x : '')
  const errors = (Array.isArray(b.errors) ? b.errors : []).map((e: { location?: unknown; message?: unknown } | null) => {
    const where = text(e?.location).replace(/^(body|query|path|header)\./, '')
    return text(e?.message) && [where, text(e?.message)].filter(Boolean).join(': ')
  })
  return new Problem(status, text(b.code), text(b.detail) || text(b.title), errors.filter((one) => one !== ''))
}
