import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { say } from '../src/i18n/say'
import { address, call, languages, made, mark, settled, signIn, violations } from './kit'

interface Rollout {
  rollout_id: string
  state: string
  phases: { code: string; state: string; gates: { stands: string }[]; tasks: { done_at?: string }[] }[]
}

async function rollout(page: Page, id: string): Promise<Rollout> {
  return (await call<Rollout>(page, 'GET', `rollout/v1/rollouts/${id}`)).body
}

/** plan switches nothing on, and so withholds nothing from anybody else. */
const plan = {
  goals: [{ code: 'use', name: '人人使用', metric: 'active_users', direction: 'up', baseline: 0, target: 0.8 }],
  team: [{ subject: 'admin', role: 'sponsor' }, { subject: 'admin', role: 'lead' }],
  phases: [
    { code: 'aims', name: '目标 Aims', kind: 'strategy', enter: [{ code: 'means', kind: 'person', role: 'sponsor' }], tasks: [{ code: 'count', title: '统计客户 Count the customers', owner: 'admin', due_days: 5 }] },
    { code: 'people', name: '团队 People', kind: 'team', after: ['aims'], tasks: [{ code: 'tell', title: '告诉大家 Tell everybody', owner: 'admin', due_days: 9 }] },
  ],
  risks: [{ code: 'nobody', name: '无人使用 Nobody works with it', likelihood: 3, impact: 4 }],
}

test.each(languages)('a rollout is found in the list, and decisions are given on its board (%s)', async (language) => {
  await using visit = await signIn('admin', { language })
  const { page } = visit
  const name = `上线 ${mark()}`
  const { rollout_id: id } = await made<Rollout>(page, 'rollout/v1/rollouts', { name, plan })
  await made(page, `rollout/v1/rollouts/${id}/start`, undefined)
  await expect.poll(async () => (await rollout(page, id)).phases[0]!.gates[0]!.stands, { timeout: 30_000 }).toBe('held')

  await page.goto(`${address()}/rollouts`)
  const entry = page.getByRole('link', { name })
  await entry.getByText(say(language, 'rollout.held', { n: 1 })).waitFor()
  await entry.click()
  await page.getByRole('heading', { level: 1, name }).waitFor()
  const aims = page.getByRole('region', { name: plan.phases[0]!.name })
  await aims.getByText(say(language, 'gateWhy.waiting_for_people')).waitFor()
  expect(await violations(page)).toEqual([])

  await aims.getByRole('button', { name: say(language, 'rollout.agree'), exact: true }).click()
  await aims.getByText(say(language, 'phaseState.working'), { exact: true }).waitFor()
  expect((await rollout(page, id)).phases[0]!.gates[0]!.stands).toBe('passed')

  await page.getByRole('button', { name: say(language, 'rollout.pause') }).click()
  const dialog = page.getByRole('dialog')
  expect(await violations(page)).toEqual([])
  await dialog.getByLabel(say(language, 'ops.reason')).fill('holidays')
  await dialog.getByRole('button', { name: say(language, 'rollout.pause').replace('…', '') }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByText(say(language, 'rollout.paused', { reason: 'holidays' })).waitFor()
  expect(await aims.getByRole('button', { name: say(language, 'rollout.complete'), exact: true }).count(), 'what is paused is not worked on').toBe(0)
  await page.getByRole('button', { name: say(language, 'rollout.resume') }).click()
  await dialog.getByLabel(say(language, 'ops.reason')).fill('holidays_over')
  await dialog.getByRole('button', { name: say(language, 'rollout.resume').replace('…', '') }).click()
  await dialog.waitFor({ state: 'detached' })

  for (const phase of plan.phases) {
    const column = page.getByRole('region', { name: phase.name })
    await column.getByRole('button', { name: say(language, 'rollout.complete'), exact: true }).click()
    await column.getByText(say(language, 'rollout.doneBy', { who: 'admin' })).waitFor()
  }
  await expect.poll(async () => (await rollout(page, id)).phases.map((one) => one.state), { timeout: 30_000 }).toEqual(['done', 'done'])
  await page.reload()
  await aims.getByText(say(language, 'phaseState.done'), { exact: true }).waitFor()
  await settled(page)
  expect(visit.wrong).toEqual([])
})

test.each(languages)('a draft is started on its board, and at its end it tells what it came to (%s)', async (language) => {
  await using visit = await signIn('admin', { language })
  const { page } = visit
  const lag = { metric: 'consumer_lag', unit: undefined }
  const goals = [
    { ...lag, code: 'behind', name: '不落后 Nobody is far behind', direction: 'down', baseline: 2_000_000, target: 1_000_000 },
    { ...lag, code: 'odd', name: '没人能达到 Nobody gets there', direction: 'up', baseline: 0, target: 1_000_000 },
  ]
  const { rollout_id: id } = await made<Rollout>(page, 'rollout/v1/rollouts', { name: `短 ${mark()}`, plan: { ...plan, goals } })
  await page.goto(`${address()}/rollouts/${id}`)
  await page.getByRole('button', { name: say(language, 'rollout.start'), exact: true }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText(say(language, 'rollout.startOpen')).waitFor()
  expect(await violations(page)).toEqual([])
  await dialog.getByRole('button', { name: say(language, 'rollout.startDo'), exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByText(say(language, 'rolloutState.running'), { exact: true }).waitFor()
  expect(await page.getByRole('button', { name: say(language, 'rollout.start'), exact: true }).count(), 'it is started once').toBe(0)

  const decide = (body: object) => made(page, `rollout/v1/rollouts/${id}/decisions`, body)
  await decide({ action: 'trigger_risk', risk: 'nobody' })
  await decide({ action: 'skip_gate', phase: 'aims', gate: 'means', reason: 'agreed_before' })
  for (const [i, phase] of plan.phases.entries()) {
    await expect.poll(async () => (await rollout(page, id)).phases[i]!.state, { timeout: 60_000 }).toBe('working')
    await decide({ action: 'complete', phase: phase.code, task: phase.tasks[0]!.code })
  }
  await expect.poll(async () => (await rollout(page, id)).state, { timeout: 90_000 }).toBe('finished')

  await page.reload()
  const report = page.getByRole('region', { name: say(language, 'rollout.report'), exact: true })
  await report.getByText(say(language, 'rollout.reportSum', { reached: 1, goals: 2 })).waitFor()
  for (const [name, outcome] of [[goals[0]!.name, 'rollout.reached'], [goals[1]!.name, 'rollout.missed']] as const)
    await report.getByRole('row', { name }).getByText(say(language, outcome), { exact: true }).waitFor()
  await report.getByRole('row', { name: goals[1]!.name }).getByText(say(language, 'measure.events', { n: goals[1]!.target })).waitFor()
  const phases = report.getByRole('table', { name: say(language, 'rollout.phasesHead') })
  for (const phase of plan.phases) expect(await phases.getByRole('row', { name: phase.name }).innerText()).toContain('1 / 1')
  const unplanned = report.getByRole('region', { name: say(language, 'rollout.unplanned'), exact: true })
  await unplanned.getByText(say(language, 'rollout.cameAbout', { risk: plan.risks[0]!.name })).waitFor()
  await unplanned.getByText(say(language, 'rollout.skippedGate', { gate: 'means', phase: plan.phases[0]!.name, reason: 'agreed_before' })).waitFor()
  await settled(page)
  expect(await violations(page)).toEqual([])
  expect(visit.wrong).toEqual([])
})
