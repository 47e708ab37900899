import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { accounts, body, rollout, tickets } from '../../api/client'
import { useSession } from '../../api/session'
import { time } from '../../format'
import { useI18n } from '../../i18n'
import { Due } from '../../ui/Due'
import { Badge, Card, Empty, Loaded } from '../../ui/parts'
import { fresh } from '../Operations'

/** People shows the processes that go on only when somebody decides. */
export function People() {
  const { can } = useSession()
  return (
    <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-2">
      {can('complaints.read') && <Complaints />}
      {can('rollouts.read') && <Rollouts />}
      {can('customers.erase') && <Erasures />}
    </div>
  )
}

function Complaints() {
  const { t } = useI18n()
  const query = useQuery({
    queryKey: ['tickets', 'complaints', 'people'],
    queryFn: () => body(tickets.GET('/v1/complaints', { params: { query: { limit: 100 } } })),
    refetchInterval: fresh,
  })
  return (
    <Card title={t('ops.complaints')}>
      <Loaded query={query} lines={5}>
        {(d) => {
          const open = d.items.filter((one) => one.stage !== 'closed' && one.next.length > 0).sort((a, b) => (a.due_at ?? '9').localeCompare(b.due_at ?? '9'))
          if (open.length === 0) return <Empty title={t('ops.noComplaints')} />
          return (
            <ul className="divide-y divide-line">
              {open.map((one) => (
                <li key={one.complaint_id}>
                  <Link to="/complaints/$complaintId" params={{ complaintId: one.complaint_id }} className="flex items-center justify-between gap-3 px-4 py-2.5 hover:bg-sunken">
                    <span className="min-w-0">
                      <span className="block truncate">{one.description || one.number}</span>
                      <span className="text-xs text-soft">
                        {one.number} · {t(`stageOf.${one.stage}`)} {one.person && `· ${one.person}`}
                      </span>
                    </span>
                    {one.due_at && <Due at={one.due_at} />}
                  </Link>
                </li>
              ))}
            </ul>
          )
        }}
      </Loaded>
    </Card>
  )
}

function Rollouts() {
  const { t } = useI18n()
  const query = useQuery({ queryKey: ['rollout', 'list'], queryFn: () => body(rollout.GET('/v1/rollouts', { params: { query: { limit: 50 } } })), refetchInterval: fresh })
  return (
    <Card title={t('nav.rollouts')}>
      <Loaded query={query} lines={3}>
        {(d) => {
          const open = d.items.filter((one) => one.state === 'running' || one.state === 'paused')
          if (open.length === 0) return <Empty title={t('rollout.none')} />
          return (
            <ul className="divide-y divide-line">
              {open.map((one) => (
                <li key={one.rollout_id}>
                  <Link to="/rollouts/$rolloutId" params={{ rolloutId: one.rollout_id }} className="flex flex-wrap items-center justify-between gap-2 px-4 py-2.5 hover:bg-sunken">
                    <span>{one.name}</span>
                    <span className="flex gap-1.5">
                      {one.held > 0 && <Badge tone="warn">{t('rollout.held', { n: one.held })}</Badge>}
                      {one.late > 0 && <Badge tone="bad">{t('rollout.late', { n: one.late })}</Badge>}
                    </span>
                  </Link>
                </li>
              ))}
            </ul>
          )
        }}
      </Loaded>
    </Card>
  )
}

function Erasures() {
  const { t, language } = useI18n()
  const query = useQuery({ queryKey: ['accounts', 'erasures'], queryFn: () => body(accounts.GET('/v1/erasures', { params: { query: { limit: 50 } } })), refetchInterval: fresh })
  return (
    <Card title={t('ops.erasures')}>
      <Loaded query={query} lines={3}>
        {(d) => {
          const open = d.items.flatMap((one) => (one.state === 'erased' || one.state === 'cancelled' ? [] : [{ ...one, state: one.state }]))
          if (open.length === 0) return <Empty title={t('ops.noErasures')} />
          return (
            <ul className="divide-y divide-line">
              {open.map((one) => (
                <li key={one.erasure_id} className="flex items-center justify-between gap-3 px-4 py-2.5">
                  <span>{time(language, one.requested_at)}</span>
                  <Badge tone={one.state === 'held' ? 'warn' : 'accent'}>{t(`erasureState.${one.state}`)}</Badge>
                </li>
              ))}
            </ul>
          )
        }}
      </Loaded>
    </Card>
  )
}
