import type { components } from './api/accounts'

export type Customer = components['schemas']['CustomerView']
type Decision = components['schemas']['MergeDecisionView']

export interface Row {
  field: string
  /** a and b are what either customer has, as text; empty: nothing. */
  a: string
  b: string
  /** value is what the merged record will have, of whichever of the two, or of both. */
  value: string
  rule: Decision['rule']
  from: 'a' | 'b' | 'both'
  withheld: boolean
  /** free says whether somebody may choose: both have something, and not the same. */
  free: boolean
}

/** valueOf gives a field of a customer as text, as a merge names it: a custom field is custom.<name>. */
export function valueOf(customer: Customer, field: string): string {
  const value = field.startsWith('custom.') ? customer.custom_fields[field.slice('custom.'.length)] : (customer as unknown as Record<string, unknown>)[field]
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** rows puts a dry run beside what either customer has: a is who stays, b who becomes another name of them. */
export function rows(decisions: Decision[], a: Customer, b: Customer): Row[] {
  return decisions.map((one) => {
    const mine = valueOf(a, one.field)
    const theirs = valueOf(b, one.field)
    return {
      field: one.field,
      a: mine,
      b: theirs,
      value: one.field.startsWith('custom.') ? plain(one.value) : one.field === 'tags' ? one.value.split(',').join(', ') : one.value,
      rule: one.rule,
      from: one.rule === 'both' || !one.from ? 'both' : one.from === b.customer_id || b.aliases?.includes(one.from) ? 'b' : 'a',
      withheld: one.withheld ?? false,
      free: one.rule !== 'both' && mine !== '' && theirs !== '' && mine !== theirs,
    }
  })
}

/** plain shows the JSON of a custom field as people write it. */
function plain(json: string): string {
  try {
    const value: unknown = JSON.parse(json)
    return Array.isArray(value) ? value.join(', ') : typeof value === 'object' ? json : String(value)
  } catch {
    return json
  }
}

/** undoable says whether a merge can still be taken back at a moment. */
export function undoable(merge: { merge_id?: string; undone_at?: string; undo_until?: string }, now: Date): boolean {
  return merge.merge_id !== undefined && merge.undone_at === undefined && merge.undo_until !== undefined && new Date(merge.undo_until) > now
}
