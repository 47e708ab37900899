import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { address, made, settled, signIn, violations, type Theme } from './kit'
import { placesOf } from './places'

async function dress(page: Page, theme: Theme) {
  await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme)
}

/** wider are what is wider than the page has room for, so that it would have to be scrolled aside. What scrolls in itself is none. */
async function wider(page: Page): Promise<string[]> {
  // Plots are drawn anew for the room that they have a moment later.
  for (let i = 0; i < 15 && (await measured(page)).length > 0; i++) await page.waitForTimeout(200)
  return measured(page)
}

function measured(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [document.documentElement, document.querySelector('main')!, ...document.querySelectorAll('dialog[open]')]
      .filter((one) => one.scrollWidth > one.clientWidth + 1)
      .map((one) => `${one.tagName.toLowerCase()} is ${one.scrollWidth} wide, and has room for ${one.clientWidth}`),
  )
}

/** room are the widths that every page has to do with: 1280 pixels magnified to 200 % are 640, a telephone has 390. */
const room = { magnified: { width: 640, height: 400 }, telephone: { width: 390, height: 844 } }

test.each(['pizza', 'music'] as const)('every page of %s, with its dialogs, passes axe in both themes and fits when magnified', { timeout: 300_000 }, async (tenant) => {
  await using visit = await signIn('admin', { tenant })
  const { page } = visit
  const full = page.viewportSize()!
  const wrong: string[] = []
  for (const place of await placesOf(page, tenant)) {
    await page.goto(`${address()}/${place.path}`)
    await page.locator('main').waitFor()
    await settled(page)
    await place.open?.(page, 'en')
    await settled(page)
    wrong.push(...(await violations(page)).map((one) => `${place.name}: ${one}`))
    // Another theme is the same page in other colours.
    await dress(page, 'dark')
    wrong.push(...(await violations(page, 'color-contrast')).map((one) => `${place.name}, dark: ${one}`))
    for (const [name, size] of Object.entries(room)) {
      await page.setViewportSize(size)
      wrong.push(...(await wider(page)).map((one) => `${place.name}, ${name}: ${one}`))
    }
    await page.setViewportSize(full)
  }
  expect(wrong).toEqual([])
  expect(visit.wrong).toEqual([])
})

test('what is too wide is found', async () => {
  await using visit = await signIn('agent')
  const { page } = visit
  const long = { subject: 'Where is the order of last week, and who has seen it? '.repeat(3).trim(), impact: 1, urgency: 1 }
  await made(page, 'tickets/v1/tickets', { kind: 'enquiry', channel: 'phone', ...long })
  await page.setViewportSize(room.telephone)
  await page.reload()
  await page.getByText(long.subject).waitFor()
  await settled(page)
  expect(await wider(page)).toEqual([])
  await page.evaluate(() => document.querySelector('main')!.append(Object.assign(document.createElement('div'), { textContent: 'x'.repeat(200) })))
  expect((await wider(page)).join()).toContain('wide')
})
