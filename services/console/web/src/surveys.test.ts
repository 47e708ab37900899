import { describe, expect, it } from 'vitest'
import { validated } from './models'
import { questions } from './surveys'

describe('a survey', () => {
  it('has its score explained by its scales', () => {
    expect(questions([{ code: 'score', kind: 'score' }, { code: 'speed', kind: 'scale' }, { code: 'why', kind: 'text' }])).toEqual({ outcome: 'score', drivers: ['speed'], kano: false })
  })
  it('without a score has its first scale explained by the others', () => {
    expect(questions([{ code: 'all', kind: 'scale' }, { code: 'speed', kind: 'scale' }])).toMatchObject({ outcome: 'all', drivers: ['speed'] })
  })
  it('of words alone explains nothing', () => {
    expect(questions([{ code: 'why', kind: 'text' }])).toEqual({ outcome: '', drivers: [], kano: false })
    expect(questions([{ code: 'crust', kind: 'kano' }])).toEqual({ outcome: '', drivers: [], kano: true })
  })
})

describe('how well a model foretells', () => {
  const decile = { decile: 1, rows: 50, predicted: 0.6, observed: 0.5, low: 0.4, high: 0.6, lift: 2.1 }
  it('is read from its detail', () => {
    const detail = { validation: { auc: 0.8, auc_low: 0.7, auc_high: 0.9, deciles: [decile, { decile: 2 }] } }
    expect(validated(detail)).toEqual({ auc: { value: 0.8, low: 0.7, high: 0.9 }, deciles: [decile] })
  })
  it.each([null, undefined, {}, { validation: { auc: '1' } }])('is not known of %j', (detail) => {
    expect(validated(detail)).toBeNull()
  })
})
