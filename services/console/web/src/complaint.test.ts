import { describe, expect, it } from 'vitest'
import { bodyOf, choices, costOf, forms, missing, remedyOf, timers, workflowOf, type Complaint } from './complaint'
import { minorOf } from './format'

const complaint: Complaint = {
  complaint_id: 'c', ticket_id: 't', number: 'T-000001', customer_id: 'u', category: 'product', channel: 'phone', description: 'Cold.',
  stage: 'registered', rounds: 0, reminders: 0, registered_at: '2026-01-05T08:00:00Z', steps: [], next: [], version: 1, level: 1,
  safety: false, objected: false, preventions: [],
}
const clerk = { subject: 'lin', can: (permission: string) => permission === 'complaints.handle' }
const chief = { subject: 'mei', can: () => true }

describe('what may be decided', () => {
  it('is split into what takes the complaint on, the usual one first, and the rest', () => {
    const next = (['withdraw', 'answer', 'propose', 'acknowledge'] as const).map((action) => ({ action, permission: 'complaints.handle' as const }))
    const found = choices({ ...complaint, stage: 'found', next }, chief)
    expect(found.forward.map((one) => one.action)).toEqual(['acknowledge', 'propose', 'answer'])
    expect(found.other.map((one) => one.action)).toEqual(['withdraw'])
  })

  it('says why this person may not', () => {
    const next: Complaint['next'] = [{ action: 'approve', permission: 'complaints.approve' }]
    const proposal = { no: 1, currency: 'CNY', cost_minor: 1, approval: 'manager' as const, parts: [], proposed_by: 'mei' }
    const of: Complaint = { ...complaint, stage: 'proposed', next, proposal, acknowledged_at: complaint.registered_at }
    expect(choices(of, clerk).forward).toEqual([{ action: 'approve', refused: 'permission' }])
    expect(choices(of, chief).forward).toEqual([{ action: 'approve', refused: 'own_proposal' }])
    expect(choices({ ...of, proposal: { ...proposal, proposed_by: 'lin' } }, chief).forward).toEqual([{ action: 'approve', refused: undefined }])
  })

  it('keeps whoever refused to answer for it from ruling on that', () => {
    const steps: Complaint['steps'] = [{ action: 'decline', by: 'mei', at: complaint.registered_at }]
    const of: Complaint = { ...complaint, stage: 'disputed', steps, next: [{ action: 'rule', permission: 'complaints.approve' }], acknowledged_at: 'x' }
    expect(choices(of, chief).forward[0]!.refused).toBe('own_refusal')
  })
})

describe('a decision', () => {
  it('needs what belongs to what is decided, and sends nothing else', () => {
    const values = { admissible: 'no', severity: '2', safety: true, reason: ' not ours ' }
    expect(missing(forms.assess!, values)).toEqual([])
    expect(bodyOf(forms.assess!, values)).toEqual({ admissible: false, reason: 'not ours' })
    expect(missing(forms.assess!, { admissible: 'yes', safety: true })).toEqual(['severity', 'containment'])
    expect(bodyOf(forms.assess!, { admissible: 'yes', severity: '2' })).toEqual({ admissible: true, severity: 2 })
  })

  it('of what was found gives reasons where the customer is not right', () => {
    expect(missing(forms.find!, { finding: 'unfounded', cause: 'price' })).toEqual(['reason'])
    expect(bodyOf(forms.find!, { finding: 'founded', cause: 'price', evidence: 'a\n\n b ' })).toEqual({ finding: 'founded', cause: 'price', evidence: ['a', 'b'] })
  })

  it('to add needs words or evidence', () => {
    expect(missing(forms.add!, {})).toEqual(['facts'])
    expect(missing(forms.add!, { evidence: 'invoice 4711' })).toEqual([])
  })
})

describe('a remedy', () => {
  const amounts = (text: string) => minorOf(text, 'CNY')
  const part = { entry: '', points: '', order: '', amount: '' }
  const parts = [
    { ...part, kind: 'points' as const, points: '300', amount: '9' },
    { ...part, kind: 'refund' as const, order: ' o ', amount: '12.5' },
    { ...part, kind: 'repair' as const, entry: 'fix' },
  ]
  it('sends of each part what belongs to its kind', () => {
    expect(remedyOf(parts, amounts)).toEqual([
      { kind: 'points', points: 300 },
      { kind: 'refund', order_id: 'o', amount_minor: 1250 },
      { kind: 'repair', entry: 'fix' },
    ])
  })

  it('costs its points, what was said, and else what the menu says', () => {
    expect(costOf(parts, [{ code: 'fix', cost_minor: 5000 }], 2, amounts)).toBe(600 + 1250 + 5000)
  })
})

it('deadlines run until what they are for was done', () => {
  const of: Complaint = { ...complaint, due_at: 'a', acknowledge_by: 'b', acknowledged_at: 'c', legal_due_at: 'd' }
  expect(timers(of)).toEqual([
    { name: 'step', at: 'a' },
    { name: 'acknowledge', at: 'b', done: 'c' },
    { name: 'legal', at: 'd', done: undefined },
  ])
  expect(timers({ ...of, stage: 'closed', closed_at: 'e' }).find((one) => one.name === 'legal')!.done).toBe('e')
})

it('a process is linked to by its id, and only on a page of the web', () => {
  expect(workflowOf('https://t.example/namespaces/g/workflows', 'pizza', '1')).toBe('https://t.example/namespaces/g/workflows/complaint%2Fpizza%2F1')
  expect(workflowOf('', 'pizza', '1')).toBeNull()
  expect(workflowOf('javascript:alert(1)', 'pizza', '1')).toBeNull()
})

it('amounts are read in the unit of their currency', () => {
  expect(minorOf('1,234.5', 'EUR')).toBe(123450)
  expect(minorOf('1200', 'JPY')).toBe(1200)
  for (const wrong of ['', '-1', '1.234', 'x']) expect(minorOf(wrong, 'EUR')).toBeNull()
})
