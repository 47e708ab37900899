import { useQuery } from '@tanstack/react-query'
import { body, rollout } from '../../api/client'
import { date, span, time } from '../../format'
import { useI18n } from '../../i18n'
import type { Report as Told } from '../../rollout'
import { Badge, Card, Empty, Loaded } from '../../ui/parts'
import { usePlan } from './words'

const day = 24 * 60 * 60 * 1000

/** Report is what a rollout came to: goal by goal, phase by phase, what was late and what came about. */
export function Report({ id }: { id: string }) {
  const { t } = useI18n()
  const query = useQuery({
    queryKey: ['rollout', 'report', id],
    queryFn: () => body(rollout.GET('/v1/rollouts/{rollout_id}/report', { params: { path: { rollout_id: id } } })),
  })
  return (
    <Card title={t('rollout.report')}>
      <Loaded query={query} lines={8}>
        {(report) => (
          <div className="flex flex-col gap-5 p-4">
            <p>
              {t('rollout.reportSum', { reached: report.goals_reached, goals: report.goals.length })}
              {report.goals_unknown > 0 && ` ${t('rollout.reportUnknown', { n: report.goals_unknown })}`}
            </p>
            <Goals of={report} />
            <Phases of={report} />
            <Events of={report} />
          </div>
        )}
      </Loaded>
    </Card>
  )
}

function Table({ caption, heads, rows }: { caption: string; heads: string[]; rows: (readonly React.ReactNode[])[] }) {
  return (
    <div className="overflow-x-auto">
      <table className="w-full text-left">
        <caption className="pb-1 text-left font-semibold">{caption}</caption>
        <thead className="text-xs text-soft">
          <tr>
            {heads.map((head, i) => (
              <th key={head} scope="col" className={`py-1 font-medium ${i > 0 ? 'px-2 text-right' : 'pr-2'}`}>{head}</th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line tabular-nums">
          {rows.map((cells, row) => (
            <tr key={row}>
              {cells.map((cell, i) => (
                <td key={i} className={`py-1.5 ${i > 0 ? 'px-2 text-right' : 'pr-2'}`}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Goals({ of }: { of: Told }) {
  const { t } = useI18n()
  const plan = usePlan()
  const shown = (metric: string, value: number | undefined) => (value === undefined ? '–' : plan.value(metric, value))
  if (of.goals.length === 0) return <Empty title={t('rollout.noGoals')} />
  return (
    <Table caption={t('rollout.goals')} heads={[t('rollout.goalName'), t('rollout.baseline'), t('rollout.target'), t('rollout.result'), t('rollout.outcome')]}
      rows={of.goals.map((goal) => [
        goal.name, shown(goal.metric, goal.baseline), shown(goal.metric, goal.target), shown(goal.metric, goal.measured),
        goal.reached === undefined ? <Badge>{t('rollout.notMeasured')}</Badge> : <Badge tone={goal.reached ? 'good' : 'bad'}>{t(goal.reached ? 'rollout.reached' : 'rollout.missed')}</Badge>,
      ])} />
  )
}

function Phases({ of }: { of: Told }) {
  const { t, language } = useI18n()
  return (
    <Table caption={t('rollout.phasesHead')} heads={[t('rollout.phase'), t('rollout.outcome'), t('rollout.live'), t('rollout.took'), t('rollout.tasks')]}
      rows={of.phases.map((phase) => [
        phase.name, t(`phaseState.${phase.state}`), phase.live_at ? date(language, phase.live_at) : '–',
        phase.days === undefined ? '–' : span(language, phase.days * day),
        `${phase.tasks_done} / ${phase.task_count}${phase.tasks_late > 0 ? ` (${t('rollout.late', { n: phase.tasks_late })})` : ''}`,
      ])} />
  )
}

/** Events are what did not go as planned, in the order in which it happened. */
function Events({ of }: { of: Told }) {
  const { t, language } = useI18n()
  const name = (code: string) => of.phases.find((phase) => phase.code === code)?.name ?? code
  const risk = (code: string) => of.risks.find((one) => one.code === code)?.name ?? code
  const all = [
    ...of.pauses.map((one) => ({ at: one.from, text: t('rollout.paused', { reason: one.reason }) })),
    ...of.roll_backs.map((one) => ({ at: one.at, text: t('rollout.wasRolledBack', { phase: name(one.phase), reason: one.reason }) })),
    ...of.risks_came_about.map((one) => ({ at: one.at, text: t('rollout.cameAbout', { risk: risk(one.risk) }) })),
    ...of.gates.filter((one) => one.how === 'skipped').map((one) => ({ at: one.at, text: t('rollout.skippedGate', { gate: one.gate, phase: name(one.phase), reason: one.reason ?? '' }) })),
    ...of.late_tasks.map((one) => ({ at: one.due_at, text: t('rollout.wasLate', { task: one.title, time: span(language, one.days_late * day) }) })),
  ].sort((a, b) => a.at.localeCompare(b.at))
  if (all.length === 0) return null
  return (
    <section aria-label={t('rollout.unplanned')}>
      <h3 className="pb-1 font-semibold">{t('rollout.unplanned')}</h3>
      <ul className="divide-y divide-line">
        {all.map((one, i) => (
          <li key={i} className="flex flex-wrap justify-between gap-x-4 py-1.5">
            <span>{one.text}</span>
            <time dateTime={one.at} className="text-xs text-faint">{time(language, one.at)}</time>
          </li>
        ))}
      </ul>
    </section>
  )
}
