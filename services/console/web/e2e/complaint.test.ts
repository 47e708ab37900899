import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { forms, type Complaint } from '../src/complaint'
import { say, type Key } from '../src/i18n/say'
import { address, call, customer, mark, settled, signIn, violations, type Language } from './kit'

const languages: Language[] = ['en', 'zh-CN']

/** walk is how an unfounded complaint goes from its registration to the final answer: each decision with what its form is given. */
const walk: { action: 'acknowledge' | 'assess' | 'assign' | 'find' | 'answer'; choose?: Record<string, string>; write?: Record<string, string>; stage: Complaint['stage'] }[] = [
  { action: 'acknowledge', choose: { channel: 'phone' }, stage: 'registered' },
  { action: 'assess', choose: { admissible: 'yes', severity: '3' }, stage: 'assessed' },
  { action: 'assign', write: { unit: 'kitchen' }, stage: 'assigned' },
  { action: 'find', choose: { finding: 'unfounded', cause: 'misunderstanding' }, write: { reason: '送货单已签收' }, stage: 'found' },
  { action: 'answer', choose: { medium: 'email' }, write: { text: '我们查过了。' }, stage: 'closed' },
]

/** fill gives the fields of the open form what they are to have. */
async function fill(page: Page, language: Language, choose: Record<string, string> = {}, write: Record<string, string> = {}) {
  const dialog = page.getByRole('dialog')
  const field = (name: string) => dialog.getByLabel(say(language, `ask.${name}` as Key), { exact: true })
  for (const [name, value] of Object.entries(choose)) await field(name).selectOption(value)
  for (const [name, value] of Object.entries(write)) await field(name).fill(value)
}

/** bodies sets whom a final answer names. */
async function bodies(page: Page, names: string[]) {
  const policy = await call<object>(page, 'GET', 'tickets/v1/complaints/policy')
  const changed = { ...policy.body, outside_bodies: names.map((code) => ({ code, name: code })) }
  const answer = await call(page, 'PUT', 'tickets/v1/complaints/policy', changed, policy.etag)
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300)
}

test.each(languages)('a complaint is led from its registration to its end (%s)', async (language) => {
  await using visit = await signIn('admin', { language })
  const { page } = visit
  const { customer_id } = await customer(page, `投诉 ${mark()}`)
  await bodies(page, [])
  const said = `没有送到 ${mark()}`
  await page.goto(`${address()}/customers/${customer_id}`)
  await page.getByRole('button', { name: say(language, 'complaint.register') }).click()
  const register = page.getByRole('dialog').getByRole('button', { name: say(language, 'complaint.register'), exact: true })
  expect(await register.isDisabled(), 'nothing is said yet').toBe(true)
  await fill(page, language, { category: 'delivery', channel: 'phone' }, { description: said })
  await register.click()
  await page.waitForURL(/\/complaints\/[0-9a-f-]{36}$/)
  await page.getByText(said).first().waitFor()
  const id = new URL(page.url()).pathname.split('/').at(-1)!

  for (const one of walk) {
    const name = say(language, `decide.${one.action}`)
    await page.locator('main').getByRole('button', { name, exact: true }).click()
    const send = page.getByRole('dialog').getByRole('button', { name, exact: true })
    expect(await send.isDisabled(), `${one.action} wants ${forms[one.action]!.map((spec) => spec.name).join(', ')}`).toBe(true)
    await fill(page, language, one.choose, one.write)
    expect(await violations(page), one.action).toEqual([])
    await send.click()
    if (one.action === 'answer') {
      // What the service refuses is said in the form, which stays as it is.
      await page.getByRole('dialog').getByRole('alert').waitFor()
      await bodies(page, ['12315'])
      await send.click()
    }
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    const { body } = await call<Complaint>(page, 'GET', `tickets/v1/complaints/${id}`)
    expect(body.stage, one.action).toBe(one.stage)
    await page.locator('main h1').locator('..').getByText(say(language, `stageOf.${one.stage}`), { exact: true }).waitFor()
  }
  await settled(page)
  expect(await page.locator('main').getByRole('button', { name: say(language, 'decide.answer'), exact: true }).count(), 'what is over is not decided again').toBe(0)
  expect(visit.wrong).toEqual([])
})
