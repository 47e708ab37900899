import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { body, once, rollout } from '../../api/client'
import type { operations } from '../../api/rollout'
import { useSession } from '../../api/session'
import { date, number } from '../../format'
import { useI18n } from '../../i18n'
import { Dialog } from '../../ui/Dialog'
import { Badge, Button, Card, Empty, Field, Loaded } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { stateTone } from '../Rollouts'

const route = getRouteApi('/rollouts/$rolloutId')

type View = operations['get-rollout']['responses'][200]['content']['application/json']
type Phase = View['phases'][number]
type Gate = Phase['gates'][number]
type Decision = operations['decide-rollout']['requestBody']['content']['application/json']

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

function useDecide(id: string) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  return async (decision: Decision) => {
    try {
      await rollout.POST('/v1/rollouts/{rollout_id}/decisions', { params: { path: { rollout_id: id }, header: once() }, body: decision })
      done(t('rollout.decided'))
    } catch (error) {
      failed(error)
    }
    void client.invalidateQueries({ queryKey: ['rollout'] })
  }
}

type Decide = (decision: Decision) => Promise<void>
/** Ask opens the question for a reason, and decides with it. */
type Ask = (title: string, decision: Decision) => void

function Board({ view }: { view: View }) {
  const { t } = useI18n()
  const { can } = useSession()
  const decide = useDecide(view.rollout_id)
  const [asked, ask] = useState<{ title: string; decision: Decision } | null>(null)
  const reason: Ask = (title, decision) => ask({ title, decision })
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
        {can('rollouts.decide') && view.state === 'running' && <Button onClick={() => reason(t('rollout.pause'), { action: 'pause' })}>{t('rollout.pause')}</Button>}
        {can('rollouts.decide') && view.state === 'paused' && <Button onClick={() => reason(t('rollout.resume'), { action: 'resume' })}>{t('rollout.resume')}</Button>}
      </header>
      <div className="flex gap-3 overflow-x-auto pb-2" tabIndex={0} role="group" aria-label={view.name}>
        {view.phases.map((phase) => (
          <Column key={phase.code} view={view} phase={phase} decide={decide} ask={reason} />
        ))}
      </div>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Risks view={view} />
        <Goals view={view} />
      </div>
      {asked && <Reason {...asked} decide={decide} onClose={() => ask(null)} />}
    </>
  )
}

const phaseTone = { waiting: 'plain', entering: 'warn', working: 'accent', leaving: 'warn', live: 'good', done: 'good', rolled_back: 'bad', skipped: 'plain' } as const

