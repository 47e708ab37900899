import type { operations } from './api/analytics'
import type { Language } from './i18n/say'
import { warnings as zh } from './i18n/zh/warnings'
import type { Interval } from './numbers'

export type Warning = operations['list-models']['responses'][200]['content']['application/json']['items'][number]['warnings'][number]

/** warningText is what to mind about a model: in Chinese by its code, where there are words for it, else what the service says. */
export function warningText(language: Language, { code, detail, values = {} }: Warning): string {
  const words = language === 'en' || !Object.hasOwn(zh, code) ? undefined : zh[code]
  return words === undefined ? detail : words.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)
}

/** Decile is a tenth of the rows by their predicted risk, 1 the highest; observed has the 95 % interval from low to high. */
export interface Decile {
  decile: number
  rows: number
  predicted: number
  observed: number
  low: number
  high: number
  lift: number
}

/** Validated is how well a model foretells rows that it was not fitted to. */
export interface Validated {
  auc: Interval
  deciles: Decile[]
}

const numbers = ['decile', 'rows', 'predicted', 'observed', 'low', 'high', 'lift'] as const

function decile(of: unknown): of is Decile {
  return typeof of === 'object' && of !== null && numbers.every((name) => typeof (of as Record<string, unknown>)[name] === 'number')
}

/** validated reads it from a model's detail, whose shape depends on the model's kind; null where it is not there. */
export function validated(detail: unknown): Validated | null {
  const of = (detail as { validation?: Record<string, unknown> } | null)?.validation
  if (!of || typeof of.auc !== 'number' || typeof of.auc_low !== 'number' || typeof of.auc_high !== 'number') return null
  const deciles = Array.isArray(of.deciles) ? of.deciles.filter(decile) : []
  return { auc: { value: of.auc, low: of.auc_low, high: of.auc_high }, deciles }
}
