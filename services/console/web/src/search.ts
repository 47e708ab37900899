/** text takes a parameter of the address as text; one that is empty or no text is left out. */
export function text(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value) // an address has no types: 138 may be a name
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** choice takes a parameter that is one of few; anything else is left out, so that a mistyped address still opens the page. */
export function choice<const T extends string>(value: unknown, of: readonly T[]): T | undefined {
  return of.find((one) => one === String(value))
}
