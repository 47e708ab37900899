import { expect, test } from 'vitest'
import { say } from '../src/i18n/say'
import { address, call, customer, languages, made, mark, navigation, settled, signIn, violations } from './kit'

interface Deal {
  opportunity_id: string
  state: string
  contacts: { customer_id: string; role?: string; leaning?: number }[]
  competitors: { competitor: string; strengths: string }[]
}

test.each(languages)('people and a competitor are put into a deal, which is won, reopened and lost with its reason (%s)', async (language) => {
  await using visit = await signIn('sales', { language })
  const { page } = visit
  const name = `交易 ${mark()}`
  const buyer = await customer(page, name)
  const boss = `老板 ${mark()}`
  await customer(page, boss)
  const { opportunity_id: id } = await made<Deal>(page, 'sales/v1/opportunities', { customer_id: buyer.customer_id, name, amount_minor: 12_300, currency: 'CNY' })
  const deal = async () => (await call<Deal>(page, 'GET', `sales/v1/opportunities/${id}`)).body
  await page.goto(`${address()}/opportunities/${id}`)
  const dialog = page.getByRole('dialog')

  await page.getByRole('button', { name: say(language, 'map.add'), exact: true }).click()
  // The index of names follows within moments: the search is asked again until it has the new one.
  await expect
    .poll(async () => {
      await dialog.getByRole('searchbox').fill('')
      await dialog.getByRole('searchbox').fill(boss)
      await page.waitForTimeout(300)
      return dialog.getByRole('button', { name: boss }).count()
    }, { timeout: 30_000 })
    .toBe(1)
  await dialog.getByRole('button', { name: boss }).click()
  await dialog.getByLabel(say(language, 'map.role')).selectOption('decision_maker')
  await dialog.getByLabel(say(language, 'map.leaning')).selectOption('-1')
  expect(await violations(page)).toEqual([])
  await dialog.getByRole('button', { name: say(language, 'action.save') }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByRole('region', { name: say(language, 'map.-1') }).getByText(boss).waitFor()

  await page.getByRole('button', { name: say(language, 'map.addRival'), exact: true }).click()
  await dialog.getByLabel(say(language, 'map.rivalCode')).fill('Pasta Planet')
  await dialog.getByRole('button', { name: say(language, 'action.save') }).click()
  expect(await dialog.count(), 'a competitor is named by a code').toBe(1)
  await dialog.getByLabel(say(language, 'map.rivalCode')).fill('pasta-planet')
  await dialog.getByLabel(say(language, 'map.strengths')).fill('便宜')
  await dialog.getByRole('button', { name: say(language, 'action.save') }).click()
  await dialog.getByRole('alert').or(page.getByText('便宜')).first().waitFor()
  if ((await dialog.count()) > 0) {
    // Competitors are kept in a list of the tenant's: one that is not there is refused, in the words of the reader.
    expect(await dialog.getByRole('alert').innerText()).not.toBe('')
    await page.keyboard.press('Escape')
  }
  expect((await deal()).contacts).toMatchObject([{ role: 'decision_maker', leaning: -1 }])

  await page.getByRole('button', { name: say(language, 'deal.win'), exact: true }).click()
  await expect.poll(async () => (await deal()).state).toBe('won')
  await page.getByRole('button', { name: say(language, 'deal.reopen'), exact: true }).click()
  await page.getByRole('button', { name: say(language, 'deal.lose'), exact: true }).click()
  const why = dialog.getByLabel(say(language, 'deal.lostWhy'))
  await expect.poll(() => why.locator('option').count()).toBeGreaterThan(1)
  await why.selectOption({ index: 1 })
  await dialog.getByRole('button', { name: say(language, 'deal.lose').replace('…', ''), exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
  await expect.poll(async () => (await deal()).state).toBe('lost')
  await settled(page)
  expect(visit.wrong).toEqual([])
})

test.each(languages)('a customer becomes a member, points are adjusted, and the member is suspended and reinstated (%s)', async (language) => {
  await using visit = await signIn('manager', { language })
  const { page } = visit
  const { customer_id } = await customer(page, `会员 ${mark()}`)
  await page.goto(`${address()}/customers/${customer_id}`)
  await page.getByRole('button', { name: say(language, 'member.enrol'), exact: true }).click()
  await expect.poll(async () => (await call<{ items: unknown[] }>(page, 'GET', `loyalty/v1/members?customer_id=${customer_id}`)).body.items.length).toBe(1)
  const { body } = await call<{ items: { member_id: string }[] }>(page, 'GET', `loyalty/v1/members?customer_id=${customer_id}`)
  const id = body.items[0]!.member_id
  await page.goto(`${address()}/loyalty/members/${id}`)
  const dialog = page.getByRole('dialog')
  const press = async (key: 'member.adjust' | 'member.suspend' | 'member.reinstate') => {
    await page.getByRole('button', { name: say(language, key), exact: true }).click()
    await dialog.waitFor()
  }
  const send = async (key: 'member.adjust' | 'member.suspend' | 'member.reinstate') => {
    await dialog.getByRole('button', { name: say(language, key).replace('…', ''), exact: true }).click()
    await dialog.waitFor({ state: 'detached' })
  }
  await press('member.adjust')
  await dialog.getByLabel(say(language, 'member.points')).fill('25')
  expect(await violations(page)).toEqual([])
  await send('member.adjust')
  await expect.poll(async () => (await call<{ available: number }>(page, 'GET', `loyalty/v1/members/${id}/balance`)).body.available).toBe(25)
  await press('member.suspend')
  await send('member.suspend')
  await page.getByText(say(language, 'memberState.suspended'), { exact: true }).waitFor()
  await press('member.reinstate')
  await send('member.reinstate')
  await page.getByText(say(language, 'memberState.active'), { exact: true }).waitFor()
  expect(visit.wrong).toEqual([])
})

test('who is enrolled where there are several programmes becomes a member of the one that is chosen', async () => {
  await using visit = await signIn('admin', { tenant: 'music' })
  const { page } = visit
  const code = `club-${mark()}`
  const { body: standard } = await call<{ terms: unknown }>(page, 'GET', 'loyalty/v1/programmes/standard')
  await made(page, 'loyalty/v1/programmes', { code, name: `俱乐部 ${code}`, zone: 'Asia/Shanghai', terms: standard.terms })
  const { customer_id } = await customer(page, `会员 ${mark()}`)
  const programmes = async () => (await call<{ items: { programme: string }[] }>(page, 'GET', `loyalty/v1/members?customer_id=${customer_id}`)).body.items.map((one) => one.programme).sort()
  await page.goto(`${address()}/customers/${customer_id}`)
  const choice = page.getByLabel(say('en', 'member.programme'), { exact: true })
  const enrol = page.getByRole('button', { name: say('en', 'member.enrol'), exact: true })
  expect(await choice.inputValue(), 'the usual one unless another is chosen').toBe('standard')
  await choice.selectOption(code)
  expect(await violations(page)).toEqual([])
  await enrol.click()
  await expect.poll(programmes).toEqual([code])
  await page.locator('main').getByText(code, { exact: true }).waitFor()
  expect(await choice.locator(`option[value="${code}"]`).count(), 'nobody joins twice').toBe(0)
  await enrol.click()
  await expect.poll(programmes).toEqual([code, 'standard'].sort())
  expect(visit.wrong).toEqual([])
})

test.each(languages)('a macro is written, changed while somebody else changes it, and archived (%s)', async (language) => {
  await using visit = await signIn('admin', { language })
  const { page } = visit
  const name = `延误 ${mark()}`
  const dialog = page.getByRole('dialog')
  const save = dialog.getByRole('button', { name: say(language, 'action.save'), exact: true })
  const row = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name }) })
  await page.goto(`${address()}/tickets`)
  await page.getByRole('link', { name: say(language, 'macros.title'), exact: true }).click()
  await page.getByRole('button', { name: say(language, 'macros.new'), exact: true }).click()
  await dialog.getByLabel(say(language, 'macros.name'), { exact: true }).fill(name)
  await dialog.getByLabel(say(language, 'macros.words'), { exact: true }).fill('{{value.who}}, {{nobody.knows}}')
  await save.click()
  await dialog.getByRole('alert').waitFor()
  await dialog.getByLabel(say(language, 'macros.words'), { exact: true }).fill('{{value.who}}, {{ticket.number}}')
  for (const [i, what] of (['tag', 'assign', 'status'] as const).entries()) {
    await dialog.getByRole('button', { name: say(language, 'macros.add'), exact: true }).click()
    await dialog.getByLabel(say(language, 'macros.do'), { exact: true }).nth(i + 1).selectOption(what)
  }
  await dialog.getByLabel(say(language, 'macros.addTags')).fill('late, 迟到')
  await dialog.getByLabel(say(language, 'macros.agent'), { exact: true }).selectOption('me')
  await dialog.getByLabel(say(language, 'macros.status'), { exact: true }).selectOption('resolved')
  await dialog.getByLabel(say(language, 'macros.resolution')).fill('solved')
  expect(await violations(page)).toEqual([])
  await save.click()
  await dialog.waitFor({ state: 'detached' })
  await row.waitFor()
  interface Macro { macro_id: string; name: string; version: number; actions: object[] }
  const kept = async () => (await call<{ items: Macro[] }>(page, 'GET', 'tickets/v1/macros?limit=200')).body.items.find((one) => one.name.startsWith(name))
  const first = (await kept())!
  expect(first.actions).toEqual([
    { do: 'reply', words: '{{value.who}}, {{ticket.number}}' }, { do: 'tag', add: ['late', '迟到'] }, { do: 'assign', agent: 'me' }, { do: 'status', status: 'resolved', resolution: 'solved' },
  ])

  await row.getByRole('button', { name: say(language, 'action.edit'), exact: true }).click()
  await dialog.getByRole('button', { name: say(language, 'macros.remove'), exact: true }).nth(1).click()
  const theirs = await call(page, 'PUT', `tickets/v1/macros/${first.macro_id}`, { name: `${name} 2`, actions: first.actions }, `"${first.version}"`)
  expect(theirs.status).toBe(200)
  await save.click()
  await dialog.getByText(say(language, 'macros.conflict', { name: `${name} 2` })).waitFor()
  await save.click()
  await dialog.waitFor({ state: 'detached' })
  await expect.poll(async () => (await kept())!.actions.length).toBe(3)
  expect((await kept())!.name).toBe(name)

  await row.getByRole('button', { name: say(language, 'macros.archive'), exact: true }).click()
  expect(await violations(page)).toEqual([])
  await dialog.getByRole('button', { name: say(language, 'macros.archiveDo'), exact: true }).click()
  await row.waitFor({ state: 'detached' })
  await page.getByLabel(say(language, 'macros.show'), { exact: true }).selectOption('yes')
  await row.waitFor()
  expect(await row.getByRole('button').count(), 'what is archived is not changed').toBe(0)
  expect(await kept()).toBeUndefined()
  expect(visit.wrong).toEqual([])
})

