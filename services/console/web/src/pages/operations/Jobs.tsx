import { useQueries, useQueryClient } from '@tanstack/react-query'
import { accounts, analytics, body, once, sales } from '../../api/client'
import { useSession } from '../../api/session'
import { number, percent, time } from '../../format'
import { useI18n } from '../../i18n'
import { Badge, Button, Empty, Failed, Skeleton } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { fresh } from '../Operations'

interface Job {
  id: string
  kind: 'customers' | 'leads' | 'orders' | 'exports' | 'model'
  name?: string
  state: 'accepted' | 'queued' | 'running' | 'finished' | 'done' | 'cancelled' | 'failed' | 'expired' | 'withdrawn'
  at: string
  /** progress is the share that is done, from 0 to 1; where it is not known it is left out. */
  progress?: number
  rows?: number
  rejected?: number
  failure?: string
  dryRun?: boolean
  /** rejections is where the rows that were not taken can be had. */
  rejections?: string
  cancel?: () => Promise<unknown>
}

const limit = 20

function useSources() {
  const { can } = useSession()
  const customers = async (): Promise<Job[]> =>
    ((await body(accounts.GET('/v1/customers/imports', { params: { query: { limit } } }))).items ?? []).map((one) => ({
      ...one, kind: 'customers', at: one.created_at, dryRun: one.dry_run, rejections: `/console/api/accounts/v1/customers/imports/${one.id}/rejections.csv`,
      cancel: () => accounts.POST('/v1/customers/imports/{id}/cancel', { params: { path: { id: one.id }, header: once() } }),
    }))
  const leads = async (): Promise<Job[]> =>
    ((await body(sales.GET('/v1/leads/imports', { params: { query: { limit } } }))).items ?? []).map((one) => ({
      ...one, kind: 'leads', at: one.created_at, dryRun: one.dry_run, rejections: `/console/api/sales/v1/leads/imports/${one.id}/rejections.csv`,
      cancel: () => sales.POST('/v1/leads/imports/{id}/cancel', { params: { path: { id: one.id }, header: once() } }),
    }))
  const orders = async (): Promise<Job[]> =>
    ((await body(sales.GET('/v1/orders/imports', { params: { query: { limit } } }))).items ?? []).map((one) => ({
      ...one, kind: 'orders', at: one.created_at, dryRun: one.dry_run, rejections: `/console/api/sales/v1/orders/imports/${one.id}/rejections.csv`,
      cancel: () => sales.POST('/v1/orders/imports/{id}/cancel', { params: { path: { id: one.id }, header: once() } }),
    }))
  const exports = async (): Promise<Job[]> =>
    ((await body(accounts.GET('/v1/customers/exports', { params: { query: { limit } } }))).items ?? []).map((one) => ({
      ...one, kind: 'exports', at: one.created_at,
      cancel: () => accounts.POST('/v1/customers/exports/{id}/cancel', { params: { path: { id: one.id }, header: once() } }),
    }))
  const models = async (): Promise<Job[]> =>
    ((await body(analytics.GET('/v1/models/jobs', { params: { query: { limit } } }))).items ?? []).map((one) => ({
      id: one.id, kind: 'model', name: one.kind, state: one.state, at: one.asked_at, failure: one.reason, progress: one.state === 'done' ? 1 : undefined,
    }))
  return [
    { key: ['accounts', 'imports'], ask: customers, allowed: can('customers.import') },
    { key: ['sales', 'imports', 'leads'], ask: leads, allowed: can('sales.import') },
    { key: ['sales', 'imports', 'orders'], ask: orders, allowed: can('orders.import') },
    { key: ['accounts', 'exports'], ask: exports, allowed: can('customers.export') },
    { key: ['analytics', 'jobs'], ask: models, allowed: can('analytics.read') },
  ].filter((one) => one.allowed)
}

/** Jobs are what takes longer than a request, the latest first. */
export function Jobs() {
  const { t } = useI18n()
  const queries = useQueries({ queries: useSources().map(({ key, ask }) => ({ queryKey: [...key, 'jobs'], queryFn: ask, refetchInterval: fresh })) })
  const failed = queries.find((query) => query.error && !query.data)
  const rows = queries.flatMap((query) => query.data ?? []).sort((a, b) => b.at.localeCompare(a.at))
  return (
    <section className="card" aria-label={t('ops.jobs')}>
      {failed && <Failed error={failed.error} retry={() => void failed.refetch()} />}
      {rows.length > 0 && (
        <ul className="divide-y divide-line">
          {rows.map((job) => (
            <Line key={job.id} job={job} />
          ))}
        </ul>
      )}
      {rows.length === 0 && (queries.some((query) => query.isPending) ? <Skeleton lines={6} className="p-4" /> : !failed && <Empty title={t('ops.noJobs')} />)}
    </section>
  )
}

const tone = { accepted: 'accent', queued: 'accent', running: 'accent', finished: 'good', done: 'good', cancelled: 'plain', failed: 'bad', expired: 'plain', withdrawn: 'plain' } as const

function Line({ job }: { job: Job }) {
  const { t, language } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const runs = job.state === 'accepted' || job.state === 'queued' || job.state === 'running'
  const title = job.kind === 'model' ? t('job.model', { name: job.name ?? '' }) : t(`job.${job.kind}`)
  const stop = async () => {
    try {
      await job.cancel?.()
      done(t('ops.cancelled'))
    } catch (error) {
      failed(error)
    }
    void client.invalidateQueries()
  }
  return (
    <li className="flex flex-wrap items-center justify-between gap-3 px-4 py-3">
      <div className="min-w-52 flex-1">
        <p className="flex flex-wrap items-center gap-2 font-medium">
          {title}
          <Badge tone={tone[job.state]}>{t(`jobState.${job.state}`)}</Badge>
          {job.dryRun && <Badge>{t('ops.dryRun')}</Badge>}
        </p>
        <p className="flex flex-wrap gap-x-3 text-xs text-soft tabular-nums">
          <span>{t('ops.began', { at: time(language, job.at) })}</span>
          {job.rows !== undefined && <span>{t('ops.rows', { n: job.rows })}</span>}
          {job.rejected !== undefined && job.rejected > 0 && <span className="text-bad">{t('ops.rejected', { n: job.rejected })}</span>}
        </p>
        {job.failure && <p className="text-bad">{job.failure}</p>}
      </div>
      {job.progress !== undefined && (
        <div className="flex w-44 items-center gap-2">
          <progress aria-label={`${title}: ${t('ops.progress')}`} max={1} value={job.progress} className="h-2 min-w-0 flex-1 accent-accent" />
          <span className="w-12 text-right text-xs text-soft tabular-nums">{job.progress === 1 ? number(language, 100) + ' %' : percent(language, job.progress)}</span>
        </div>
      )}
      <div className="flex gap-2">
        {job.rejected !== undefined && job.rejected > 0 && job.rejections && (
          <a href={job.rejections} download className="text-accent underline">
            {t('ops.rejections')}
          </a>
        )}
        {runs && job.cancel && <Button onClick={() => void stop()}>{t('ops.cancel')}</Button>}
      </div>
    </li>
  )
}
