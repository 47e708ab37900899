import { useCallback } from 'react'
import { Problem } from '../api/problem'
import { useI18n } from '../i18n'
import { problemText } from '../problems'

/** useProblemText gives what to tell people of an error: what a service refused, or that none could be reached. */
export function useProblemText(): (error: unknown) => string {
  const { t, language } = useI18n()
  return useCallback((error: unknown) => (error instanceof Problem ? problemText(language, error) : t('error.network')), [t, language])
}
