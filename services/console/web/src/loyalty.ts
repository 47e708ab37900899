/** cardOf gives the number of a member's card out of what was typed, which may have spaces; null where it is none. */
export function cardOf(typed: string): string | null {
  const digits = typed.replace(/[\s-]/g, '')
  return /^\d{16}$/.test(digits) ? digits : null
}

/** Sought is how a member is looked for: by card, by a customer's id, or by what accounts knows the customer by. */
export type Sought = { card: string } | { customer: string } | { words: string }

export function sought(typed: string): Sought | null {
  const q = typed.trim()
  if ([...q].length < 2) return null
  const card = cardOf(q)
  if (card) return { card }
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(q) ? { customer: q.toLowerCase() } : { words: q }
}

/** grouped writes a card's number as it stands on the card. */
export function grouped(card: string): string {
  return card.replace(/(\d{4})(?=\d)/g, '$1 ')
}

/** progress is how far somebody is on the way to what is needed, from 0 to 1. */
export function progress(has: number, missing: number): number {
  const all = has + missing
  return all > 0 ? Math.min(1, Math.max(0, has / all)) : 1
}

/** affordable is how many of a reward the points are enough for, no more than there are of it. */
export function affordable(available: number, points: number | undefined, stock: number | undefined): number {
  if (points === undefined) return 0
  const many = points > 0 ? Math.floor(Math.max(0, available) / points) : (stock ?? 1)
  return Math.min(many, stock ?? many)
}

/** Change is one place in which terms differ: as JSON, undefined where it is not there. */
export interface Change {
  path: string
  before?: string
  after?: string
}

function walk(before: unknown, after: unknown, path: string, out: Change[]) {
  const known = (value: unknown) => value !== undefined && value !== null
  if (typeof before === 'object' && typeof after === 'object' && before !== null && after !== null && Array.isArray(before) === Array.isArray(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    for (const name of names)
      walk((before as Record<string, unknown>)[name], (after as Record<string, unknown>)[name], Array.isArray(before) ? `${path}[${name}]` : path ? `${path}.${name}` : name, out)
    return
  }
  const text = (value: unknown) => (known(value) ? JSON.stringify(value) : undefined)
  if (text(before) !== text(after)) out.push({ path, before: text(before), after: text(after) })
}

/** changes lists in what two sets of terms differ. What is null is as if it were not there. */
export function changes(before: unknown, after: unknown): Change[] {
  const out: Change[] = []
  walk(before, after, '', out)
  return out
}

/** termsOf reads terms that somebody wrote as JSON; where they are none it gives why, as the browser says it. */
export function termsOf<T extends object>(text: string): { terms: T } | { wrong: string } {
  try {
    const terms: unknown = JSON.parse(text)
    return typeof terms === 'object' && terms !== null && !Array.isArray(terms) ? { terms: terms as T } : { wrong: '{…}' }
  } catch (e) {
    return { wrong: e instanceof Error ? e.message : String(e) }
  }
}
