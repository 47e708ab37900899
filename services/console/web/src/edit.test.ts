import { expect, it } from 'vitest'
import { changed, conflicts, draftOf, merged, patchOf } from './edit'

const base = draftOf({ display_name: 'Li Lei', given_name: 'Lei', owner: 'anna', tags: ['vip', 'north'] })

it('a change sends only what was changed', () => {
  expect(changed(base, { ...base, owner: 'anna ' })).toEqual([])
  expect(patchOf(base, { ...base, owner: '', tags: 'vip， new, vip' })).toEqual({ owner: '', tags: ['vip', 'new'] })
})

it('a field that both changed to different values is a conflict', () => {
  const mine = { ...base, owner: 'me', display_name: 'Li L.' }
  const theirs = { ...base, owner: 'them', given_name: 'L.' }
  expect(conflicts(base, mine, theirs)).toEqual(['owner'])
  expect(conflicts(base, mine, { ...base, owner: 'me' })).toEqual([])
})

it('what the other changed is kept beside what I changed', () => {
  const out = merged(base, { ...base, owner: 'me' }, { ...base, given_name: 'L.', owner: 'them' })
  expect(out).toEqual({ ...base, given_name: 'L.', owner: 'me' })
})
