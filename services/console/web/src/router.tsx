import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router'
import { choice, parseSearch, stringifySearch, text } from './search'
import { Crashed, Shell, Unknown } from './shell/Shell'

/** stages are the steps in which a complaint may wait. */
const stages = ['registered', 'assessed', 'assigned', 'disputed', 'found', 'proposed', 'offered', 'accepted', 'stuck', 'verifying', 'answering', 'closed'] as const

const root = createRootRoute({ component: Shell, notFoundComponent: Unknown, errorComponent: Crashed })

/** Optional makes what a validator gives a search in which everything may be left out. */
type Optional<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** search is a validator of what stands behind the question mark. */
function search<T>(read: (s: Record<string, unknown>) => T): (s: Record<string, unknown>) => Optional<T> {
  return (s) => {
    // What is not there stays out of the address.
    const known = Object.entries(read(s) as Record<string, unknown>).filter(([, value]) => value !== undefined)
    return Object.fromEntries(known) as Optional<T>
  }
}

const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/Home'), 'Home'),
})

// What a page shows is in its address, so that a view can be kept as a bookmark and sent to somebody.
const customers = createRoute({
  getParentRoute: () => root,
  path: '/customers',
  validateSearch: search((s) => ({
    q: text(s.q),
    kind: choice(s.kind, ['person', 'organisation']),
    state: choice(s.state, ['archived', 'any']),
    sort: choice(s.sort, ['relevance', 'name']),
  })),
  component: lazyRouteComponent(() => import('./pages/Customers'), 'Customers'),
})

const duplicates = createRoute({
  getParentRoute: () => root,
  path: '/duplicates',
  validateSearch: search((s) => ({ state: choice(s.state, ['accepted', 'dismissed']) })),
  component: lazyRouteComponent(() => import('./pages/Duplicates'), 'Duplicates'),
})

const customer = createRoute({
  getParentRoute: () => root,
  path: '/customers/$customerId',
  validateSearch: search((s) => ({
    purpose: text(s.purpose),
    from: choice(s.from, ['accounts', 'sales', 'loyalty', 'tickets', 'analytics']),
    since: choice(s.since, ['30', '365']),
  })),
  component: lazyRouteComponent(() => import('./pages/Customer'), 'Customer'),
})

const tickets = createRoute({
  getParentRoute: () => root,
  path: '/tickets',
  validateSearch: search((s) => ({
    view: choice(s.view, ['mine', 'unassigned', 'all']),
    kind: choice(s.kind, ['enquiry', 'incident', 'complaint', 'suggestion', 'praise']),
    ticket: text(s.ticket),
  })),
  component: lazyRouteComponent(() => import('./pages/Tickets'), 'Tickets'),
})

const macros = createRoute({
  getParentRoute: () => root,
  path: '/macros',
  validateSearch: search((s) => ({ archived: choice(s.archived, ['yes']) })),
  component: lazyRouteComponent(() => import('./pages/Macros'), 'Macros'),
})

const complaints = createRoute({
  getParentRoute: () => root,
  path: '/complaints',
  validateSearch: search((s) => ({ stage: choice(s.stage, stages) })),
  component: lazyRouteComponent(() => import('./pages/Complaints'), 'Complaints'),
})

const complaint = createRoute({
  getParentRoute: () => root,
  path: '/complaints/$complaintId',
  component: lazyRouteComponent(() => import('./pages/Complaint'), 'Complaint'),
})

const pipeline = createRoute({
  getParentRoute: () => root,
  path: '/pipeline',
  validateSearch: search((s) => ({
    pipeline: text(s.pipeline),
    owner: choice(s.owner, ['me']),
    sort: choice(s.sort, ['amount', 'age']),
  })),
  component: lazyRouteComponent(() => import('./pages/Pipeline'), 'Pipeline'),
})

const loyalty = createRoute({
  getParentRoute: () => root,
  path: '/loyalty',
  validateSearch: search((s) => ({ q: text(s.q), state: choice(s.state, ['active', 'suspended', 'left']) })),
  component: lazyRouteComponent(() => import('./pages/Loyalty'), 'Loyalty'),
})

const member = createRoute({
  getParentRoute: () => root,
  path: '/loyalty/members/$memberId',
  component: lazyRouteComponent(() => import('./pages/loyalty/Member'), 'Member'),
})

const programme = createRoute({
  getParentRoute: () => root,
  path: '/loyalty/programmes/$code',
  component: lazyRouteComponent(() => import('./pages/loyalty/Programme'), 'Programme'),
})

const analytics = createRoute({
  getParentRoute: () => root,
  path: '/analytics',
  validateSearch: search((s) => ({
    view: choice(s.view, ['rfm', 'cohorts', 'funnel', 'churn', 'satisfaction', 'segments']),
    currency: text(s.currency),
    by: choice(s.by, ['net']),
    at: text(s.at),
    live: choice(s.live, ['yes']),
    segment: text(s.segment),
  })),
  component: lazyRouteComponent(() => import('./pages/Analytics'), 'Analytics'),
})

const operations = createRoute({
  getParentRoute: () => root,
  path: '/operations',
  validateSearch: search((s) => ({ view: choice(s.view, ['parked', 'subscriptions', 'jobs', 'people']) })),
  component: lazyRouteComponent(() => import('./pages/Operations'), 'Operations'),
})

const rollouts = createRoute({
  getParentRoute: () => root,
  path: '/rollouts',
  component: lazyRouteComponent(() => import('./pages/Rollouts'), 'Rollouts'),
})

const rollout = createRoute({
  getParentRoute: () => root,
  path: '/rollouts/$rolloutId',
  component: lazyRouteComponent(() => import('./pages/rollout/Rollout'), 'Rollout'),
})

const opportunity = createRoute({
  getParentRoute: () => root,
  path: '/opportunities/$opportunityId',
  component: lazyRouteComponent(() => import('./pages/Opportunity'), 'Opportunity'),
})

const forecast = createRoute({
  getParentRoute: () => root,
  path: '/forecast',
  validateSearch: search((s) => ({ by: choice(s.by, ['owner', 'team']) })),
  component: lazyRouteComponent(() => import('./pages/Forecast'), 'Forecast'),
})

export const router = createRouter({
  routeTree: root.addChildren([home, customers, customer, duplicates, tickets, macros, complaints, complaint, pipeline, opportunity, forecast, loyalty, member, programme, analytics, operations, rollouts, rollout]),
  basepath: '/console',
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
