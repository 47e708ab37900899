import type { components } from './api/tickets'

export type Complaint = components['schemas']['ComplaintView']
export type Action = Complaint['next'][number]['action']
export type Step = Complaint['steps'][number]
export type Values = Record<string, string | boolean>

/** Spec is a field of a decision's form. `code` is a short word that programs read, `lines` is one entry a line. */
export interface Spec {
  name: string
  kind: 'words' | 'line' | 'code' | 'choice' | 'check' | 'number' | 'day' | 'lines'
  options?: readonly string[]
  required?: boolean | ((values: Values) => boolean)
  /** shown says whether the field belongs to what is being decided; what is not shown is not sent. */
  shown?: (values: Values) => boolean
}

export const findings = ['founded', 'partly', 'unfounded', 'not_provable'] as const
export const causes = ['product', 'service', 'delivery', 'price', 'attitude', 'promise', 'misunderstanding', 'other'] as const
export const categories = ['product', 'service', 'delivery', 'price', 'attitude', 'promise', 'other'] as const
export const channels = ['phone', 'email', 'sms', 'wechat', 'post', 'counter', 'web'] as const
const scores = ['csat', 'nps', 'ces'] as const
const media = ['letter', 'email', 'document'] as const

const why: Spec = { name: 'reason', kind: 'words' }
const because: Spec = { ...why, required: true }
const takenUp = (v: Values) => v.admissible === 'yes'
const answers: Spec[] = [{ name: 'unit', kind: 'code', required: true }, { name: 'person', kind: 'line' }, why]

/** forms is what each decision asks for. `propose`, `finish` and `refer` have choices of their own besides. */
export const forms: Record<string, Spec[]> = {
  acknowledge: [{ name: 'channel', kind: 'choice', options: channels, required: true }, why],
  assess: [
    { name: 'admissible', kind: 'choice', options: ['yes', 'no'], required: true },
    { name: 'severity', kind: 'choice', options: ['1', '2', '3', '4'], required: true, shown: takenUp },
    { name: 'safety', kind: 'check', shown: takenUp },
    { name: 'containment', kind: 'code', required: true, shown: (v) => takenUp(v) && v.safety === true },
    { name: 'containment_text', kind: 'words', shown: (v) => takenUp(v) && v.safety === true },
    why,
  ],
  assign: answers,
  rule: answers,
  decline: [because],
  find: [
    { name: 'finding', kind: 'choice', options: findings, required: true },
    { name: 'cause', kind: 'choice', options: causes, required: true },
    { name: 'root_cause', kind: 'words' },
    { name: 'evidence', kind: 'lines' },
    { ...why, required: (v) => v.finding === 'unfounded' || v.finding === 'not_provable' },
  ],
  object: [because],
  propose: [why],
  approve: [why],
  refuse: [why],
  accept: [why],
  reject: [why],
  retry: [why],
  settle: [because],
  verify: [{ name: 'kind', kind: 'choice', options: scores, required: true }, { name: 'score', kind: 'number', required: true }, why],
  answer: [{ name: 'medium', kind: 'choice', options: media, required: true }, { name: 'text', kind: 'words', required: true }, why],
  withdraw: [why],
  reopen: [because],
  refer: [{ name: 'body', kind: 'code', required: true }, why],
  add: [{ name: 'facts', kind: 'words', required: (v) => !said(v.evidence) }, { name: 'evidence', kind: 'lines' }, why],
  escalate: [why],
  prevent: [{ name: 'action', kind: 'words', required: true }, { name: 'owner', kind: 'line', required: true }, { name: 'due_at', kind: 'day', required: true }, why],
  finish: [{ name: 'prevention', kind: 'choice', required: true }, why],
  review: [why],
}

function said(value: string | boolean | undefined): boolean {
  return typeof value === 'string' ? value.trim() !== '' : value === true
}

export function isShown(spec: Spec, values: Values): boolean {
  return spec.shown?.(values) ?? true
}

export function isRequired(spec: Spec, values: Values): boolean {
  return typeof spec.required === 'function' ? spec.required(values) : (spec.required ?? false)
}

/** missing gives the fields without which a decision is not complete. */
export function missing(specs: Spec[], values: Values): string[] {
  return specs.filter((spec) => isShown(spec, values) && isRequired(spec, values) && !said(values[spec.name])).map((spec) => spec.name)
}

/** bodyOf makes of a form what is sent: nothing that is empty or not shown; a day ends as it ends where it was chosen. */
export function bodyOf(specs: Spec[], values: Values): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const spec of specs) {
    const value = values[spec.name]
    if (!isShown(spec, values) || !said(value)) continue
    if (spec.name === 'admissible') body.admissible = value === 'yes'
    else if (value === true) body[spec.name] = true
    else if (spec.kind === 'number' || spec.name === 'severity' || spec.name === 'prevention') body[spec.name] = Number(value)
    else if (spec.kind === 'lines') body[spec.name] = String(value).split('\n').map((line) => line.trim()).filter(Boolean)
    else if (spec.kind === 'day') body[spec.name] = new Date(`${String(value)}T23:59:59`).toISOString()
    else body[spec.name] = String(value).trim()
  }
  if (specs === forms.assess && body.admissible === undefined) body.admissible = false
  return body
}

