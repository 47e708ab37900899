import { parseSearchWith, stringifySearchWith } from '@tanstack/react-router'

/** What stands behind the question mark is text and nothing else: taken for a number, a long card loses its last digits. */
export const parseSearch = parseSearchWith((value) => value)
export const stringifySearch = stringifySearchWith(String)

/** text takes a parameter of the address as text; one that is empty or no text is left out. */
export function text(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value) // 138 and true may be names
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** choice takes a parameter that is one of few; anything else is left out, so that a mistyped address still opens the page. */
export function choice<const T extends string>(value: unknown, of: readonly T[]): T | undefined {
  return of.find((one) => one === String(value))
}
