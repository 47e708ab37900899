import { useMemo } from 'react'
import { number, percent } from '../../format'
import { useI18n } from '../../i18n'
import { isKey } from '../../i18n/say'

/** usePlan gives words for the codes of a plan, and writes what it measures with its unit. What a plan of one's own has is shown as it is spelt. */
export function usePlan() {
  const { t, language } = useI18n()
  return useMemo(() => {
    const words = (area: string) => (code: string) => {
      const key = `${area}.${code}`
      return isKey(key) ? t(key) : code.replaceAll(/[-_]/g, ' ')
    }
    return {
      role: words('planRole'),
      gate: words('gateName'),
      measure: words('measure'),
      capability: words('capability'),
      /** value is a measured number: events are counted, all else are shares. */
      value: (metric: string | undefined, value: number | undefined) =>
        value === undefined ? t('rollout.notMeasured')
        : metric === 'consumer_lag' ? t('measure.events', { n: value })
        : metric && isKey(`measure.${metric}`) ? percent(language, value)
        : number(language, value),
    }
  }, [t, language])
}
