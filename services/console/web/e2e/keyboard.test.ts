import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { say } from '../src/i18n/say'
import { address, customer, made, mark, settled, signIn } from './kit'

/** focused says what has the focus: its name as it is read aloud, or its words. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const one = document.activeElement
    return one?.getAttribute('aria-label') ?? one?.textContent?.trim() ?? ''
  })
}

/** inside tells whether the focus is in the open dialog. */
function inside(page: Page): Promise<boolean> {
  return page.evaluate(() => document.querySelector('dialog[open]')?.contains(document.activeElement) ?? false)
}

test('the palette is opened, used and left by keys alone, and the focus goes back', async () => {
  await using visit = await signIn('admin')
  const { page } = visit
  const search = page.getByRole('button', { name: say('en', 'action.search') })
  await search.focus()
  await page.keyboard.press('Enter')
  const box = page.getByRole('dialog').getByRole('combobox')
  await box.waitFor()
  expect(await inside(page)).toBe(true)
  const chosen = () => page.getByRole('option', { selected: true }).innerText()
  const first = await chosen()
  await page.keyboard.press('ArrowDown')
  expect(await chosen()).not.toBe(first)
  await page.keyboard.press('ArrowUp')
  expect(await chosen()).toBe(first)
  await page.keyboard.press('Escape')
  await box.waitFor({ state: 'detached' })
  expect(await search.evaluate((one) => one === document.activeElement)).toBe(true)

  await page.keyboard.press('Control+k')
  await box.fill(say('en', 'nav.rollouts'))
  await page.getByRole('option', { name: say('en', 'nav.rollouts') }).waitFor()
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/rollouts$/)
})

test('who goes by the tab key may skip the navigation, and opens the menu of the preferences', async () => {
  await using visit = await signIn('agent')
  const { page } = visit
  await page.reload()
  await settled(page)
  await page.keyboard.press('Tab')
  expect(await focused(page)).toBe(say('en', 'app.skip'))
  await page.keyboard.press('Enter')
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('content')
  const button = page.locator('button[popovertarget="preferences"]')
  await button.focus()
  await page.keyboard.press('Enter')
  await page.getByLabel(say('en', 'preferences.theme')).waitFor()
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.querySelector('#preferences')!.contains(document.activeElement))).toBe(true)
  await page.keyboard.press('Escape')
  await page.getByLabel(say('en', 'preferences.theme')).waitFor({ state: 'hidden' })
  expect(await button.evaluate((one) => one === document.activeElement)).toBe(true)
})

test('the arrows go through the list of tickets, and Enter opens one', async () => {
  await using visit = await signIn('agent')
  const { page } = visit
  const subjects = [`鍵 ${mark()}`, `鍵 ${mark()}`]
  for (const subject of subjects) await made(page, 'tickets/v1/tickets', { kind: 'enquiry', channel: 'phone', subject, description: 'Where is it?', impact: 2, urgency: 2 })
  await page.goto(`${address()}/tickets?view=all`)
  await page.getByText(subjects[1]!).waitFor()
  const links = page.getByRole('region', { name: say('en', 'tickets.list') }).getByRole('listitem').getByRole('link')
  await links.first().focus()
  await page.keyboard.press('ArrowDown')
  expect(await focused(page)).toContain(subjects[0])
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: subjects[1]! }).waitFor()
})

test('a dialog keeps the focus while it is open, and gives it back', async () => {
  await using visit = await signIn('agent')
  const { page } = visit
  const { customer_id: id } = await customer(page, `鍵 ${mark()}`)
  await page.goto(`${address()}/customers/${id}`)
  await settled(page)
  for (const key of ['action.edit', 'complaint.register'] as const) {
    const button = page.locator('main').getByRole('button', { name: say('en', key), exact: true })
    await button.focus()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').waitFor()
    await settled(page)
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press('Tab')
      expect(await inside(page), `${key}, after ${i + 1} times Tab`).toBe(true)
    }
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await button.evaluate((one) => one === document.activeElement), key).toBe(true)
  }
})
