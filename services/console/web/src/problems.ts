import { Problem } from './api/problem'
import type { Language } from './i18n/say'
import { problems as zh } from './i18n/zh/problems'

/**
 * problemText is what a refusal says to the reader: in Chinese by its code, where there are words for it, with the fields that are
 * wrong; else what the service said.
 */
export function problemText(language: Language, problem: Problem): string {
  const words = language === 'en' || !Object.hasOwn(zh, problem.code) ? undefined : zh[problem.code]
  if (words === undefined) return problem.message
  return [words.replace('{detail}', () => problem.detail), ...problem.faults].join(' ')
}
