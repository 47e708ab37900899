/** What somebody may have typed into the search: each of it is looked for where it can be found. */
export interface Guess {
  ticket?: string
  identities: { type: 'phone' | 'email' | 'card'; value: string }[]
  name?: string
}

/** guess tells ticket numbers, email addresses, telephone and card numbers from names. */
export function guess(typed: string): Guess {
  const q = typed.trim()
  if ([...q].length < 2) return { identities: [] }
  const ticket = /^t-?0*(\d{1,9})$/i.exec(q)
  if (ticket) return { ticket: q, identities: [], name: undefined }
  if (/^[^\s@]+@[^\s@]+$/.test(q)) return { identities: [{ type: 'email', value: q }] }
  const digits = q.replace(/[\s()./-]/g, '')
  if (/^\+?\d{5,}$/.test(digits)) return { identities: [{ type: 'phone', value: q }, { type: 'card', value: q }] }
  // Cards may have letters: a name with a digit in it is rather one of those.
  if (/\d/.test(q) && !/\s/.test(q)) return { identities: [{ type: 'card', value: q }], name: q }
  return { identities: [], name: q }
}
