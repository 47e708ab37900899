import { describe, expect, it } from 'vitest'
import { affordable, cardOf, changes, grouped, progress, sought, termsOf } from './loyalty'

describe('what is typed to find a member', () => {
  it.each([
    ['6001 2345 6789 0123', { card: '6001234567890123' }],
    ['6001-2345-6789-0123', { card: '6001234567890123' }],
    ['018F0000-0000-7000-8000-000000000000', { customer: '018f0000-0000-7000-8000-000000000000' }],
    [' Anna Li ', { words: 'Anna Li' }],
    ['+86 138 0013 8000', { words: '+86 138 0013 8000' }],
    ['x', null],
  ])('%j', (typed, want) => expect(sought(typed)).toEqual(want))

  it('a card has 16 digits', () => {
    expect(cardOf('123456789012345')).toBeNull()
    expect(grouped('6001234567890123')).toBe('6001 2345 6789 0123')
  })
})

it('progress is the part of what is needed', () => {
  expect([progress(0, 100), progress(75, 25), progress(5, 0), progress(0, 0), progress(-5, 10)]).toEqual([0, 0.75, 1, 1, 0])
})

describe('of a reward', () => {
  it('no more can be redeemed than points and stock are enough for', () => {
    expect(affordable(100, 30, undefined)).toBe(3)
    expect(affordable(100, 30, 2)).toBe(2)
    expect(affordable(20, 30, 5)).toBe(0)
    expect(affordable(-5, 30, 5)).toBe(0)
  })
  it('without a cost in force none can', () => {
    expect(affordable(100, undefined, 5)).toBe(0)
  })
})

describe('terms', () => {
  const before = { return_days: 14, earning: { rules: [{ code: 'base', points: 'amount' }] }, expiry: null }
  it('differ where they differ, by place', () => {
    const after = { return_days: 7, earning: { rules: [{ code: 'base', points: 'amount / 2' }, { code: 'more' }] }, expiry: { kind: 'never' } }
    expect(changes(before, after)).toEqual([
      { path: 'return_days', before: '14', after: '7' },
      { path: 'earning.rules[0].points', before: '"amount"', after: '"amount / 2"' },
      { path: 'earning.rules[1]', before: undefined, after: '{"code":"more"}' },
      { path: 'expiry', before: undefined, after: '{"kind":"never"}' },
    ])
  })
  it('that say the same do not differ', () => {
    expect(changes(before, structuredClone(before))).toEqual([])
    expect(changes({ a: null }, {})).toEqual([])
  })
  it('are read from JSON, or it is said why not', () => {
    expect(termsOf('{"return_days": 3}')).toEqual({ terms: { return_days: 3 } })
    expect(termsOf('[]')).toEqual({ wrong: '{…}' })
    expect(termsOf('{')).toHaveProperty('wrong')
  })
})
