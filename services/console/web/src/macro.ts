import type { operations } from './api/tickets'

export type Macro = operations['list-macros']['responses'][200]['content']['application/json']['items'][number]
export type MacroAction = Macro['actions'][number]

const blank = /\{\{\s*([^{}]*?)\s*\}\}/g

/** asked gives the names of the values that a macro's words want from whoever runs it, in the order of the words. */
export function asked(actions: MacroAction[]): string[] {
  const names = actions.flatMap((action) => [...(action.words ?? '').matchAll(blank)].map((match) => match[1]!))
  return [...new Set(names.filter((name) => name.startsWith('value.')).map((name) => name.slice('value.'.length)))]
}

/** filled is how the words of a macro will read, as the service fills them in. What is not given yet stays a blank. */
export function filled(words: string, ticket: { number: string; subject: string; status: string; priority: number }, agent: string, values: Record<string, string>): string {
  const known: Record<string, string> = {
    'ticket.number': ticket.number, 'ticket.subject': ticket.subject, 'ticket.status': ticket.status, 'ticket.priority': String(ticket.priority), agent,
    ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`value.${name}`, value])),
  }
  return words.replace(blank, (whole, name: string) => known[name] || whole)
}
