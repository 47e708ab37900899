import { expect, test } from 'vitest'
import { asks, at, barred, codePattern, decided, decisionOf, usual, type Decided, type Next } from './rollout'

const one = (part: Partial<Decided>): Decided => ({ decision: 'complete', needs_reason: false, permission: 'rollouts.work', roles: [], allowed: true, ...part })

const next = [
  one({ decision: 'approve', phase: 'aims', gate: 'sponsor' }),
  one({ decision: 'refuse', phase: 'aims', gate: 'sponsor' }),
  one({ phase: 'aims', task: 'sponsor' }),
  one({ decision: 'skip_phase', phase: 'aims', needs_reason: true }),
  one({ phase: 'pilot', task: 'sponsor' }),
  one({ decision: 'close_risk', risk: 'sponsor' }),
  one({ decision: 'pause', needs_reason: true }),
]

test.each([
  ['a gate', { phase: 'aims', gate: 'sponsor' }, ['approve', 'refuse']],
  ['a task of the same code', { phase: 'aims', task: 'sponsor' }, ['complete']],
  ['a phase, without what is in it', { phase: 'aims' }, ['skip_phase']],
  ['a risk', { risk: 'sponsor' }, ['close_risk']],
  ['the rollout, without all that is in it', {}, ['pause']],
  ['what nothing can be decided of', { phase: 'golive' }, []],
])('decisions of %s', (_, place, want) => {
  expect(at(next, place).map((n) => n.decision)).toEqual(want)
})

test('somebody else is named where the plan wants one, not where a permission is missing or something else can be decided', () => {
  const other = one({ allowed: false, why_not: 'gate_role_missing', roles: ['sponsor'] })
  expect(barred([other])).toBe(other)
  expect(barred([other, one({})])).toBeUndefined()
  expect(barred([one({ allowed: false, why_not: 'permission_missing' })])).toBeUndefined()
  expect(barred([])).toBeUndefined()
})

test('to start a draft is offered, and no decision like the others', () => {
  const start: Next = { decision: 'start', needs_reason: false, permission: 'rollouts.manage', roles: [], allowed: true }
  expect(at([start], {})).toEqual([start])
  expect([decided(start), next.every(decided)]).toEqual([false, true])
})

test('what is sent names the thing, and nothing of who may', () => {
  expect(decisionOf(next[0]!)).toEqual({ action: 'approve', phase: 'aims', gate: 'sponsor', task: undefined, risk: undefined })
  expect(next.map(asks)).toEqual([false, true, false, true, false, true, true])
})

test('a reason is a code', () => {
  const code = new RegExp(`^(?:${codePattern})$`, 'v')
  expect(usual.every((reason) => code.test(reason))).toBe(true)
  expect(['Holidays', 'it is late', '', '假期', 'x'.repeat(65)].some((reason) => code.test(reason))).toBe(false)
})
