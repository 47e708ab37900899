import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { number } from '../src/format'
import { say } from '../src/i18n/say'
import { address, call, languages, mark, settled, signIn, violations } from './kit'

interface Parked {
  id: string
  consumer: string
  state: string
  tries: number
}

/** of is who has set the order aside that nobody can place: each test takes its own, as one is discarded. */
const of = { en: { service: 'accounts', consumer: 'timeline' }, 'zh-CN': { service: 'loyalty', consumer: 'orders' } } as const

async function parked(page: Page, { service, consumer }: { service: string; consumer: string }): Promise<Parked | undefined> {
  const list = await call<{ parked: Parked[] }>(page, 'GET', `${service}/v1/ops/${service}/parked?limit=50`)
  return list.body.parked.find((one) => one.consumer === consumer)
}

test.each(languages)('a parked event is inspected, tried again and discarded (%s)', async (language) => {
  await using visit = await signIn('operations', { language })
  const { page } = visit
  const at = of[language]
  await page.goto(`${address()}/operations`)
  await page.getByText(say(language, 'ops.is.parked')).first().waitFor()
  await page.goto(`${address()}/operations?view=parked`)
  const where = `${say(language, `service.${at.service}`)} / ${at.consumer}`
  const row = page.getByRole('listitem').filter({ has: page.getByText(where, { exact: true }) })
  await row.waitFor()
  const before = (await parked(page, at))!

  const inspect = row.getByRole('button', { name: say(language, 'ops.inspect') })
  await inspect.click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('"customerId": "nobody"').waitFor()
  expect(await violations(page)).toEqual([])
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  expect(await inspect.evaluate((one) => one === document.activeElement), 'the focus is where it came from').toBe(true)

  await row.getByRole('button', { name: say(language, 'ops.release') }).click()
  // It is as bad as before: it comes back, tried more often.
  await expect.poll(async () => { const now = await parked(page, at); return now?.state === 'parked' ? now.tries : 0 }, { timeout: 60_000 }).toBeGreaterThan(before.tries)
  await page.reload()
  await row.waitFor()

  await row.getByRole('button', { name: say(language, 'ops.discard') }).click()
  await dialog.getByRole('button', { name: say(language, 'ops.discardDo') }).click()
  expect((await parked(page, at))?.id, 'nothing is dropped without a reason').toBe(before.id)
  await dialog.getByLabel(say(language, 'ops.reason')).fill('客户编号无效')
  expect(await violations(page)).toEqual([])
  await dialog.getByRole('button', { name: say(language, 'ops.discardDo') }).click()
  await row.waitFor({ state: 'detached' })
  await expect.poll(async () => (await parked(page, at))?.id, { timeout: 20_000 }).toBeUndefined()
  expect(visit.wrong).toEqual([])
})

test.each(languages)('a long job is watched to its end, and what it refused can be had (%s)', async (language) => {
  await using visit = await signIn('operations', { language })
  const { page } = visit
  await page.goto(`${address()}/operations?view=jobs`)
  await settled(page)
  const own = mark()
  const rows = 30_000
  const kinds = await page.evaluate(
    async ([own, rows]) => {
      const lines = Array.from({ length: rows }, (_, i) => `${own}${i},${i % 1000 === 0 ? 'ghost' : 'person'},${own} ${i}`)
      const query = new URLSearchParams({ format: 'csv', header: 'true', dry_run: 'true' })
      for (const one of ['external:till=number', 'kind=kind', 'display_name=name']) query.append('mapping', one)
      const response = await fetch(`/console/api/accounts/v1/customers/imports?${query}`, {
        method: 'POST', headers: { 'X-Guanxi-Console': '1', 'Content-Type': 'text/csv', 'Idempotency-Key': own }, body: ['number,kind,name', ...lines].join('\n'),
      })
      return { status: response.status, text: await response.text() }
    },
    [own, rows] as const,
  )
  expect(kinds.status, kinds.text).toBeLessThan(300)
  const job = page.getByRole('listitem').first()
  const seen = new Set<number>()
  const progress = async () => {
    const value = await job.locator('progress').evaluate((one: HTMLProgressElement) => one.value).catch(() => 0)
    seen.add(value)
    return (await job.innerText()).includes(say(language, 'jobState.finished')) && (await job.innerText()).includes(say(language, 'ops.dryRun')) ? value : 0
  }
  await expect.poll(progress, { timeout: 90_000, interval: 200 }).toBe(1)
  console.info(`of the job was seen: ${[...seen].map((one) => `${Math.round(one * 100)} %`).join(', ')}`)
  const words = await job.innerText()
  expect(words).toContain(say(language, 'ops.rows', { n: rows }))
  expect(words).toContain(number(language, 30))
  const [file] = await Promise.all([page.waitForEvent('download'), job.getByRole('link', { name: say(language, 'ops.rejections') }).click()])
  expect((await readFile(await file.path(), 'utf8')).trim().split('\n').length, 'a heading and thirty rows').toBe(31)
  expect(await violations(page)).toEqual([])
  expect(visit.wrong).toEqual([])
})

test.each(languages)('who subscribes to events is shown with how far they have read, and to another tenant that nobody does (%s)', async (language) => {
  await using visit = await signIn('operations', { language })
  const { page } = visit
  await page.goto(`${address()}/operations?view=subscriptions`)
  const row = (name: string) => page.getByRole('listitem').filter({ has: page.getByRole('heading', { name, exact: true }) })
  const reader = row('shop/erp')
  await reader.getByText(say(language, 'ops.nobodyReads'), { exact: true }).waitFor()
  await reader.getByText(say(language, 'subscription.reader'), { exact: true }).waitFor()
  const cells = await reader.locator('tbody td').allInnerTexts()
  expect(cells[0]).toContain('.events.pizza.shop.erp')
  expect(cells[1], 'what came since it left').toBe(number(language, 2))
  expect(cells[3], 'how old that is').toMatch(/\d/)
  const hook = row('shop/till')
  await hook.getByText(say(language, 'subscription.webhook'), { exact: true }).waitFor()
  await hook.getByText(say(language, 'ops.members', { n: 1 })).waitFor()
  expect(await violations(page)).toEqual([])
  expect(visit.wrong).toEqual([])

  await using other = await signIn('operations', { language, tenant: 'music' })
  await other.page.goto(`${address()}/operations?view=subscriptions`)
  await other.page.getByText(say(language, 'ops.noSubscriptions')).waitFor()
  expect(await violations(other.page)).toEqual([])
  expect(other.wrong).toEqual([])
})
