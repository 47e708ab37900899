import { useQuery } from '@tanstack/react-query'
import { useCallback, type ReactNode } from 'react'
import { analytics, body } from '../../api/client'
import type { Colours } from '../../ui/Chart'
import type { Interval } from '../../numbers'
import { useI18n } from '../../i18n'
import { isKey } from '../../i18n/say'

/** useFacts asks what is known at all: as of when, of how many customers, in which currencies. */
export function useFacts() {
  return useQuery({ queryKey: ['analytics', 'facts'], queryFn: () => body(analytics.GET('/v1/analytics/facts/summary')) })
}

/** useCurrency is the tenant's reporting currency; empty before the first order. */
export function useCurrency() {
  return useQuery({ queryKey: ['analytics', 'settings'], queryFn: () => body(analytics.GET('/v1/analytics/settings')) })
}

/** useCode gives the words for a code of the server or of the tenant: one that the page does not know is shown as it is spelt. */
export function useCode(): (area: string, code: string) => string {
  const { t } = useI18n()
  return useCallback(
    (area, code) => {
      const key = `${area}.${code}`
      return isKey(key) ? t(key) : code.replaceAll('_', ' ')
    },
    [t],
  )
}

/** Figure is one number with its name, and what belongs to it. */
export function Figure({ label, value, note }: { label: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className="card p-4">
      <div className="text-soft">{label}</div>
      <div className="mt-1 text-2xl font-semibold tabular-nums">{value}</div>
      {note && <div className="mt-1 text-xs text-faint">{note}</div>}
    </div>
  )
}

/** axis is what all axes have: the name with its unit, in the theme's colours. */
export function axis(c: Colours, name: string, more: object = {}) {
  return {
    name,
    nameLocation: 'middle' as const,
    nameGap: 32,
    nameTextStyle: { color: c.soft },
    axisLabel: { color: c.soft, hideOverlap: true },
    axisLine: { lineStyle: { color: c.line } },
    axisTick: { lineStyle: { color: c.line } },
    splitLine: { lineStyle: { color: c.line } },
    ...more,
  }
}

/** whiskers draws intervals as lines with ends. Each datum is [place, low, high]; along: values lie on the x axis. */
export function whiskers(c: Colours, name: string, data: [place: number, low: number, high: number][], along: 'x' | 'y') {
  interface Api {
    value: (dimension: number) => number
    coord: (at: [number, number]) => [number, number]
  }
  return {
    type: 'custom' as const,
    name,
    z: 5,
    silent: true,
    tooltip: { show: false },
    encode: along === 'x' ? { x: [1, 2], y: 0 } : { x: 0, y: [1, 2] },
    data,
    renderItem: (_: unknown, item: unknown) => {
      const api = item as Api
      const end = (value: number) => api.coord(along === 'x' ? [value, api.value(0)] : [api.value(0), value])
      const [x1, y1] = end(api.value(1))
      const [x2, y2] = end(api.value(2))
      const cap = 4
      const [dx, dy] = along === 'x' ? [0, cap] : [cap, 0]
      const line = (a: number, b: number, d: number, e: number) => ({
        type: 'line' as const, shape: { x1: a, y1: b, x2: d, y2: e }, style: { stroke: c.ink, lineWidth: 1.2 },
      })
      return { type: 'group' as const, children: [line(x1, y1, x2, y2), line(x1 - dx, y1 - dy, x1 + dx, y1 + dy), line(x2 - dx, y2 - dy, x2 + dx, y2 + dy)] }
    },
  }
}

/** on is the colour of words on a cell of a heat map, whose ground goes from sunken to accent with its value. */
export function on(c: Colours, value: number, highest: number): string {
  return value > highest * 0.55 ? c.onAccent : c.ink
}

/** ends is an interval as the columns low and high of a table. */
export function ends(of: Interval | undefined): [number | null, number | null] {
  return [of?.low ?? null, of?.high ?? null]
}
