import { expect, test } from 'vitest'
import { traceOf } from './trace'

const id = '0af7651916cd43dd8448eb211c80319c'

test.each([
  ['https://traces.example.com/trace/{trace_id}', id, `https://traces.example.com/trace/${id}`],
  ['http://127.0.0.1:9/traces/{trace_id}?from={trace_id}', id, `http://127.0.0.1:9/traces/${id}?from=${id}`],
  ['https://traces.example.com/trace/{trace_id}', undefined, null],
  ['https://traces.example.com/trace/{trace_id}', '', null],
  ['https://traces.example.com/', id, null],
  ['javascript:alert("{trace_id}")', id, null],
  ['', id, null],
  [undefined, id, null],
  ['https://traces.example.com/{trace_id}', '../x?y', 'https://traces.example.com/..%2Fx%3Fy'],
])('the trace %s of %s is at %s', (base, trace, want) => {
  expect(traceOf(base, trace)).toBe(want)
})
