import type { operations } from './api/rollout'

export type View = operations['get-rollout']['responses'][200]['content']['application/json']
export type Report = operations['report-rollout']['responses'][200]['content']['application/json']
export type Decision = operations['decide-rollout']['requestBody']['content']['application/json']
export type Next = View['next'][number]
/** Decided is what is sent as a decision: all but the start of a draft, which is an operation of its own. */
export type Decided = Next & { decision: Decision['action'] }

/** Place is what a decision is of: a gate or a task of a phase, a phase, a risk, or the rollout, of which all is left out. */
export interface Place {
  phase?: string
  gate?: string
  task?: string
  risk?: string
}

/** at gives the decisions that can be made of exactly one thing. */
export function at(next: Next[], place: Place): Next[] {
  return next.filter((one) => (['phase', 'gate', 'task', 'risk'] as const).every((part) => (one[part] ?? '') === (place[part] ?? '')))
}

/** barred is the first decision that somebody else can make, where the reader can make none and it is the plan that says so. */
export function barred(here: Next[]): Next | undefined {
  return here.some((one) => one.allowed) ? undefined : here.find((one) => !one.allowed && one.why_not && one.why_not !== 'permission_missing')
}

/** asks says whether a decision is asked about first: it needs a reason, has one mostly, or is not easily undone. */
export function asks(one: Next): boolean {
  return one.needs_reason || ['refuse', 'resume', 'redo', 'trigger_risk', 'close_risk'].includes(one.decision)
}

export function decided(one: Next): one is Decided {
  return one.decision !== 'start'
}

/** decisionOf is what is sent for a decision of the list. */
export function decisionOf(one: Decided): Decision {
  return { action: one.decision, phase: one.phase, gate: one.gate, task: one.task, risk: one.risk }
}

/** code says whether a reason is one that the API takes: the words belong into the note. */
export const codePattern = '[a-z0-9][a-z0-9_\\-]{0,63}'

/** usual are reasons that people give often. */
export const usual = ['holidays', 'not_ready', 'no_capacity', 'quality', 'plan_changed'] as const
