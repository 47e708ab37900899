import type { Page } from 'playwright-core'
import { call, type Language, type Tenant } from './kit'
import { say } from '../src/i18n/say'

/** Place is a page with something on it, and what is opened there. */
export interface Place {
  name: string
  path: string
  /** open opens what a page holds back, such as a dialog. */
  open?: (page: Page, language: Language) => Promise<void>
}

/** first gives what a list of the API begins with. */
async function first<T>(page: Page, path: string): Promise<T> {
  const answer = await call<{ items: T[] | null }>(page, 'GET', path)
  const one = answer.body.items?.[0]
  if (!one) throw new Error(`${path} has nothing: ${answer.status} ${JSON.stringify(answer.body)}`)
  return one
}

/** press opens what a button of the page opens. */
function press(key: Parameters<typeof say>[1]) {
  return async (page: Page, language: Language) => {
    await page.locator('main').getByRole('button', { name: say(language, key), exact: true }).first().click()
    await page.getByRole('dialog').waitFor()
  }
}

/** placesOf are all pages of the console, those behind the navigation and dialogs among them, for who may see all. */
export async function placesOf(page: Page, tenant: Tenant): Promise<Place[]> {
  if (tenant === 'music') return studies
  const who = await first<{ customer_id: string }>(page, 'accounts/v1/customers/lookup?type=external:till&value=K002')
  const card = await first<{ member_id: string }>(page, `loyalty/v1/members?customer_id=${who.customer_id}`)
  const complaint = await first<{ complaint_id: string }>(page, 'tickets/v1/complaints?limit=1')
  const ticket = await first<{ ticket_id: string }>(page, 'tickets/v1/tickets?limit=1')
  const deal = await first<{ opportunity_id: string }>(page, 'sales/v1/opportunities?state=open&limit=1')
  const segment = await first<{ id: string }>(page, 'analytics/v1/segments?limit=1')
  const rollout = await first<{ rollout_id: string }>(page, 'rollout/v1/rollouts?limit=1')
  return [
    { name: 'home', path: '' },
    { name: 'palette', path: '', open: async (page) => page.keyboard.press('Control+k') },
    { name: 'customers', path: 'customers' },
    { name: 'customers-none', path: 'customers?q=nobodyhasthisname' },
    { name: 'customer', path: `customers/${who.customer_id}` },
    { name: 'customer-edit', path: `customers/${who.customer_id}`, open: press('action.edit') },
    { name: 'customer-merge', path: `customers/${who.customer_id}`, open: press('merge.action') },
    { name: 'complaint-register', path: `customers/${who.customer_id}`, open: press('complaint.register') },
    { name: 'duplicates', path: 'duplicates' },
    { name: 'tickets', path: 'tickets?view=all' },
    { name: 'ticket', path: `tickets?view=all&ticket=${ticket.ticket_id}` },
    { name: 'macros', path: 'macros' },
    { name: 'macro-new', path: 'macros', open: press('macros.new') },
    { name: 'complaints', path: 'complaints' },
    { name: 'complaint', path: `complaints/${complaint.complaint_id}` },
    { name: 'pipeline', path: 'pipeline' },
    { name: 'deal', path: `opportunities/${deal.opportunity_id}` },
    {
      name: 'deal-c139', path: `opportunities/${deal.opportunity_id}`,
      open: async (page, language) => {
        await page.getByRole('region', { name: say(language, 'c139.things') }).getByRole('button').first().click()
        await page.getByRole('dialog').waitFor()
      },
    },
    { name: 'forecast', path: 'forecast' },
    { name: 'loyalty', path: 'loyalty' },
    { name: 'member', path: `loyalty/members/${card.member_id}` },
    { name: 'programme', path: 'loyalty/programmes/standard' },
    { name: 'satisfaction', path: 'analytics?view=satisfaction' },
    { name: 'segments', path: `analytics?view=segments&segment=${segment.id}` },
    { name: 'segment-new', path: 'analytics?view=segments', open: async (page, language) => page.getByRole('button', { name: say(language, 'segments.new') }).click() },
    { name: 'analytics-few', path: 'analytics?view=churn' },
    { name: 'operations', path: 'operations' },
    { name: 'parked', path: 'operations?view=parked' },
    { name: 'subscriptions', path: 'operations?view=subscriptions' },
    { name: 'jobs', path: 'operations?view=jobs' },
    { name: 'people', path: 'operations?view=people' },
    { name: 'rollouts', path: 'rollouts' },
    { name: 'rollout', path: `rollouts/${rollout.rollout_id}` },
    { name: 'unknown', path: 'nowhere' },
  ]
}

/** studies are the views of analytics that take a long history. */
const studies: Place[] = [
  { name: 'value', path: 'analytics' },
  { name: 'rfm', path: 'analytics?view=rfm&at=1998-06-30' },
  { name: 'cohorts', path: 'analytics?view=cohorts&live=yes' },
  { name: 'funnel', path: 'analytics?view=funnel&live=yes' },
  { name: 'churn', path: 'analytics?view=churn' },
]
