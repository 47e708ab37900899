import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { body, loyalty, once } from '../../api/client'
import type { components } from '../../api/loyalty'
import { number } from '../../format'
import { useI18n } from '../../i18n'
import { DataTable } from '../../ui/Chart'
import { Button, Card, Field, Loaded } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'

type Terms = components['schemas']['Terms']
type Tally = components['schemas']['Tally']

/** wait is how often it is looked whether a dry run is done, in milliseconds. */
const wait = 1000

/** DryRun shows what terms would have given for the orders of a time, beside what these did earn. Nothing is changed by it. */
export function DryRun({ code, zone, terms }: { code: string; zone: string; terms: Terms }) {
  const { t, language } = useI18n()
  const { failed } = useToasts()
  const [from, setFrom] = useState('')
  const [until, setUntil] = useState('')
  const [run, setRun] = useState<string | null>(null)
  // Months are those of the programme's zone, wherever the reader is.
  const moment = (at: string) => new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short', timeZone: zone }).format(new Date(at))
  const day = (text: string) => (text ? new Date(`${text}T00:00:00`).toISOString() : undefined)
  const start = useMutation({
    mutationFn: () => body(loyalty.POST('/v1/programmes/{code}/dry-runs', { params: { path: { code }, header: once() }, body: { terms, from: day(from), until: day(until) } })),
    onSuccess: (got) => setRun(got.dry_run_id),
    onError: failed,
  })
  const query = useQuery({
    queryKey: ['loyalty', 'programme', code, 'dry-run', run],
    enabled: run !== null,
    queryFn: () => body(loyalty.GET('/v1/programmes/{code}/dry-runs/{dry_run_id}', { params: { path: { code, dry_run_id: run! } } })),
    refetchInterval: (q) => (q.state.data?.state === 'done' || q.state.data?.state === 'failed' ? false : wait),
  })
  return (
    <Card title={t('dryRun.title')}>
      <form
        className="flex flex-wrap items-end gap-3 p-4"
        onSubmit={(e) => {
          e.preventDefault()
          start.mutate()
        }}
      >
        <Field label={t('dryRun.from')}>{(id) => <input id={id} type="date" required={until !== ''} className="field" value={from} onChange={(e) => setFrom(e.target.value)} />}</Field>
        <Field label={t('dryRun.until')}>{(id) => <input id={id} type="date" required={from !== ''} className="field" value={until} onChange={(e) => setUntil(e.target.value)} />}</Field>
        <Button type="submit" disabled={start.isPending}>
          {t('dryRun.start')}
        </Button>
        <p className="w-full text-xs text-faint">{t('dryRun.is')}</p>
      </form>
      {run && (
        <div className="border-t border-line" aria-live="polite">
          <Loaded query={query} lines={3}>
            {(d) =>
              d.state === 'failed' ? (
                <p className="p-4 text-bad">{t(`dryRun.why.${d.reason ?? 'interrupted'}`)}</p>
              ) : d.state !== 'done' || !d.result ? (
                <div className="p-4">
                  <progress className="h-2 w-full accent-accent" aria-label={t('dryRun.title')} />
                  <p className="text-soft">{t('dryRun.running', { n: d.orders })}</p>
                </div>
              ) : (
                <Result of={d.result} when={t('dryRun.when', { from: moment(d.from), until: moment(d.until) })} />
              )
            }
          </Loaded>
        </div>
      )}
    </Card>
  )
}

function Result({ of, when }: { of: Tally; when: string }) {
  const { t, language } = useI18n()
  const difference = of.points_then - of.points_now
  const signed = new Intl.NumberFormat(language, { signDisplay: 'always' }).format(difference)
  const points = [t('dryRun.now'), t('dryRun.then'), t('dryRun.difference')].map((name) => ({ name }))
  return (
    <div className="flex flex-col gap-4 py-4">
      <p className="px-4">
        <span className="text-2xl font-semibold tabular-nums">
          {number(language, of.points_now)} → {number(language, of.points_then)}
        </span>{' '}
        <span className={difference > 0 ? 'text-warn' : 'text-soft'}>({signed})</span>
        <span className="block text-soft">
          {t('dryRun.of', { n: of.orders, members: number(language, of.members) })} {when}
        </span>
        <span className="block text-soft">{t('dryRun.who', { gaining: number(language, of.members_gaining), losing: number(language, of.members_losing) })}</span>
        {of.orders_without_lines > 0 && <span className="block text-warn">{t('dryRun.noLines', { n: of.orders_without_lines })}</span>}
      </p>
      {of.failed.map((one) => (
        <p key={one.rule} role="alert" className="px-4 text-bad">
          {t('dryRun.failed', { rule: one.rule, n: one.orders, why: one.why })}
        </p>
      ))}
      {of.rules.length > 0 && (
        <DataTable label={t('dryRun.rules')} table={{ columns: [{ name: t('dryRun.rule') }, ...points], rows: of.rules.map((one) => [one.rule, one.points_now, one.points_then, one.points_then - one.points_now]) }} />
      )}
      {of.caps.length > 0 && (
        <DataTable label={t('dryRun.caps')} table={{ columns: [t('dryRun.cap'), t('dryRun.orders'), t('dryRun.cut')].map((name) => ({ name })), rows: of.caps.map((one) => [one.cap, one.orders, one.points_cut]) }} />
      )}
      {of.largest.length > 0 && (
        <div className="px-4">
          <h3 className="font-medium">{t('dryRun.largest')}</h3>
          <ul className="flex flex-col gap-0.5 tabular-nums">
            {of.largest.slice(0, 10).map((one) => (
              <li key={one.member_id}>
                <Link to="/loyalty/members/$memberId" params={{ memberId: one.member_id }} search={{}} className="text-accent hover:underline">
                  {t('dryRun.member')} {one.member_id.slice(-8)}
                </Link>{' '}
                {number(language, one.points_now)} → {number(language, one.points_then)}
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  )
}
