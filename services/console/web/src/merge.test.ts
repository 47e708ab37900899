import { describe, expect, it } from 'vitest'
import { rows, undoable, valueOf, type Customer } from './merge'

const customer = (id: string, more: Partial<Customer>): Customer => ({
  customer_id: id, addresses: [], identities: [], custom_fields: {}, display_name: '', registered_at: '', changed_at: '', state: 'active', tags: [], version: 1, withheld: [], ...more,
})
const a = customer('a', { display_name: '李小雷', tags: ['vip'], custom_fields: { size: 42 } })
const b = customer('b', { display_name: '李雷', family_name: '李', tags: ['web'], custom_fields: { size: 43 } })

describe('a merge that is only shown', () => {
  const all = rows(
    [
      { field: 'display_name', value: '李雷', from: 'b', rule: 'most_recent' },
      { field: 'family_name', value: '李', from: 'b', rule: 'only_value' },
      { field: 'tags', value: 'vip,web', rule: 'both' },
      { field: 'custom.size', value: '42', from: 'a', rule: 'by_hand' },
    ],
    a,
    b,
  )
  it('stands beside what both have', () => {
    expect(all.map((row) => [row.a, row.b, row.value, row.from])).toEqual([
      ['李小雷', '李雷', '李雷', 'b'],
      ['', '李', '李', 'b'],
      ['vip', 'web', 'vip, web', 'both'],
      ['42', '43', '42', 'a'],
    ])
  })
  it('lets choose where both have something else', () => {
    expect(all.map((row) => row.free)).toEqual([true, false, false, true])
  })
  it('takes an older name of a customer for that customer', () => {
    expect(rows([{ field: 'display_name', value: 'x', from: 'c', rule: 'oldest' }], a, { ...b, aliases: ['c'] })[0]!.from).toBe('b')
  })
})

it('what is not there is empty text', () => {
  expect(valueOf(a, 'owner')).toBe('')
  expect(valueOf(a, 'custom.nothing')).toBe('')
})

it('a merge is taken back as long as it may be, and once', () => {
  const merge = { merge_id: 'm', undo_until: '2026-04-01T00:00:00Z' }
  expect(undoable(merge, new Date('2026-03-01T00:00:00Z'))).toBe(true)
  expect(undoable(merge, new Date('2026-05-01T00:00:00Z'))).toBe(false)
  expect(undoable({ ...merge, undone_at: '2026-02-01T00:00:00Z' }, new Date('2026-03-01T00:00:00Z'))).toBe(false)
})
