import { getRouteApi } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { number, time } from '../format'
import { useI18n } from '../i18n'
import { Skeleton } from '../ui/parts'
import { Tabs } from '../ui/Tabs'
import { useFacts } from './analytics/parts'

const route = getRouteApi('/analytics')

// What one view needs is not loaded for the others.
const views = {
  value: lazy(() => import('./analytics/Value').then((m) => ({ default: m.Value }))),
  rfm: lazy(() => import('./analytics/Rfm').then((m) => ({ default: m.Rfm }))),
  cohorts: lazy(() => import('./analytics/Cohorts').then((m) => ({ default: m.Cohorts }))),
  funnel: lazy(() => import('./analytics/Funnel').then((m) => ({ default: m.Funnel }))),
  churn: lazy(() => import('./analytics/Churn').then((m) => ({ default: m.Churn }))),
  satisfaction: lazy(() => import('./analytics/Satisfaction').then((m) => ({ default: m.Satisfaction }))),
  segments: lazy(() => import('./analytics/Segments').then((m) => ({ default: m.Segments }))),
}

const names = Object.keys(views) as (keyof typeof views)[]

export function Analytics() {
  const { t, language } = useI18n()
  const { view = 'value' } = route.useSearch()
  const facts = useFacts()
  const View = views[view]
  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-4 p-4 md:p-6">
      <header className="flex flex-wrap items-baseline gap-x-4 gap-y-1">
        <h1 className="text-xl font-semibold">{t('analytics.title')}</h1>
        {facts.data && (
          <span className="text-soft">
            {t('analytics.known', { n: facts.data.customers, orders: number(language, (facts.data.revenue ?? []).reduce((sum, r) => sum + r.orders, 0)) })}{' '}
            {facts.data.as_of ? t('state.asOf', { at: time(language, facts.data.as_of) }) : t('plot.noFacts')}
          </span>
        )}
      </header>
      <Tabs
        label={t('analytics.views')}
        to="/analytics"
        current={view}
        tabs={names.map((name) => ({ name, words: t(`analytics.${name}`), search: name === 'value' ? {} : { view: name } }))}
      />
      <Suspense fallback={<Skeleton lines={10} className="p-4" />}>
        <View />
      </Suspense>
    </div>
  )
}
