/** traceOf is where a trace is shown; null where nobody said where that is, or nothing was recorded. */
export function traceOf(base: string | undefined, trace: string | undefined): string | null {
  if (!base || !trace || !/^https?:\/\//.test(base) || !base.includes('{trace_id}')) return null
  return base.replaceAll('{trace_id}', encodeURIComponent(trace))
}