/** forward are the decisions that take a complaint on from its stage, the usual one first; all others go beside them. */
const forward: Record<Complaint['stage'], Action[]> = {
  registered: ['assess'],
  assessed: ['assign'],
  assigned: ['find', 'decline'],
  disputed: ['rule'],
  found: ['propose', 'answer'],
  proposed: ['approve', 'refuse'],
  offered: ['accept', 'reject'],
  accepted: [],
  stuck: ['retry', 'propose', 'settle'],
  verifying: ['verify'],
  answering: ['answer'],
  closed: ['review', 'reopen', 'refer'],
}

export type Refusal = 'permission' | 'own_proposal' | 'own_refusal' | 'accountable'

export interface Choice {
  action: Action
  /** refused says why this person may not decide it; absent where they may. */
  refused?: Refusal
}

/** choices splits what may be decided now into what takes the complaint on and the rest, and says what this person may not. */
export function choices(of: Complaint, who: { subject: string; can: (permission: string) => boolean }): { forward: Choice[]; other: Choice[] } {
  const all = of.next.map(({ action, permission }): Choice => ({ action, refused: who.can(permission) ? otherEyes(of, action, who.subject) : 'permission' }))
  const first = of.acknowledged_at === undefined ? (['acknowledge', ...forward[of.stage]] as Action[]) : forward[of.stage]
  return {
    forward: first.flatMap((action) => all.filter((one) => one.action === action)),
    other: all.filter((one) => !first.includes(one.action)),
  }
}

/** otherEyes says why somebody may not judge of what they did themselves. The service holds to it; the page says it beforehand. */
function otherEyes(of: Complaint, action: Action, subject: string): Refusal | undefined {
  if ((action === 'approve' || action === 'refuse') && of.proposal?.proposed_by === subject) return 'own_proposal'
  if (action === 'rule' && of.steps.findLast((step) => step.action === 'decline')?.by === subject) return 'own_refusal'
  if (action === 'review' && (of.person === subject || of.proposal?.proposed_by === subject)) return 'accountable'
  return undefined
}

export interface Timer {
  name: 'acknowledge' | 'step' | 'legal'
  at: string
  /** done is when what it is for was done; absent as long as it runs. */
  done?: string
}

/** timers are the deadlines of a complaint as the server has them, the present step's first. */
export function timers(of: Complaint): Timer[] {
  const all: Timer[] = []
  if (of.due_at && of.stage !== 'closed') all.push({ name: 'step', at: of.due_at })
  if (of.acknowledge_by) all.push({ name: 'acknowledge', at: of.acknowledge_by, done: of.acknowledged_at ?? of.closed_at })
  if (of.legal_due_at) all.push({ name: 'legal', at: of.legal_due_at, done: of.answered_at ?? of.closed_at })
  return all
}

/** road is the way from the first word to the end, with how far a complaint has come on it. */
export const road = ['registered', 'assessed', 'assigned', 'found', 'offered', 'accepted', 'closed'] as const

const place: Record<Complaint['stage'], number> = {
  registered: 0, assessed: 1, assigned: 2, disputed: 2, found: 3, proposed: 3, offered: 4, accepted: 5, stuck: 5, verifying: 5, answering: 5, closed: 6,
}

export function reached(stage: Complaint['stage']): number {
  return place[stage]
}

export const kinds = ['apology', 'explanation', 'points', 'voucher', 'refund', 'repair', 'exchange', 'free_service'] as const
export type Kind = (typeof kinds)[number]

export interface Part {
  entry: string
  kind: Kind
  points: string
  order: string
  amount: string
}

/** priced are the kinds whose amount is said with the proposal; of the last three the menu has one already. */
export const priced: readonly Kind[] = ['voucher', 'refund', 'repair', 'exchange', 'free_service']

/** remedyOf makes of the parts of a form what is proposed. amounts reads an amount in minor units, or gives null. */
export function remedyOf(parts: Part[], amounts: (text: string) => number | null): components['schemas']['NewProposal']['parts'] {
  return parts.map((part) => {
    const amount = priced.includes(part.kind) && part.amount.trim() ? amounts(part.amount) : null
    return {
      kind: part.kind,
      entry: part.entry || undefined,
      points: part.kind === 'points' ? Number(part.points) : undefined,
      order_id: part.kind === 'refund' && part.order.trim() ? part.order.trim() : undefined,
      amount_minor: amount ?? undefined,
    }
  })
}

/** costOf is what a proposal will cost in minor units, as far as the page can tell; the service's word holds. */
export function costOf(parts: Part[], menu: { code: string; cost_minor?: number }[], pointMinor: number, amounts: (text: string) => number | null): number {
  return parts.reduce((sum, part) => {
    if (part.kind === 'points') return sum + (Number(part.points) || 0) * pointMinor
    const said = priced.includes(part.kind) && part.amount.trim() ? (amounts(part.amount) ?? 0) : 0
    return sum + (said || (menu.find((entry) => entry.code === part.entry)?.cost_minor ?? 0))
  }, 0)
}

/** workflowOf is where Temporal's page shows the process of a complaint; null where nobody said where that page is. */
export function workflowOf(base: string, tenant: string, complaint: string): string | null {
  return /^https?:\/\//.test(base) ? `${base}/${encodeURIComponent(`complaint/${tenant}/${complaint}`)}` : null
}
