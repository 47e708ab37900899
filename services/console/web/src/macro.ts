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

export type Do = MacroAction['do']

/** dos are what an action can do, each with the fields that it takes. */
export const dos = {
  reply: ['words', 'channel'], note: ['words'], status: ['status', 'resolution'], tag: ['add', 'remove'], assign: ['queue', 'agent'],
  classify: ['category', 'impact', 'urgency'],
} as const satisfies Record<Do, readonly (keyof MacroAction)[]>

/** tagsOf reads tags from a line, as they are typed: what is empty is dropped by cleaned. */
export function tagsOf(line: string): string[] {
  return line.split(/[,，、]/)
}

/** cleaned is an action as it is sent: only the fields that it takes, without what was left empty. For queue, agent and category empty says none. */
export function cleaned(action: MacroAction): MacroAction {
  const kept: Record<string, unknown> = { do: action.do }
  for (const field of dos[action.do]) {
    const value = action[field]
    if (Array.isArray(value)) {
      const tags = value.map((tag) => tag.trim()).filter(Boolean)
      if (tags.length > 0) kept[field] = tags
    } else if (typeof value === 'string') {
      const none = field === 'queue' || field === 'agent' || field === 'category'
      const text = field === 'words' ? value : value.trim()
      if (text !== '' || none) kept[field] = text
    } else if (value) kept[field] = value
  }
  return kept as unknown as MacroAction
}
