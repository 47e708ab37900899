import { expect, test, vi } from 'vitest'
import { readable, worst, type Status } from './operations'

// The clients are made for the page's own origin as soon as they are loaded.
vi.hoisted(() => vi.stubGlobal('location', { origin: 'http://console.test' }))

const well: Status = {
  service: 'sales', version: '1', database: 'ok', kafka: 'ok', temporal: 'ok', outbox_backlog: 0, outbox_oldest_seconds: 0, outbox_parked: 0,
  processes_waiting: 0, waiting: [], consumers: [{ name: 'orders', lag: 0, parked: 0 }],
}

test.each([
  ['well', {}],
  ['busy', { outbox_backlog: 3 }],
  ['busy', { consumers: [{ name: 'orders', lag: 1, parked: 0 }] }],
  ['parked', { outbox_backlog: 3, outbox_parked: 1 }],
  ['parked', { consumers: [{ name: 'orders', lag: 9, parked: 1 }] }],
  ['broken', { kafka: 'unreachable', outbox_parked: 1 }],
] as const)('a service is %s: %o', (is, part) => {
  expect(worst({ ...well, ...part } as Status)).toBe(is)
})

test('what is no JSON is shown as it is', () => {
  expect(readable('{"a":1}')).toBe('{\n  "a": 1\n}')
  expect(readable('<script>')).toBe('<script>')
})
