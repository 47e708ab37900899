import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { body, tickets } from '../api/client'
import { useSession } from '../api/session'
import { reached, road, timers, workflowOf, type Complaint as Told, type Timer } from '../complaint'
import { date, money, number, time } from '../format'
import { useI18n } from '../i18n'
import { isKey } from '../i18n/say'
import { Due } from '../ui/Due'
import { Badge, Card, Detail, linkLook, Loaded } from '../ui/parts'
import { Decisions } from './complaint/Decisions'
import { Steps } from './complaint/Steps'

const route = getRouteApi('/complaints/$complaintId')

/** Complaint is one complaint: how far it has come, what may be decided, what was done, by when what is due, and what it costs. */
export function Complaint() {
  const { complaintId } = route.useParams()
  const query = useQuery({
    queryKey: ['tickets', 'complaint', complaintId],
    queryFn: () => body(tickets.GET('/v1/complaints/{complaint_id}', { params: { path: { complaint_id: complaintId } } })),
  })
  return (
    <div className="mx-auto max-w-7xl p-4 md:p-6">
      <Loaded query={query} lines={10}>
        {(of) => (
          <Detail
            head={<Header of={of} />}
            main={
              <>
                <Decisions of={of} />
                <Steps of={of} />
              </>
            }
            side={
              <>
                <Timers of={of} />
                <Remedy of={of} />
                <Facts of={of} />
                <Preventions of={of} />
              </>
            }
          />
        )}
      </Loaded>
    </div>
  )
}

function Header({ of }: { of: Told }) {
  const { t, language } = useI18n()
  const { can, tenant, workflows_url = '' } = useSession()
  const process = workflowOf(workflows_url, tenant, of.complaint_id)
  return (
    <section className="card p-4 md:p-5" aria-labelledby="complaint">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <div className="flex flex-wrap items-center gap-2">
            <h1 id="complaint" className="text-xl font-semibold">
              {t('complaint.title')} {of.number}
            </h1>
            <StageBadge of={of} />
            {of.outcome && <Badge tone={of.outcome === 'settled' ? 'good' : 'plain'}>{t(`outcome.${of.outcome}`)}</Badge>}
            <Badge>{t(`cause.${of.category as 'other'}`)}</Badge>
            {of.severity !== undefined && <Badge tone={of.severity <= 2 ? 'bad' : 'plain'}>{t(`severity.${of.severity as 1}`)}</Badge>}
            {of.safety && <Badge tone="bad">{t('complaint.safety')}</Badge>}
            {of.escalated_at && <Badge tone="warn">{t('complaint.escalated')}</Badge>}
          </div>
          <p className="mt-1 text-soft">{t('complaint.registeredAt', { at: time(language, of.registered_at) })}</p>
        </div>
        <div className="flex flex-wrap gap-2">
          <Link to="/tickets" search={{ view: 'all', kind: 'complaint', ticket: of.ticket_id }} className={linkLook}>
            {t('complaint.ticket')}
          </Link>
          {can('customers.read') && (
            <Link to="/customers/$customerId" params={{ customerId: of.customer_id }} search={{}} className={linkLook}>
              {t('tickets.customer')}
            </Link>
          )}
          {process && (
            <a href={process} target="_blank" rel="noreferrer" className={linkLook}>
              {t('complaint.process')} ↗
            </a>
          )}
        </div>
      </div>
      <dl className="mt-4 grid grid-cols-1 gap-4 md:grid-cols-2">
        <Words label={t('complaint.said')}>{of.description}</Words>
        <Words label={t('complaint.wish')}>{of.wish || <span className="text-faint">{t('complaint.noWish')}</span>}</Words>
      </dl>
      <Road of={of} />
    </section>
  )
}

function Words({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs font-medium text-soft">{label}</dt>
      <dd className="mt-0.5 break-words whitespace-pre-wrap">{children}</dd>
    </div>
  )
}

const stageTone = { closed: 'plain', stuck: 'bad', disputed: 'warn', proposed: 'warn', answering: 'warn' } as const

export function StageBadge({ of }: { of: Pick<Told, 'stage'> }) {
  const { t } = useI18n()
  return <Badge tone={stageTone[of.stage as keyof typeof stageTone] ?? 'accent'}>{t(`stageOf.${of.stage}`)}</Badge>
}

/** Road is the way of a complaint from the first word to the end; where it takes another turn, the badge above says so. */
function Road({ of }: { of: Told }) {
  const { t } = useI18n()
  const at = reached(of.stage)
  return (
    <ol aria-label={t('complaint.road')} className="mt-5 flex gap-1 max-sm:flex-wrap">
      {road.map((stage, i) => (
        <li key={stage} aria-current={i === at ? 'step' : undefined} className="min-w-0 flex-1 max-sm:contents">
          <span className={`block h-1.5 rounded-full max-sm:flex-1 ${i <= at ? 'bg-accent' : 'bg-line'}`} />
          {/* A telephone has room for the name of the present step only, below all of them. */}
          <span className={`mt-1 block text-xs ${i === at ? 'font-semibold text-ink max-sm:order-1 max-sm:w-full' : `max-sm:sr-only ${i < at ? 'text-soft' : 'text-faint'}`}`}>
            {t(`stageOf.${stage}`)} {i === at && <span className="font-normal text-soft sm:hidden">· {at + 1} / {road.length}</span>}
          </span>
        </li>
      ))}
    </ol>
  )
}

