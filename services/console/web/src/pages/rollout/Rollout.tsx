import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { body, rollout } from '../../api/client'
import { date } from '../../format'
import { useI18n } from '../../i18n'
import type { View } from '../../rollout'
import { Badge, Card, Empty, Loaded } from '../../ui/parts'
import { useShown } from '../../ui/shown'
import { stateTone } from '../Rollouts'
import { Offers } from './Offers'
import { Report } from './Report'
import { usePlan } from './words'

const route = getRouteApi('/rollouts/$rolloutId')

type Phase = View['phases'][number]
type Gate = Phase['gates'][number]

/** Rollout is the board of one rollout: its phases side by side, each with what it waits for. */
export function Rollout() {
  const { t } = useI18n()
  const { rolloutId } = route.useParams()
  const query = useQuery({
    queryKey: ['rollout', 'one', rolloutId],
    queryFn: () => body(rollout.GET('/v1/rollouts/{rollout_id}', { params: { path: { rollout_id: rolloutId } } })),
  })
  return (
    <div className="flex flex-col gap-4 p-4 md:p-6">
      <Link to="/rollouts" className="text-accent hover:underline">
        ← {t('rollout.all')}
      </Link>
      <Loaded query={query} lines={10}>
        {(view) => <Board view={view} />}
      </Loaded>
    </div>
  )
}

/** over are the states of a phase that is done with. */
const over = new Set<Phase['state']>(['done', 'live', 'skipped', 'rolled_back'])

function Board({ view }: { view: View }) {
  const { t } = useI18n()
  // What is worked on is looked for first; a long plan is wider than any screen.
  const now = view.phases.find((phase) => !over.has(phase.state) && phase.state !== 'waiting') ?? view.phases.find((phase) => !over.has(phase.state))
  const row = useShown<HTMLDivElement>(now?.code ?? '')
  return (
    <>
      <header className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <h1 className="text-xl font-semibold">{view.name}</h1>
          <p className="flex flex-wrap items-center gap-2 text-soft">
            <Badge tone={stateTone[view.state]}>{t(`rolloutState.${view.state}`)}</Badge>
            {t('rollout.phases', { over: view.phases_over, count: view.phase_count })}
            {view.managed_by && <span>· {t('rollout.managed', { by: view.managed_by })}</span>}
          </p>
          {view.pause && <p className="text-warn">{t('rollout.paused', { reason: view.pause.reason })}</p>}
        </div>
        <Offers view={view} place={{}} />
      </header>
      <div ref={row} className="flex gap-3 overflow-x-auto pb-2" tabIndex={0} role="group" aria-label={view.name}>
        {view.phases.map((phase) => (
          <Column key={phase.code} view={view} phase={phase} now={phase === now} />
        ))}
      </div>
      <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-2">
        <Risks view={view} />
        <Goals view={view} />
      </div>
      {(view.state === 'finished' || view.state === 'cancelled') && <Report id={view.rollout_id} />}
    </>
  )
}

const phaseTone = { waiting: 'plain', entering: 'warn', working: 'accent', leaving: 'warn', live: 'good', done: 'good', rolled_back: 'bad', skipped: 'plain' } as const

