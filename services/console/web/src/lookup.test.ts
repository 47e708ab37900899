import { expect, it } from 'vitest'
import { guess } from './lookup'

it.each([
  ['a', { identities: [] }],
  ['李', { identities: [] }],
  ['李雷', { identities: [], name: '李雷' }],
  ['T-000012', { identities: [], ticket: 'T-000012' }],
  ['t12', { identities: [], ticket: 't12' }],
  ['li@example.com', { identities: [{ type: 'email', value: 'li@example.com' }] }],
  ['+86 138 0013 8000', { identities: [{ type: 'phone', value: '+86 138 0013 8000' }, { type: 'card', value: '+86 138 0013 8000' }] }],
  ['GX12345', { identities: [{ type: 'card', value: 'GX12345' }], name: 'GX12345' }],
  ['  Anna Berg ', { identities: [], name: 'Anna Berg' }],
])('%s is looked for where it can be found', (typed, want) => expect(guess(typed)).toEqual({ ...want }))