function Timers({ of }: { of: Told }) {
  const { t, language } = useI18n()
  const all = timers(of)
  return (
    <Card title={t('complaint.timers')}>
      {all.length === 0 && <p className="p-4 text-soft">{t('complaint.noTimers')}</p>}
      <ul className="divide-y divide-line">
        {all.map((one) => (
          <li key={one.name} className="flex items-start justify-between gap-3 px-4 py-2.5">
            <span className="min-w-0">
              {t(`timer.${one.name}`)}
              <span className="block text-xs text-faint">
                {time(language, one.at)}
                {one.name === 'step' && of.reminders > 0 && ` · ${t('complaint.reminders', { n: of.reminders })}`}
              </span>
            </span>
            <TimerState {...one} />
          </li>
        ))}
      </ul>
    </Card>
  )
}

function TimerState({ at, done }: Timer) {
  const { t, language } = useI18n()
  if (!done) return <Due at={at} />
  const late = new Date(done) > new Date(at)
  return <Badge tone={late ? 'bad' : 'good'}>{t(late ? 'timer.doneLate' : 'timer.done', { at: date(language, done) })}</Badge>
}

const partTone = { planned: 'plain', done: 'good', failed: 'bad', taken_back: 'warn', dropped: 'plain' } as const

function Remedy({ of: { proposal } }: { of: Told }) {
  const { t, language } = useI18n()
  if (!proposal)
    return (
      <Card title={t('complaint.remedy')}>
        <p className="p-4 text-soft">{t('complaint.noRemedy')}</p>
      </Card>
    )
  return (
    <Card title={t('complaint.remedy')}>
      <ul className="divide-y divide-line">
        {proposal.parts.map((part, i) => (
          <li key={i} className="px-4 py-2.5">
            <div className="flex items-baseline justify-between gap-3">
              <span className="font-medium">
                {t(`part.${part.kind}`)}
                {part.points ? ` · ${number(language, part.points)}` : ''}
              </span>
              <span className="flex items-baseline gap-2">
                <span className="tabular-nums">{money(language, part.cost_minor ?? 0, proposal.currency)}</span>
                <Badge tone={partTone[part.state]}>{t(`partState.${part.state}`)}</Badge>
              </span>
            </div>
            <div className="mt-0.5 text-xs break-words text-soft">
              {[...(part.justice ?? []).map((one) => t(`justice.${one}`)), part.consent && t('complaint.consent'), part.reference].filter(Boolean).join(' · ')}
            </div>
          </li>
        ))}
      </ul>
      <div className="border-t border-line px-4 py-3">
        <div className="flex items-baseline justify-between gap-3">
          <span className="text-soft">{t('complaint.cost')}</span>
          <span className="text-lg font-semibold tabular-nums">{money(language, proposal.cost_minor, proposal.currency)}</span>
        </div>
        <p className="text-xs text-soft">
          {t('complaint.proposedBy', { no: proposal.no, who: proposal.proposed_by })} · {t(`complaint.approval.${proposal.approval}`)}
        </p>
      </div>
    </Card>
  )
}

function Facts({ of }: { of: Told }) {
  const { t } = useI18n()
  const say = (prefix: 'finding' | 'cause' | 'channel', value: string | undefined) => {
    const key = `${prefix}.${value ?? ''}`
    return isKey(key) ? t(key) : value
  }
  const rows = [
    [t('stepDetail.unit'), of.unit],
    [t('stepDetail.person'), of.person],
    [t('stepDetail.finding'), say('finding', of.finding)],
    [t('stepDetail.cause'), say('cause', of.cause)],
    [t('stepDetail.containment'), of.containment],
    [t('stepDetail.channel'), say('channel', of.channel)],
    [t('stepDetail.score'), of.score === undefined ? undefined : `${of.score} · ${of.score_kind ? t(`score.${of.score_kind}`) : ''}`],
  ] as const
  const more = [of.level > 1 && t('complaint.level', { n: of.level }), of.rounds > 0 && t('complaint.rounds', { n: of.rounds }), of.objected && t('complaint.objected')].filter(Boolean)
  return (
    <Card title={t('complaint.facts')}>
      <dl className="flex flex-col gap-2 p-4">
        {rows.map(([label, value]) => value && (
          <div key={label} className="flex items-baseline justify-between gap-4">
            <dt className="shrink-0 text-soft">{label}</dt>
            <dd className="min-w-0 text-right break-words">{value}</dd>
          </div>
        ))}
      </dl>
      {more.length > 0 && <p className="border-t border-line px-4 py-2.5 text-soft">{more.join(' · ')}</p>}
    </Card>
  )
}

function Preventions({ of }: { of: Told }) {
  const { t, language } = useI18n()
  return (
    <Card title={t('complaint.preventions')}>
      {of.preventions.length === 0 && <p className="p-4 text-soft">{t('complaint.noPreventions')}</p>}
      <ul className="divide-y divide-line">
        {of.preventions.map((one) => (
          <li key={one.no} className="flex items-start justify-between gap-3 px-4 py-2.5">
            <span className="min-w-0 break-words">
              {one.action}
              <span className="block text-xs text-faint">{t('complaint.preventionBy', { owner: one.owner, at: date(language, one.due_at) })}</span>
            </span>
            <TimerState name="step" at={one.due_at} done={one.done_at} />
          </li>
        ))}
      </ul>
    </Card>
  )
}
