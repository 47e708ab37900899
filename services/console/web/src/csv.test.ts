import { expect, it } from 'vitest'
import { csv } from './csv'

it('a table is written so that any program reads the same cells', () => {
  const text = csv(['name', 'share, %'], [['Anna "A." Li', 12.5], ['two\nlines', null], ['', 0]])
  expect(text).toBe('name,"share, %"\r\n"Anna ""A."" Li",12.5\r\n"two\nlines",\r\n,0\r\n')
})

it.each(['=1+1', '+49', '-x', '@sum', '\tx'])('%j is never a formula', (cell) => {
  expect(csv(['a'], [[cell]]).split('\r\n')[1]).toBe(`'${cell}`)
})

it('numbers below zero stay numbers', () => {
  expect(csv(['a'], [[-1.5]])).toBe('a\r\n-1.5\r\n')
})
