import { expect, test } from 'vitest'
import { asked, cleaned, filled, tagsOf, type MacroAction } from './macro'

const ticket = { number: 'T-000123', subject: '送错了', status: 'open', priority: 2 }

test('what a macro asks for is named once, in the order of its words', () => {
  const actions: MacroAction[] = [
    { do: 'reply', words: '{{agent}}: {{value.when}}, {{ value.where }} {{ticket.number}}' },
    { do: 'tag', add: ['late'] },
    { do: 'note', words: '{{value.where}} {{value.why}}' },
  ]
  expect(asked(actions)).toEqual(['when', 'where', 'why'])
  expect(asked([{ do: 'status', status: 'pending' }])).toEqual([])
})

test.each([
  ['We are sorry about {{ticket.number}}.', {}, 'We are sorry about T-000123.'],
  ['{{ ticket.subject }} {{ticket.status}} {{ticket.priority}}, {{agent}}', {}, '送错了 open 2, lei'],
  ['By {{value.when}}', { when: 'noon' }, 'By noon'],
  ['By {{value.when}}', { when: '' }, 'By {{value.when}}'],
  ['$& {{value.when}}', { when: '$&' }, '$& $&'],
  ['{{unknown}}', {}, '{{unknown}}'],
])('%s with %o reads %s', (words, values, want) => {
  expect(filled(words, ticket, 'lei', values)).toBe(want)
})

test.each<[MacroAction, MacroAction]>([
  [{ do: 'reply', words: ' Dear ', channel: ' ', status: 'open' }, { do: 'reply', words: ' Dear ' }],
  [{ do: 'status', status: 'resolved', resolution: ' solved ' }, { do: 'status', status: 'resolved', resolution: 'solved' }],
  [{ do: 'tag', add: tagsOf('late, 迟到，,cold '), remove: tagsOf('') }, { do: 'tag', add: ['late', '迟到', 'cold'] }],
  [{ do: 'assign', agent: '', queue: ' second ' }, { do: 'assign', queue: 'second', agent: '' }],
  [{ do: 'classify', category: undefined, impact: 2, words: 'left over' }, { do: 'classify', impact: 2 }],
])('%o is sent as %o', (typed, sent) => {
  expect(cleaned(typed)).toEqual(sent)
})