function Column({ view, phase, decide, ask }: { view: View; phase: Phase; decide: Decide; ask: Ask }) {
  const { t, language } = useI18n()
  const { can } = useSession()
  const runs = view.state === 'running'
  return (
    <section aria-label={phase.name} className="flex w-72 shrink-0 flex-col gap-2 rounded-lg border border-line bg-sunken p-3">
      <header>
        <div className="flex items-start justify-between gap-2">
          <h2 className="font-semibold">{phase.name}</h2>
          <Badge tone={phaseTone[phase.state]}>{t(`phaseState.${phase.state}`)}</Badge>
        </div>
        <p className="text-xs text-soft">{t('rollout.units', { units: phase.units.join(', ') || t('rollout.everyone') })}</p>
        {phase.capabilities.length > 0 && <p className="text-xs text-soft">{t('rollout.opens', { capabilities: phase.capabilities.join(', ') })}</p>}
        {phase.waits_for.length > 0 && <p className="text-xs text-soft">{t('rollout.waitsFor', { phases: phase.waits_for.join(', ') })}</p>}
        {phase.reason && <p className="text-xs text-soft">{phase.reason}</p>}
      </header>
      {phase.gates.map((gate) => (
        <GateCard key={gate.side + gate.code} gate={gate} act={runs && can('rollouts.work')} decide={(action) => decide({ action, phase: phase.code, gate: gate.code })}
          refuse={() => ask(t('rollout.refuse'), { action: 'refuse', phase: phase.code, gate: gate.code })} />
      ))}
      <ul className="flex flex-col gap-2">
        {phase.tasks.map((task) => (
          <li key={task.code} className="card flex flex-col gap-1 p-2.5">
            <span className="font-medium">{task.title}</span>
            <span className="flex flex-wrap gap-x-2 text-xs text-soft">
              {task.owner || task.role}
              {task.done_by ? <span>{t('rollout.doneBy', { who: task.done_by })}</span> : task.due_at && <span className={task.late ? 'text-bad' : ''}>{t('rollout.due', { at: date(language, task.due_at) })}</span>}
            </span>
            {!task.done_at && runs && phase.state === 'working' && can('rollouts.work') && (
              <Button className="self-start" onClick={() => void decide({ action: 'complete', phase: phase.code, task: task.code })}>
                {t('rollout.complete')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

const gateTone = { ahead: 'plain', held: 'warn', passed: 'good' } as const

function GateCard({ gate, act, decide, refuse }: { gate: Gate; act: boolean; decide: (action: 'approve') => Promise<void>; refuse: () => void }) {
  const { t, language } = useI18n()
  return (
    <div className="card flex flex-col gap-1 border-dashed p-2.5">
      <span className="flex items-start justify-between gap-2">
        <span className="font-medium">{gate.metric ?? gate.code}</span>
        <Badge tone={gateTone[gate.stands]}>{t(`gateStands.${gate.stands}`)}</Badge>
      </span>
      {gate.stands === 'held' && gate.reason && <span className="text-xs text-warn">{t(`gateWhy.${gate.reason}`)}</span>}
      {gate.kind === 'metric' && gate.threshold !== undefined && (
        <span className="text-xs text-soft">
          {t('rollout.measured', { value: gate.measured === undefined ? t('rollout.notMeasured') : number(language, gate.measured), threshold: number(language, gate.threshold) })}
        </span>
      )}
      {gate.kind === 'person' && <span className="text-xs text-soft">{t('rollout.agreed', { n: gate.agreed.length, of: gate.needs ?? 1 })}</span>}
      {act && gate.kind === 'person' && gate.stands === 'held' && (
        <span className="flex gap-2">
          <Button onClick={() => void decide('approve')}>{t('rollout.agree')}</Button>
          <Button onClick={refuse}>{t('rollout.refuse')}</Button>
        </span>
      )}
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
            <span>
              <span className="block">{risk.name}</span>
              <span className="text-xs text-soft">
                {t('rollout.exposure', { n: risk.exposure })} {risk.mitigation && `· ${risk.mitigation}`}
              </span>
            </span>
            <Badge tone={riskTone[risk.state]}>{t(`riskState.${risk.state}`)}</Badge>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Goals({ view }: { view: View }) {
  const { t, language } = useI18n()
  return (
    <Card title={t('rollout.goals')}>
      <ul className="divide-y divide-line">
        {view.goals.map((goal) => (
          <li key={goal.code} className="flex items-center justify-between gap-3 px-4 py-2.5">
            <span>{goal.name}</span>
            <span className={`tabular-nums ${goal.reached ? 'text-good' : 'text-soft'}`}>
              {t('rollout.goal', { value: goal.measured === undefined ? t('rollout.notMeasured') : number(language, goal.measured), target: number(language, goal.target) })}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Reason({ title, decision, decide, onClose }: { title: string; decision: Decision; decide: Decide; onClose: () => void }) {
  const { t } = useI18n()
  const [reason, setReason] = useState('')
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className="flex flex-col gap-3 p-4"
        onSubmit={(e) => {
          e.preventDefault()
          void decide({ ...decision, reason }).then(onClose)
        }}
      >
        <Field label={t('ops.reason')}>{(id) => <input id={id} required maxLength={500} className="field" value={reason} onChange={(e) => setReason(e.target.value)} />}</Field>
        <Button look="primary" type="submit" className="self-end">
          {title.replace('…', '')}
        </Button>
      </form>
    </Dialog>
  )
}
