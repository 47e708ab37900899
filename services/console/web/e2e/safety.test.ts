import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { address, call, customer, made, mark, settled, signIn } from './kit'

/** token is what a JSON Web Token begins with. */
const token = /eyJ[\w-]{8,}\./

test('the browser holds no token, and no script can read the cookie', async () => {
  await using visit = await signIn('admin')
  const { page, context } = visit
  const bodies: Promise<string>[] = []
  page.on('response', (response) => {
    if (response.url().startsWith(address()) && !response.url().endsWith('/live')) bodies.push(response.text().catch(() => ''))
  })
  await page.goto(`${address()}/customers`)
  await settled(page)
  const seen = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]))
  expect(seen).not.toMatch(token)
  expect(await page.evaluate(() => document.cookie)).toBe('')
  const cookies = (await context.cookies()).filter((one) => one.path === '/console')
  expect(cookies.map((one) => one.name)).toEqual(['guanxi-session'])
  expect(cookies.every((one) => one.httpOnly && one.sameSite === 'Lax' && !token.test(one.value))).toBe(true)
  expect(bodies.length).toBeGreaterThan(3)
  for (const body of await Promise.all(bodies)) expect(body).not.toMatch(token)
})

test('who signed out is out: the cookie that was good is good no more', async () => {
  await using visit = await signIn('agent')
  const { page, context } = visit
  const cookies = await context.cookies()
  await page.locator('button[popovertarget="preferences"]').click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Sign in' }).waitFor()
  await context.addCookies(cookies)
  const status = await page.evaluate(async () => (await fetch('/console/api/accounts/v1/customers?limit=1')).status)
  expect(status).toBe(401)
})

test('a change that another page makes the browser send is refused', async () => {
  await using visit = await signIn('admin')
  const { page, context } = visit
  const { customer_id: id } = await customer(page, `CSRF ${mark()}`)
  const archive = `${address()}/api/accounts/v1/customers/${id}/archive`
  // Of the page itself, but without the header that only its own code sets.
  const bare = await page.evaluate(async (url) => (await fetch(url, { method: 'POST' })).json(), archive)
  expect(bare).toMatchObject({ status: 403, code: 'cross_origin_refused' })

  const foreign = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<h1>elsewhere</h1>'))
  await new Promise<void>((listening) => foreign.listen(0, listening))
  try {
    const port = (foreign.address() as AddressInfo).port
    // The same site on another port, whose requests have the cookie, and another site, whose have not.
    for (const [origin, expected] of [[`http://127.0.0.1:${port}`, 403], [`http://localhost:${port}`, 403]] as const) {
      const other = await context.newPage()
      await other.goto(origin)
      const [answer] = await Promise.all([
        other.waitForResponse((response) => response.url() === archive),
        other.evaluate((url) => {
          const form = Object.assign(document.createElement('form'), { method: 'POST', action: url })
          document.body.append(form)
          form.submit()
        }, archive),
      ])
      expect(answer.status(), origin).toBe(expected)
      const back = await context.newPage()
      await back.goto(origin)
      // Nor can it read what the cookie would show.
      const read = await back.evaluate((url) => fetch(url, { credentials: 'include' }).then(() => 'read', () => 'refused'), `${address()}/session`)
      expect(read, origin).toBe('refused')
      await other.close()
      await back.close()
    }
  } finally {
    foreign.close()
  }
  expect((await call<{ state: string }>(page, 'GET', `accounts/v1/customers/${id}`)).body.state).toBe('active')
})

test('what somebody stored as a script stays words, wherever it is shown', async () => {
  await using visit = await signIn('admin')
  const { page } = visit
  const own = mark()
  const script = `<img src=x onerror="window.pwned='${own}'"><script>window.pwned='${own}'</script> ${own}`
  const { customer_id: id } = await customer(page, script)
  const ticket = await made<{ ticket_id: string }>(page, 'tickets/v1/tickets', {
    kind: 'enquiry', channel: 'email', subject: script, description: script, customer_id: id, impact: 1, urgency: 1, tags: [],
  })
  await made(page, 'sales/v1/opportunities', { customer_id: id, name: script, amount_minor: 100, currency: 'CNY', next_step: script, next_step_on: '2099-01-01' })
  const shown: [string, string][] = [
    [`customers?q=${own}`, 'a list'],
    [`customers/${id}`, 'the customer'],
    [`tickets?view=all&ticket=${ticket.ticket_id}`, 'the ticket'],
    ['pipeline', 'the board'],
  ]
  for (const [path, where] of shown) {
    // The search finds somebody new within moments.
    const there = async () => {
      await page.goto(`${address()}/${path}`)
      await settled(page)
      await page.getByText(own).first().waitFor({ timeout: 5000 }).catch(() => undefined)
      return page.getByText(own).count()
    }
    await expect.poll(there, { message: where, timeout: 60_000 }).toBeGreaterThan(0)
    expect(await page.locator('img[src="x"], main script').count(), where).toBe(0)
  }
  await page.keyboard.press('Control+k')
  await page.getByRole('dialog').getByRole('combobox').fill(own)
  await page.getByRole('option', { name: own }).first().waitFor()
  expect(await page.locator('img[src="x"]').count()).toBe(0)
  expect(await page.evaluate(() => (globalThis as { pwned?: string }).pwned)).toBeUndefined()
  expect(visit.wrong).toEqual([])
})
