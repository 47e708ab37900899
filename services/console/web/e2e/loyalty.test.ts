import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { number } from '../src/format'
import { say } from '../src/i18n/say'
import { address, call, languages, made, settled, signIn, violations, type Language } from './kit'

interface Balance {
  available: number
}

const reward = 'tiramisu'

async function member(page: Page): Promise<string> {
  const found = await call<{ items: { customer_id: string }[] }>(page, 'GET', 'accounts/v1/customers/lookup?type=external:till&value=K002')
  const members = await call<{ items: { member_id: string }[] }>(page, 'GET', `loyalty/v1/members?customer_id=${found.body.items[0]!.customer_id}`)
  return members.body.items[0]!.member_id
}

async function balance(page: Page, id: string): Promise<number> {
  return (await call<Balance>(page, 'GET', `loyalty/v1/members/${id}/balance`)).body.available
}

/** ask opens the question for a redemption of the reward. */
async function ask(page: Page, language: Language) {
  const row = page.getByRole('region', { name: say(language, 'redeem.title'), exact: true }).getByRole('listitem').filter({ hasText: /tiramisu/i })
  await row.getByRole('button').click()
  const dialog = page.getByRole('dialog')
  return { dialog, quantity: dialog.getByLabel(say(language, 'redeem.quantity')), redeem: dialog.getByRole('button', { name: say(language, 'redeem.do'), exact: true }) }
}

test.each(languages)('points are redeemed, and what costs more than there is is refused (%s)', async (language) => {
  await using visit = await signIn('manager', { language })
  const { page } = visit
  const id = await member(page)
  const before = await balance(page, id)
  await page.goto(`${address()}/loyalty/members/${id}`)
  const standing = page.getByRole('region', { name: say(language, 'loyalty.balance'), exact: true })
  await standing.getByText(number(language, before), { exact: true }).waitFor()
  const ledger = page.getByRole('region', { name: say(language, 'loyalty.ledger') }).locator('tbody tr')
  await settled(page)
  const entries = await ledger.count()

  const first = await ask(page, language)
  expect(await violations(page)).toEqual([])
  await first.quantity.fill('999')
  expect(await first.redeem.isDisabled(), 'nobody has so many points').toBe(true)
  await first.quantity.fill('2')
  await first.dialog.getByText(say(language, 'redeem.costs', { points: number(language, 400), left: number(language, before - 400) })).waitFor()
  await first.redeem.click()
  await first.dialog.waitFor({ state: 'detached' })
  await standing.getByText(number(language, before - 400), { exact: true }).waitFor()
  expect(await balance(page, id)).toBe(before - 400)
  await expect.poll(() => ledger.count(), { message: 'a row in the ledger' }).toBe(entries + 1)
  const row = ledger.first()
  expect(await row.innerText()).toContain(new Intl.NumberFormat(language, { signDisplay: 'always' }).format(-400))
  expect(await row.locator('td').last().innerText()).toBe(number(language, before - 400))

  // Whoever looks at a balance of a moment ago asks for more than there is: the service says so, and nothing is taken.
  await page.route('**/api/loyalty/v1/members/*/balance*', (route) => route.abort())
  await page.route('**/api/loyalty/v1/members/*', (route) => (route.request().method() === 'GET' ? route.abort() : route.continue()))
  const second = await ask(page, language)
  const most = Math.floor((before - 400) / 200)
  await made(page, `loyalty/v1/members/${id}/redemptions`, { reward, quantity: 1, points: 200 })
  await second.quantity.fill(String(most))
  await second.redeem.click()
  await page.getByRole('alert').waitFor()
  await page.unrouteAll({ behavior: 'ignoreErrors' })
  expect(await balance(page, id)).toBe(before - 600)
  expect(await second.dialog.isVisible(), 'what was asked for stays, to be asked for again').toBe(true)

  // What was redeemed is given back for the tests that follow, on the page.
  await page.reload()
  await settled(page)
  const redemptions = page.getByRole('region', { name: say(language, 'redeem.list') })
  for (const left of [before - 400, before]) {
    await redemptions.getByRole('button', { name: say(language, 'redeem.cancel') }).first().click()
    await standing.getByText(number(language, left), { exact: true }).waitFor()
  }
  expect(visit.wrong).toEqual([])
})

test.each(languages)('terms are tried on the orders of a year, saved for later and withdrawn (%s)', async (language) => {
  await using visit = await signIn('manager', { language })
  const { page } = visit
  await page.goto(`${address()}/loyalty/programmes/standard`)
  const terms = page.getByRole('region', { name: say(language, 'programme.terms'), exact: true })
  await terms.getByRole('button', { name: say(language, 'terms.addRule') }).click()
  const points = terms.getByLabel(say(language, 'rule.points'))
  const tried = terms.getByRole('status')
  await points.fill('amount +')
  await terms.getByRole('button', { name: say(language, 'rule.try') }).click()
  await tried.locator('.text-bad').waitFor()
  await points.fill('amount * 2.0')
  await terms.getByRole('button', { name: say(language, 'rule.try') }).click()
  await tried.getByText(say(language, 'rule.gives', { n: 200 })).waitFor()
  await page.getByRole('region', { name: say(language, 'programme.changes'), exact: true }).locator('code').first().waitFor()

  const dry = page.getByRole('region', { name: say(language, 'dryRun.title'), exact: true })
  await dry.getByLabel(say(language, 'dryRun.from')).fill('2025-09-01')
  await dry.getByLabel(say(language, 'dryRun.until')).fill('2026-09-01')
  await dry.getByRole('button', { name: say(language, 'dryRun.start') }).click()
  const result = dry.getByText('→').first()
  await result.waitFor({ timeout: 60_000 })
  const [now, then] = (await result.innerText()).split('→').map((text) => Number(text.replace(/\D/g, '')))
  expect(now).toBeGreaterThan(0)
  expect(then, 'twice the points for the same orders').toBe(now! * 2)
  expect(await violations(page)).toEqual([])

  const changes = page.getByRole('region', { name: say(language, 'programme.changes'), exact: true })
  await changes.getByLabel(say(language, 'programme.from')).fill(`${new Date().getFullYear() + 2}-01-01T00:00`)
  await changes.getByRole('button', { name: say(language, 'programme.save') }).click()
  const versions = page.getByRole('region', { name: say(language, 'programme.versions'), exact: true })
  const withdraw = versions.getByRole('button', { name: say(language, 'programme.withdraw') })
  await versions.getByText(say(language, 'programme.ahead'), { exact: true }).waitFor()
  await withdraw.click()
  await withdraw.waitFor({ state: 'detached' })
  await versions.getByText(say(language, 'programme.wasWithdrawn'), { exact: true }).first().waitFor()
  expect(visit.wrong).toEqual([])
})
