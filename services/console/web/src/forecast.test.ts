import { expect, it } from 'vitest'
import { lines, map } from './forecast'

it('a forecast is added up by category, and currencies never', () => {
  const sum = { opportunities: 1, weighted_minor: 50, currency: 'EUR' }
  const all = lines(
    [
      { ...sum, amount_minor: 7 },
      { ...sum, month: '2026-12', category: 'commit', amount_minor: 100 },
      { ...sum, month: '2026-11', category: 'closed', amount_minor: 200 },
      { ...sum, month: '2026-11', category: 'closed', amount_minor: 300, currency: 'CNY' },
      { ...sum, month: '2026-11', category: 'pipeline', amount_minor: 400 },
    ],
    'month',
  )
  expect(all.map((line) => [line.key, line.currency, line.amounts.closed, line.amounts.pipeline, line.weighted])).toEqual([
    ['2026-11', 'CNY', 300, 0, 50],
    ['2026-11', 'EUR', 200, 400, 100],
    ['2026-12', 'EUR', 0, 0, 50],
    ['', 'EUR', 0, 0, 50],
  ])
})

it('people stand by how they lean, the most influential first', () => {
  const { columns, unknown } = map([
    { customer_id: 'a', influence: 2, leaning: 2 },
    { customer_id: 'b', influence: 5, leaning: 2 },
    { customer_id: 'c', leaning: -2 },
    { customer_id: 'd', influence: 4 },
  ])
  expect(columns.map((column) => column.map((one) => one.customer_id))).toEqual([['c'], [], [], [], ['b', 'a']])
  expect(unknown.map((one) => one.customer_id)).toEqual(['d'])
})
