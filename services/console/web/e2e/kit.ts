import axe from 'axe-core'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { address, chromiumPath } from './machine'

export { address }

let browser: Promise<Browser> | undefined

/** launched gives the one browser of a file of tests; it ends with the process. */
export function launched(): Promise<Browser> {
  // In a container the browser has no sandbox of its own; it opens the platform's pages only.
  browser ??= chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox'] })
  return browser
}

export type Language = 'en' | 'zh-CN'
export const languages: Language[] = ['en', 'zh-CN']
export const themes = ['light', 'dark'] as const
export type Theme = (typeof themes)[number]
export type Tenant = 'pizza' | 'music'
export type Role = 'agent' | 'sales' | 'manager' | 'marketing' | 'operations' | 'admin'
export const roles: Role[] = ['agent', 'sales', 'manager', 'marketing', 'operations', 'admin']

/** Visit is somebody at the page, and what went wrong meanwhile. */
export interface Visit extends AsyncDisposable {
  page: Page
  context: BrowserContext
  /** wrong collects failures of scripts, answers 403 and 5xx, and what the policy of the page refused. */
  wrong: string[]
}

interface As {
  language?: Language
  theme?: Theme
  tenant?: Tenant
  viewport?: { width: number; height: number }
}

/** signIn comes in by one click on the development issuer's page, as people do. */
export async function signIn(role: Role, { language = 'en', theme = 'light', tenant = 'pizza', viewport = { width: 1440, height: 900 } }: As = {}): Promise<Visit> {
  const context = await (await launched()).newContext({ locale: language, colorScheme: theme, viewport, reducedMotion: 'reduce' })
  context.setDefaultTimeout(30_000)
  const page = await context.newPage()
  const wrong: string[] = []
  page.on('pageerror', (error) => wrong.push(`script: ${error.message}`))
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) wrong.push(message.text())
  })
  page.on('response', (response) => {
    if (response.url().startsWith(address()) && (response.status() === 403 || response.status() >= 500)) wrong.push(`${response.status()} ${response.request().method()} ${response.url()}`)
  })
  await page.goto(`${address()}/`)
  await page.getByRole('button', { name: language === 'en' ? 'Sign in' : '登录' }).click()
  await page.locator(`[data-choice="${role}@${tenant}"]`).click()
  await navigation(page).waitFor()
  return { page, context, wrong, [Symbol.asyncDispose]: () => context.close() }
}

export function navigation(page: Page) {
  return page.locator('nav').first()
}

/** settled waits until nothing on the page is being loaded. */
export async function settled(page: Page) {
  await expect.poll(() => page.locator('.waiting').count(), { timeout: 30_000 }).toBe(0)
}

/** call asks the console as a script of the page does, with its cookie and its header. */
export async function call<T>(page: Page, method: string, path: string, body?: unknown, ifMatch = ''): Promise<{ status: number; body: T; etag: string }> {
  return page.evaluate(
    async ([method, path, body, ifMatch]) => {
      const headers: Record<string, string> = { 'X-Guanxi-Console': '1', 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID() }
      if (ifMatch) headers['If-Match'] = ifMatch
      const response = await fetch(`/console/api/${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
      const text = await response.text()
      return { status: response.status, body: text ? JSON.parse(text) : null, etag: response.headers.get('ETag') ?? '' }
    },
    [method, path, body, ifMatch] as const,
  )
}

/** made is call for what has to go well. */
export async function made<T>(page: Page, path: string, body: unknown): Promise<T> {
  const answer = await call<T>(page, 'POST', path, body)
  expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300)
  return answer.body
}

/** violations are what axe finds that keeps people from using the page: serious or critical. rules are those asked for; left out: all. */
export async function violations(page: Page, ...rules: string[]): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source)
  return page.evaluate(async (rules) => {
    const run = (globalThis as unknown as { axe: typeof axe }).axe.run
    const found = await run(document, { resultTypes: ['violations'], ...(rules.length > 0 ? { runOnly: rules } : {}) })
    return found.violations
      .filter((one) => one.impact === 'serious' || one.impact === 'critical')
      .flatMap((one) => one.nodes.map((node) => `${one.id} at ${node.target.join(' ')}: ${node.failureSummary ?? one.help}`))
  }, rules)
}

/** mark tells what a test makes from what others made. */
export function mark(): string {
  return Math.random().toString(36).slice(2, 8)
}

export interface Customer {
  customer_id: string
}

export async function customer(page: Page, name: string, identities: { type: string; value: string }[] = []): Promise<Customer> {
  return made<Customer>(page, 'accounts/v1/customers', { kind: 'person', display_name: name, allow_duplicate: true, identities })
}
