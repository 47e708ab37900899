import { describe, expect, it } from 'vitest'
import { date, details, money, span } from './format'

describe('money', () => {
  it('knows how many digits a currency has', () => {
    expect(money('en', 123456, 'USD')).toBe('$1,234.56')
    expect(money('en', 1234, 'JPY')).toBe('¥1,234')
    expect(money('zh-CN', 5000, 'CNY')).toBe('¥50')
  })

  it('leaves cents away where they say nothing', () => {
    expect(money('en', 250_000_049, 'USD')).toBe('$2,500,000')
    expect(money('en', -1_000_000, 'USD')).toBe('-$10,000')
  })
})

describe('span', () => {
  const minute = 60_000
  it.each([
    [0, '0 sec'],
    [59_999, '59 sec'],
    [minute, '1 min'],
    [90 * minute, '1 hr 30 min'],
    [-90 * minute, '1 hr 30 min'],
    [24 * 60 * minute, '1 day'],
    [(3 * 24 * 60 + 61) * minute, '3 days 1 hr'],
  ])('of %i ms is %s', (ms, words) => expect(span('en', ms)).toBe(words))
})

describe('date', () => {
  it('of a day without time is that day in every time zone', () => {
    expect(date('en', '2026-03-01')).toBe('Mar 1, 2026')
  })
})

describe('details of an event', () => {
  it('are shown as people read them', () => {
    const said = { amount_minor: 1_800_050, currency: 'CNY', stage: 'proposal', points: 1200, opportunity_id: 'x', customer_created: true, note: '' }
    expect(details('en', said)).toEqual([['amount', '¥18,001'], ['stage', 'proposal'], ['points', '1,200']])
  })

  it('begin with the number, and show what is measured with its unit', () => {
    expect(details('en', { channel: 'phone', number: 'T-1' })).toEqual([['number', 'T-1'], ['channel', 'phone']])
    expect(details('en', { score: 'predicted_value', unit: 'USD', value: 27 })).toEqual([['score', 'predicted_value'], ['value', '27 USD']])
    expect(details('en', { score: 'rfm', unit: 'rfm', value: 555 })).toEqual([['score', 'rfm'], ['value', '555']])
    expect(details('en', { unit: 'kitchen' })).toEqual([['unit', 'kitchen']])
  })

  it('leave out an amount whose currency nobody says', () => {
    expect(details('en', { amount_minor: 5 })).toEqual([])
  })
})
