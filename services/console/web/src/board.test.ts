import { expect, it } from 'vitest'
import { moved } from './board'

const card = { opportunity_id: 'a', amount_minor: 1001, currency: 'EUR' }
const stages = [
  { code: 'first', count: 1, probability: 10, cards: [card], sums: [{ currency: 'EUR', amount_minor: 1001, weighted_minor: 100, count: 1 }] },
  { code: 'second', count: 0, probability: 50, cards: [], sums: [] },
]

it('a moved deal takes its sums along, weighted as the new stage is', () => {
  const [first, second] = moved(stages, 'a', 'second')
  expect(first).toMatchObject({ count: 0, cards: [], sums: [] })
  expect(second).toMatchObject({ count: 1, cards: [card], sums: [{ currency: 'EUR', amount_minor: 1001, weighted_minor: 501, count: 1 }] })
  expect(stages[0]!.cards).toEqual([card])
})

it('a deal that is not there, or there already, moves nothing', () => {
  expect(moved(stages, 'b', 'second')).toBe(stages)
  expect(moved(stages, 'a', 'first')).toBe(stages)
  expect(moved(stages, 'a', 'nowhere')).toBe(stages)
})
