import { beforeEach, expect, test, vi } from 'vitest'
import { forget, keyOf, read, save, viewOf } from './views'

const kept = new Map<string, string>()
beforeEach(() => {
  kept.clear()
  vi.stubGlobal('localStorage', { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) })
})

const lei = keyOf('pizza', 'lei')

test('a view is kept by its name, each person has their own, and one of the same name is replaced', () => {
  save(lei, viewOf('Mine', '/tickets', { view: 'mine', kind: undefined })!)
  save(lei, viewOf('All deals', '/pipeline', {})!)
  save(lei, viewOf('Mine', '/tickets', { view: 'mine', kind: 'complaint' })!)
  expect(read(lei)).toEqual([
    { name: 'All deals', path: '/pipeline', search: {} },
    { name: 'Mine', path: '/tickets', search: { view: 'mine', kind: 'complaint' } },
  ])
  expect(read(keyOf('pizza', 'mei'))).toEqual([])
  expect(read(keyOf('music', 'lei'))).toEqual([])
  forget(lei, 'Mine')
  expect(read(lei).map((one) => one.name)).toEqual(['All deals'])
})

test('what was looked for is not kept, nor the page of one thing', () => {
  expect(viewOf('x', '/customers', { q: '李雷', kind: 'person' })).toEqual({ name: 'x', path: '/customers', search: { kind: 'person' } })
  expect(viewOf('x', '/tickets', { ticket: 'T-1', view: 'all' })).toEqual({ name: 'x', path: '/tickets', search: { view: 'all' } })
  for (const path of ['/customers/0190', '/', '//evil.example', 'https://evil.example']) expect(viewOf('x', path, {}), path).toBeNull()
  expect(viewOf('  ', '/tickets', {})).toBeNull()
})

test.each(['no json', '{}', '[null, 1, {"name": "x"}, {"name": "x", "path": "//evil.example", "search": {}}]'])('what is no view is passed over: %s', (text) => {
  kept.set(lei, text)
  expect(read(lei)).toEqual([])
})