test('a macro shows its words with the blanks filled in before it is done', async () => {
  await using visit = await signIn('admin')
  const { page } = visit
  const name = `Delay ${mark()}`
  await made(page, 'tickets/v1/macros', { name, actions: [{ do: 'note', words: '{{ticket.number}}: by {{value.when}}' }] })
  const { customer_id } = await customer(page, `客人 ${mark()}`)
  const ticket = await made<{ ticket_id: string; number: string }>(page, 'tickets/v1/tickets', { kind: 'enquiry', subject: name, channel: 'phone', customer_id, impact: 3, urgency: 3 })
  await page.goto(`${address()}/tickets?view=all&ticket=${ticket.ticket_id}`)
  await page.getByRole('button', { name: say('en', 'macro.title') }).click()
  await page.getByRole('button', { name, exact: true }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('when').fill('noon')
  const words = `${ticket.number}: by noon`
  await dialog.getByText(words).waitFor()
  expect(await violations(page)).toEqual([])
  await dialog.getByRole('button', { name: say('en', 'macro.run') }).click()
  await page.getByRole('listitem').getByText(words).waitFor()
  expect(visit.wrong).toEqual([])
})

test('a list with its filters is saved as a view, and opened and forgotten by its name', async () => {
  await using visit = await signIn('agent')
  const { page } = visit
  const name = `mine ${mark()}`
  const options = page.getByRole('dialog').getByRole('option')
  const type = async (words: string) => {
    await navigation(page).waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('dialog').getByRole('combobox').fill(words)
  }
  await page.goto(`${address()}/tickets?view=mine&kind=complaint`)
  await type(name)
  await page.keyboard.press('Enter')
  expect(await page.getByRole('dialog').count(), 'nothing is saved by whoever only presses Enter').toBe(1)
  await options.filter({ hasText: say('en', 'palette.save', { name }) }).click()
  await page.goto(`${address()}/customers`)
  await type(name)
  await options.filter({ hasText: name }).first().waitFor()
  await page.keyboard.press('Enter')
  await page.waitForURL(/tickets\?/)
  expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({ view: 'mine', kind: 'complaint' })
  await type(name)
  await options.filter({ hasText: say('en', 'palette.forget', { name }) }).click()
  await type(name)
  await options.filter({ hasText: say('en', 'palette.save', { name }) }).waitFor()
  expect(await options.filter({ hasText: say('en', 'palette.forget', { name }) }).count()).toBe(0)
})

test('an entry of the timeline leads to its trace', async () => {
  await using visit = await signIn('agent')
  const { page } = visit
  const { customer_id } = await customer(page, `客人 ${mark()}`)
  await page.goto(`${address()}/customers/${customer_id}`)
  const link = page.getByRole('link', { name: say('en', 'customer.trace') }).first()
  await link.waitFor()
  expect(await link.getAttribute('href')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/traces\/[0-9a-f]{32}$/)
})
