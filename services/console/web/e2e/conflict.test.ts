import { expect, test } from 'vitest'
import { say } from '../src/i18n/say'
import { address, call, customer, languages, made, mark, settled, signIn, violations } from './kit'

test.each(languages)('who edits a customer that somebody else has changed sees it, chooses, and loses nothing (%s)', async (language) => {
  await using visit = await signIn('manager', { language })
  const { page } = visit
  const { customer_id: id } = await customer(page, `原名 ${mark()}`)
  const path = `accounts/v1/customers/${id}`
  const faster = async (change: object) => {
    const { etag } = await call(page, 'GET', path)
    expect((await call(page, 'PATCH', path, change, etag)).status).toBe(200)
  }
  await page.goto(`${address()}/customers/${id}`)
  await page.getByRole('button', { name: say(language, 'action.edit'), exact: true }).click()
  const dialog = page.getByRole('dialog')
  const field = (name: 'display_name' | 'owner') => dialog.getByLabel(say(language, `edit.${name}`), { exact: true })
  const save = dialog.getByRole('button', { name: say(language, 'action.save') })
  await field('display_name').fill('我的名字')

  // Another field: both changes are taken.
  await faster({ owner: 'wang' })
  await save.click()
  await dialog.getByText(say(language, 'edit.merged')).waitFor()
  expect(await field('owner').inputValue()).toBe('wang')
  expect(await field('display_name').inputValue()).toBe('我的名字')

  // The same field: somebody has to choose.
  await faster({ display_name: '别人的名字' })
  await save.click()
  await dialog.getByText(say(language, 'edit.conflict')).waitFor()
  expect(await violations(page)).toEqual([])
  await dialog.getByRole('button', { name: say(language, 'edit.theirs', { value: '别人的名字' }) }).click()
  await dialog.getByRole('button', { name: say(language, 'edit.mine', { value: '我的名字' }) }).click()
  await save.click()
  await dialog.waitFor({ state: 'detached' })
  expect((await call<{ display_name: string; owner: string }>(page, 'GET', path)).body).toMatchObject({ display_name: '我的名字', owner: 'wang' })
  expect(visit.wrong).toEqual([])
})

test('who says what is known of a deal sees what somebody else said meanwhile', async () => {
  await using visit = await signIn('sales')
  const { page } = visit
  const name = `交易 ${mark()}`
  const { customer_id } = await customer(page, name)
  const { opportunity_id: id } = await made<{ opportunity_id: string }>(page, 'sales/v1/opportunities', { customer_id, name, amount_minor: 12_300, currency: 'CNY' })
  const path = `sales/v1/opportunities/${id}/c139`
  await page.goto(`${address()}/opportunities/${id}`)
  await settled(page)
  await page.getByRole('region', { name: say('en', 'c139.things') }).getByRole('button').first().click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel(say('en', 'c139.known')).fill('Ours: three steps')
  const { body, etag } = await call<{ things: { code: string; known: string }[] }>(page, 'GET', path)
  const code = body.things[0]!.code
  expect((await call(page, 'PATCH', path, { entries: [{ code, known: 'Theirs: two steps', evidence: '' }] }, etag)).status).toBe(200)
  const save = dialog.getByRole('button', { name: say('en', 'action.save') })
  await save.click()
  await dialog.getByText(say('en', 'c139.conflict', { theirs: 'Theirs: two steps' })).waitFor()
  expect(await dialog.getByLabel(say('en', 'c139.known')).inputValue()).toBe('Ours: three steps')
  await save.click()
  await dialog.waitFor({ state: 'detached' })
  expect((await call<typeof body>(page, 'GET', path)).body.things[0]!.known).toBe('Ours: three steps')
  expect(visit.wrong).toEqual([])
})
