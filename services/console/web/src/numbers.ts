import { number, percent } from './format'
import type { Language } from './i18n/say'

/** Interval is a value with what it may be as well, by 95 %. */
export interface Interval {
  value: number
  low: number
  high: number
}

/** How a value is written: shares as percent, scores with two places, net scores (−100 to 100) with one. */
export type Scale = 'share' | 'score' | 'net'

export function scaled(language: Language, scale: Scale, value: number): string {
  if (scale === 'share') return percent(language, value)
  const places = scale === 'score' ? 2 : 1
  return new Intl.NumberFormat(language, { minimumFractionDigits: places, maximumFractionDigits: places }).format(value)
}

/** estimate writes a value with its interval and the size of its sample, so that nobody takes few answers for many. */
export function estimate(language: Language, scale: Scale, of: Interval | undefined, n: number): string {
  const size = `n = ${number(language, n)}`
  if (!of) return size
  return `${scaled(language, scale, of.value)} (${scaled(language, scale, of.low)} – ${scaled(language, scale, of.high)}, ${size})`
}

/** Layer is a slice of a pyramid between two depths, 0 at the top and 1 at the foot. */
export interface Layer {
  from: number
  to: number
}

/**
 * pyramid cuts a triangle into layers whose areas are to each other as the sizes, the first at the top. A layer of nobody has no
 * height.
 */
export function pyramid(sizes: readonly number[]): Layer[] {
  const all = sizes.reduce((sum, size) => sum + size, 0)
  let before = 0
  return sizes.map((size) => {
    const from = all > 0 ? Math.sqrt(before / all) : 0
    before += size
    return { from, to: all > 0 ? Math.sqrt(before / all) : 0 }
  })
}

/** spread moves labels apart that would lie on each other: each keeps its place where it can, none is nearer than gap. */
export function spread(places: readonly number[], gap: number, end: number): number[] {
  const out: number[] = []
  for (const place of places) out.push(Math.max(place, (out.at(-1) ?? -Infinity) + gap))
  // What was pushed out below is pushed up again.
  for (let i = out.length - 1, limit = end; i >= 0; i--, limit = out[i + 1]! - gap) out[i] = Math.min(out[i]!, limit)
  return out
}

/** major takes an amount in the smallest unit of its currency to its usual one, as axes and files show it. */
export function major(minor: number, currency: string): number {
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  return minor / 10 ** digits
}

/** compact is a number as an axis has room for it: 12K. */
export function compact(language: Language, value: number): string {
  return new Intl.NumberFormat(language, { notation: 'compact', maximumSignificantDigits: 3 }).format(value)
}

/** nice is an upper end for an axis that begins at 0. */
export function nice(highest: number): number {
  if (!(highest > 0)) return 1
  const unit = 10 ** Math.floor(Math.log10(highest))
  return ([1, 2, 2.5, 5, 10].find((m) => m * unit >= highest) ?? 10) * unit
}
