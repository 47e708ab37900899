import { expect, it } from 'vitest'
import { choice, parseSearch, stringifySearch, text } from './search'

it('a mistyped address opens the page without what is not understood', () => {
  expect(choice('archived', ['archived', 'any'])).toBe('archived')
  expect(choice('nonsense', ['archived', 'any'])).toBeUndefined()
  expect(choice(30, ['30', '365'])).toBe('30')
  expect(choice(undefined, ['archived'])).toBeUndefined()
})

it('what is typed stays text', () => {
  expect(text('138')).toBe('138')
  expect(text(138)).toBe('138')
  expect(text('')).toBeUndefined()
  expect(text({ q: 1 })).toBeUndefined()
})

it.each(['9748900223112797', '8600000103781234567', '4e5', '007', 'true', 'null', '"x"', '{"a":1}', '王芳 & co', '+8613800138000'])('%s comes back out of an address as it went in', (q) => {
  expect(text(parseSearch(stringifySearch({ q })).q)).toBe(q)
})
