import { readFile } from 'node:fs/promises'
import type { Locator, Page } from 'playwright-core'
import { beforeAll, expect, test } from 'vitest'
import { say, type Key } from '../src/i18n/say'
import { address, call, languages, made, settled, signIn, violations, type Language, type Tenant } from './kit'

/** learnt is the last day of the made-up history that the model learns from; its own last day is nine months later. */
const learnt = '1997-09-30'

interface View {
  path: string
  tenant: Tenant
  /** plots are the titles of what is drawn; in English, and so in every language. */
  plots: Key[]
  /** axisless are drawn without axes, as there is nothing to measure on them. */
  axisless?: Key[]
  prepare?: (page: Page) => Promise<void>
}

const views: Record<string, View> = {
  value: {
    path: 'analytics', tenant: 'music', plots: ['value.pyramid', 'value.realised', 'value.predicted', 'value.equityTime'], axisless: ['value.pyramid'],
    // The run of today has nobody in it: the history ended long ago.
    prepare: async (page) => {
      const runs = page.locator('main').getByRole('combobox').first()
      const ended = runs.locator('option', { hasText: '1998' }).first()
      // It may still be under way, and the page does not ask again by itself.
      await expect.poll(async () => {
        const there = await ended.count()
        if (there === 0) await page.reload()
        return there
      }, { timeout: 90_000, interval: 3_000 }).toBeGreaterThan(0)
      await runs.selectOption((await ended.getAttribute('value'))!)
    },
  },
  rfm: { path: 'analytics?view=rfm&at=1998-06-30', tenant: 'music', plots: ['rfm.title'] },
  cohorts: { path: 'analytics?view=cohorts&live=yes', tenant: 'music', plots: ['cohorts.title'] },
  funnel: { path: 'analytics?view=funnel&live=yes', tenant: 'music', plots: ['funnel.title', 'funnel.steps'] },
  churn: { path: 'analytics?view=churn', tenant: 'music', plots: ['churn.calibration'] },
  satisfaction: { path: 'analytics?view=satisfaction', tenant: 'pizza', plots: ['satisfaction.trend', 'satisfaction.touchpoints', 'kano.title'] },
}

beforeAll(async () => {
  await using visit = await signIn('manager', { tenant: 'music' })
  const { page } = visit
  const used = await call<{ items: unknown[] }>(page, 'GET', 'analytics/v1/models?kind=churn&in_use=true&limit=1')
  if (used.body.items.length > 0) return
  const { model } = await made<{ model: { id: string } }>(page, 'analytics/v1/models/churn/fit', { source: 'facts', cutoff: learnt })
  await made(page, `analytics/v1/models/${model.id}/use`, undefined)
})

/** csv asks for the file of a plot and gives its lines. */
async function csv(page: Page, plot: Locator, language: Language): Promise<string[]> {
  const [file] = await Promise.all([page.waitForEvent('download'), plot.getByRole('button', { name: say(language, 'plot.csv'), exact: true }).click()])
  expect(file.suggestedFilename()).toMatch(/\.csv$/)
  return (await readFile(await file.path(), 'utf8')).replace(/^\uFEFF/, '').trim().split('\r\n')
}

/** axes are the names of a plot's axes: words of its own that are no numbers. */
async function axes(plot: Locator): Promise<string[]> {
  const words = await plot.locator('[role=img] svg text').allTextContents()
  return words.filter((one) => /[\p{L}]{2,}/u.test(one))
}

async function read(page: Page, title: string, language: Language, measured: boolean) {
  const plot = page.getByRole('region', { name: title, exact: true })
  await plot.locator('svg').first().waitFor()
  if (measured) await expect.poll(() => axes(plot).then((names) => names.length), { message: `axes with names: ${title}` }).toBeGreaterThan(0)
  const footer = await plot.locator('footer').innerText()
  expect(footer.length, `a definition: ${title}`).toBeGreaterThan(30)
  expect(footer, `how fresh it is: ${title}`).toContain(say(language, 'state.asOf', { at: '' }).trim())

  await plot.getByRole('button', { name: say(language, 'plot.table'), exact: true }).click()
  const rows = plot.locator('tbody tr')
  await rows.first().waitFor()
  const shown = await rows.count()
  const headings = (await plot.locator('thead th').allInnerTexts()).map((one) => one.trim())
  expect(headings.every(Boolean), `columns with names: ${title}`).toBe(true)

  const lines = await csv(page, plot, language)
  expect(lines.length, `the file has what the table has: ${title}`).toBe(shown + 1)
  for (const heading of headings) expect(lines[0]).toContain(heading.split(',')[0])
  expect(lines.slice(1).join(), `numbers: ${title}`).toMatch(/\d/)
  await plot.getByRole('button', { name: say(language, 'plot.plot'), exact: true }).click()
  await plot.locator('svg').first().waitFor()
}

const all = languages.flatMap((language) => Object.keys(views).map((name) => [name, language] as const))

test.each(all)('the view %s is read: plot, table, definition, freshness and file (%s)', async (name, language) => {
  const view = views[name]!
  await using visit = await signIn('manager', { language, tenant: view.tenant })
  const { page } = visit
  await page.goto(`${address()}/${view.path}`)
  await page.locator('main').waitFor()
  await settled(page)
  const current = page.getByRole('navigation', { name: say(language, 'analytics.views') }).locator('[aria-current=page]')
  expect(await current.allInnerTexts(), 'one view is the current one').toEqual([say(language, `analytics.${name as 'value'}`)])
  await view.prepare?.(page)
  for (const key of view.plots) await read(page, say(language, key), language, !view.axisless?.includes(key))
  expect(await violations(page)).toEqual([])
  expect(visit.wrong).toEqual([])
})

test.each(languages)('a segment is counted while it is written, made, and read over time (%s)', async (language) => {
  await using visit = await signIn('manager', { language })
  const { page } = visit
  await page.goto(`${address()}/analytics?view=segments`)
  await page.getByRole('button', { name: say(language, 'segments.new') }).click()
  const form = page.getByRole('region', { name: say(language, 'segments.new'), exact: true })
  const filter = form.getByLabel(say(language, 'segments.filter'))
  await filter.fill('orders >=')
  await form.locator('[role=status] .text-bad').waitFor()
  const code = `test_${Math.random().toString(36).slice(2, 8)}`
  await filter.fill('orders >= 2')
  const count = form.locator('[role=status] .text-2xl')
  await count.waitFor()
  const counted = Number((await count.innerText()).replace(/\D/g, ''))
  expect(counted).toBeGreaterThan(0)
  await form.getByLabel(say(language, 'segments.name')).fill(code)
  await form.getByLabel(say(language, 'segments.code')).fill(code)
  await form.getByRole('button', { name: say(language, 'segments.make') }).click()
  await form.waitFor({ state: 'detached' })
  const line = page.getByRole('button', { name: code })
  const members = async () => {
    await page.reload()
    await line.waitFor()
    return Number(/(\d+)\s*$/.exec((await line.locator('.text-lg').innerText()).trim())?.[1])
  }
  await expect.poll(members, { timeout: 60_000 }).toBe(counted)
  await line.click()
  await read(page, say(language, 'segments.history', { name: code }), language, true)
  expect(await violations(page)).toEqual([])
  expect(visit.wrong).toEqual([])
})
