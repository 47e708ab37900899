import type { components } from './api/sales'

type Sum = components['schemas']['ForecastSumView']

export const categories = ['closed', 'commit', 'best_case', 'pipeline'] as const
export type Category = (typeof categories)[number]

export interface Line {
  /** key is a month, an owner, a team; empty: none was said. */
  key: string
  currency: string
  amounts: Record<Category, number>
  /** weighted is what is expected: what was won, and what is open by its stages' probabilities. */
  weighted: number
  opportunities: number
}

/** lines adds the sums of a forecast up by what it was split by. Currencies are never added up. */
export function lines(sums: Sum[], by: 'month' | 'owner' | 'team'): Line[] {
  const all = new Map<string, Line>()
  for (const sum of sums) {
    const key = sum[by] ?? ''
    const id = JSON.stringify([key, sum.currency])
    const line = all.get(id) ?? { key, currency: sum.currency, amounts: { closed: 0, commit: 0, best_case: 0, pipeline: 0 }, weighted: 0, opportunities: 0 }
    if (sum.category) line.amounts[sum.category] += sum.amount_minor
    line.weighted += sum.weighted_minor
    line.opportunities += sum.opportunities
    all.set(id, line)
  }
  // What has no month, owner or team comes last.
  return [...all.values()].sort((a, b) => Number(a.key === '') - Number(b.key === '') || a.key.localeCompare(b.key) || a.currency.localeCompare(b.currency))
}

export interface Person {
  customer_id: string
  influence?: number
  leaning?: number
}

/** map puts the people of a decision into cells by how they lean, -2 to 2, the most influential first; and those of whom it is not known. */
export function map<P extends Person>(people: P[]): { columns: P[][]; unknown: P[] } {
  const strongest = [...people].sort((a, b) => (b.influence ?? 0) - (a.influence ?? 0))
  return {
    columns: [-2, -1, 0, 1, 2].map((leaning) => strongest.filter((one) => one.leaning === leaning)),
    unknown: strongest.filter((one) => one.leaning === undefined),
  }
}
