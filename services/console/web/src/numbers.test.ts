import { describe, expect, it } from 'vitest'
import { compact, estimate, major, nice, pyramid, spread } from './numbers'

describe('an estimate', () => {
  it('has its interval and the size of its sample', () => {
    expect(estimate('en', 'share', { value: 0.4, low: 0.305, high: 0.503 }, 90)).toBe('40% (30.5% – 50.3%, n = 90)')
    expect(estimate('en', 'net', { value: -12, low: -30.04, high: 6 }, 1200)).toBe('-12.0 (-30.0 – 6.0, n = 1,200)')
    expect(estimate('en', 'score', { value: 4.2, low: 4, high: 4.4 }, 3)).toBe('4.20 (4.00 – 4.40, n = 3)')
  })
  it('of too few to tell is the size of the sample alone', () => {
    expect(estimate('en', 'share', undefined, 1)).toBe('n = 1')
  })
})

describe('a pyramid', () => {
  it('has layers whose areas are as the sizes', () => {
    const layers = pyramid([1, 4, 15, 80])
    const areas = layers.map(({ from, to }) => (to ** 2 - from ** 2) * 100)
    for (const [i, size] of [1, 4, 15, 80].entries()) expect(areas[i]).toBeCloseTo(size)
    expect(layers[0]!.from).toBe(0)
    expect(layers[3]!.to).toBe(1)
  })
  it('of nobody has no layers that can be seen', () => {
    expect(pyramid([0, 0])).toEqual([{ from: 0, to: 0 }, { from: 0, to: 0 }])
  })
})

describe('labels', () => {
  it('that lie on each other are moved apart, within the room there is', () => {
    expect(spread([5, 10, 90], 20, 100)).toEqual([5, 25, 90])
    expect(spread([90, 95, 99], 20, 100)).toEqual([60, 80, 100])
  })
})

it('numbers on an axis are short, and still apart from each other', () => {
  expect([12_345, 0.05, 0.25, 0].map((v) => compact('en', v))).toEqual(['12.3K', '0.05', '0.25', '0'])
})

it('amounts have the places of their currency', () => {
  expect([major(12345, 'USD'), major(12345, 'JPY')]).toEqual([123.45, 12345])
})

it('an axis ends at a round number at or above the highest value', () => {
  expect([0, 0.07, 1, 23, 26, 5001].map(nice)).toEqual([1, 0.1, 1, 25, 50, 10000])
})
