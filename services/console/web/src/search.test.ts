import { expect, it } from 'vitest'
import { choice, text } from './search'

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