function Column({ view, phase, now }: { view: View; phase: Phase; now: boolean }) {
  const { t, language } = useI18n()
  const plan = usePlan()
  return (
    <section aria-label={phase.name} aria-current={now ? 'step' : undefined} className={`flex w-72 shrink-0 flex-col gap-2 rounded-lg border bg-sunken p-3 ${now ? 'border-accent' : 'border-line'}`}>
      <header>
        <div className="flex items-start justify-between gap-2">
          <h2 className="font-semibold">{phase.name}</h2>
          <Badge tone={phaseTone[phase.state]}>{t(`phaseState.${phase.state}`)}</Badge>
        </div>
        <p className="text-xs text-soft">{t('rollout.units', { units: phase.units.join(', ') || t('rollout.everyone') })}</p>
        {phase.capabilities.length > 0 && <p className="text-xs text-soft">{t('rollout.opens', { capabilities: phase.capabilities.map(plan.capability).join(', ') })}</p>}
        {phase.waits_for.length > 0 && <p className="text-xs text-soft">{t('rollout.waitsFor', { phases: phase.waits_for.map((code) => view.phases.find((one) => one.code === code)?.name ?? code).join(', ') })}</p>}
        {phase.reason && <p className="text-xs text-soft">{phase.reason}</p>}
      </header>
      {phase.gates.map((gate) => (
        <GateCard key={gate.side + gate.code} view={view} phase={phase} gate={gate} />
      ))}
      <ul className="flex flex-col gap-2">
        {phase.tasks.map((task) => (
          <li key={task.code} className="card flex flex-col gap-1 p-2.5">
            <span className="font-medium">{task.title}</span>
            <span className="flex flex-wrap gap-x-2 text-xs text-soft">
              {task.owner || (task.role && plan.role(task.role))}
              {task.done_by ? <span>{t('rollout.doneBy', { who: task.done_by })}</span> : task.due_at && <span className={task.late ? 'text-bad' : ''}>{t('rollout.due', { at: date(language, task.due_at) })}</span>}
            </span>
            <Offers view={view} place={{ phase: phase.code, task: task.code }} />
          </li>
        ))}
      </ul>
      <Offers view={view} place={{ phase: phase.code }} />
    </section>
  )
}

const gateTone = { ahead: 'plain', held: 'warn', passed: 'good' } as const

function GateCard({ view, phase, gate }: { view: View; phase: Phase; gate: Gate }) {
  const { t } = useI18n()
  const plan = usePlan()
  return (
    <div className="card flex flex-col gap-1 border-dashed p-2.5 shadow-none">
      <span className="flex items-start justify-between gap-2">
        <span className="font-medium">{gate.metric ? plan.measure(gate.metric) : plan.gate(gate.code)}</span>
        <Badge tone={gateTone[gate.stands]}>{t(`gateStands.${gate.stands}`)}</Badge>
      </span>
      {gate.stands === 'held' && gate.reason && <span className="text-xs text-warn">{t(`gateWhy.${gate.reason}`)}</span>}
      {gate.kind === 'metric' && gate.threshold !== undefined && (
        <span className="text-xs text-soft">
          {t(gate.compare === 'before' ? 'measure.before' : 'rollout.measured', { value: plan.value(gate.metric, gate.measured), threshold: plan.value(gate.metric, gate.threshold) })}
        </span>
      )}
      {gate.kind === 'person' && <span className="text-xs text-soft">{t('rollout.agreed', { n: gate.agreed.length, of: gate.needs ?? 1 })}</span>}
      <Offers view={view} place={{ phase: phase.code, gate: gate.code }} />
    </div>
  )
}

const riskTone = { open: 'plain', mitigated: 'accent', triggered: 'bad', closed: 'good' } as const

function Risks({ view }: { view: View }) {
  const { t } = useI18n()
  return (
    <Card title={t('rollout.risks')}>
      {view.risks.length === 0 && <Empty title={t('rollout.noRisks')} />}
      <ul className="divide-y divide-line">
        {view.risks.map((risk) => (
          <li key={risk.code} className="flex items-start justify-between gap-3 px-4 py-2.5">
            <div className="flex flex-col gap-1">
              <span>{risk.name}</span>
              <span className="text-xs text-soft">
                {t('rollout.exposure', { n: risk.exposure })} {risk.mitigation && `· ${risk.mitigation}`}
              </span>
              <Offers view={view} place={{ risk: risk.code }} />
            </div>
            <Badge tone={riskTone[risk.state]}>{t(`riskState.${risk.state}`)}</Badge>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Goals({ view }: { view: View }) {
  const { t } = useI18n()
  const plan = usePlan()
  return (
    <Card title={t('rollout.goals')}>
      <ul className="divide-y divide-line">
        {view.goals.map((goal) => (
          <li key={goal.code} className="flex items-center justify-between gap-3 px-4 py-2.5">
            <span>{goal.name}</span>
            <span className={`tabular-nums ${goal.reached ? 'text-good' : 'text-soft'}`}>
              {t('rollout.goal', { value: plan.value(goal.metric, goal.measured), target: plan.value(goal.metric, goal.target) })}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  )
}
