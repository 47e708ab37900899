import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { address, call, customer, made, mark, settled, signIn, violations, type Language } from './kit'

const languages: Language[] = ['en', 'zh-CN']

/** words are what the tests look for on the page, in the language of the reader. */
const words = {
  en: { timeline: 'Timeline', reach: 'How to reach', take: 'Assign to me', note: 'Internal note', addNote: 'Add note' },
  'zh-CN': { timeline: '时间线', reach: '联系方式', take: '分配给我', note: '内部备注', addNote: '添加备注' },
}

test.each(languages)('a customer is found by the number of the card and shown from all sides (%s)', async (language) => {
  await using visit = await signIn('agent', { language })
  const { page } = visit
  await page.keyboard.press('Control+k')
  await page.getByRole('dialog').getByRole('combobox').fill('8600 0001 0378')
  await page.getByRole('option').first().waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: '王芳' }).waitFor()
  await settled(page)
  await page.getByRole('region', { name: words[language].timeline }).waitFor()
  await page.getByRole('region', { name: words[language].reach }).waitFor()
  expect(await violations(page)).toEqual([])
  expect(visit.wrong).toEqual([])
})

test('nobody is found by a card that nobody has', async () => {
  await using visit = await signIn('agent')
  await visit.page.keyboard.press('/')
  await visit.page.getByRole('dialog').getByRole('combobox').fill('9999 9999 9999')
  await visit.page.getByText('Nothing fits').waitFor()
  expect(await visit.page.getByRole('option').count()).toBe(0)
})

interface Deal {
  opportunity_id: string
  stage: string
}

async function stageOf(page: Page, id: string): Promise<string> {
  return (await call<Deal>(page, 'GET', `sales/v1/opportunities/${id}`)).body.stage
}

test.each(languages)('a deal is moved by the menu and by dragging, and the server has it (%s)', async (language) => {
  await using visit = await signIn('sales', { language })
  const { page } = visit
  const name = `交易 ${mark()}`
  const { customer_id } = await customer(page, name)
  const deal = await made<Deal>(page, 'sales/v1/opportunities', { customer_id, name, amount_minor: 12_300, currency: 'CNY' })
  await page.goto(`${address()}/pipeline`)
  const columns = page.locator('main section')
  const card = page.getByRole('listitem').filter({ hasText: name })
  await card.waitFor()
  expect(await violations(page)).toEqual([])

  await card.getByRole('button').click()
  await card.locator('[popover] button').first().click()
  await expect.poll(() => stageOf(page, deal.opportunity_id), { timeout: 20_000 }).not.toBe(deal.stage)
  const between = await stageOf(page, deal.opportunity_id)

  // Into the first column that it is not in.
  const from = await columns.evaluateAll((all, id) => all.findIndex((one) => one.textContent?.includes(id)), name)
  const to = from === 0 ? 2 : 0
  await card.dragTo(columns.nth(to))
  await expect.poll(() => stageOf(page, deal.opportunity_id), { timeout: 20_000 }).not.toBe(between)
  await columns.nth(to).getByText(name).first().waitFor()
  expect(visit.wrong).toEqual([])
})

test('who may not change deals is offered no way to move them', async () => {
  await using visit = await signIn('agent')
  const { page } = visit
  await page.goto(`${address()}/pipeline`)
  await page.locator('main section').nth(1).waitFor()
  await settled(page)
  expect(await page.locator('main section li').count()).toBeGreaterThan(0)
  expect(await page.locator('main [draggable="true"]').count()).toBe(0)
})

test.each(languages)('a ticket is taken and a note is written in it (%s)', async (language) => {
  await using visit = await signIn('agent', { language })
  const { page } = visit
  const subject = `订单 ${mark()}`
  const ticket = await made<{ ticket_id: string; version: number }>(page, 'tickets/v1/tickets', {
    kind: 'enquiry', channel: 'phone', subject, description: 'Where is it?', impact: 2, urgency: 2,
  })
  await page.goto(`${address()}/tickets?view=all&ticket=${ticket.ticket_id}`)
  await page.getByText(subject).first().waitFor()
  await settled(page)
  expect(await violations(page)).toEqual([])
  await page.getByRole('button', { name: words[language].take }).click()
  await expect.poll(async () => (await call<{ agent?: string }>(page, 'GET', `tickets/v1/tickets/${ticket.ticket_id}`)).body.agent, { timeout: 20_000 }).toBe('agent')
  const note = `备注 ${mark()}`
  await page.getByRole('button', { name: words[language].note }).click()
  await page.locator('textarea').fill(note)
  await page.getByRole('button', { name: words[language].addNote, exact: true }).click()
  await page.locator('main').getByText(note).first().waitFor()
  expect(visit.wrong).toEqual([])
})
