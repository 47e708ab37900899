import type { ReactNode } from 'react'
import type { Key } from '../i18n/say'

export interface Page {
  to: '/loyalty' | '/analytics' | '/' | '/customers' | '/tickets' | '/pipeline' | '/operations' | '/rollouts'
  key: Key
  /** permission without which the page has nothing to show. */
  permission?: string
  icon: ReactNode
}

function icon(d: string) {
  return (
    <svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" aria-hidden>
      <path d={d} />
    </svg>
  )
}

export const pages: Page[] = [
  { to: '/', key: 'nav.home', icon: icon('M4 11l8-7 8 7v9H4zM10 20v-6h4v6') },
  { to: '/customers', key: 'nav.customers', permission: 'customers.read', icon: icon('M9 11a4 4 0 100-8 4 4 0 000 8zM2 21c0-4 3-6 7-6s7 2 7 6M17 4a4 4 0 010 7M19 15c2 1 3 3 3 6') },
  { to: '/tickets', key: 'nav.tickets', permission: 'tickets.read', icon: icon('M4 5h16v11H9l-5 4zM8 9h8M8 12h5') },
  { to: '/pipeline', key: 'nav.pipeline', permission: 'sales.read', icon: icon('M4 4h4v16H4zM10 4h4v11h-4zM16 4h4v7h-4z') },
  { to: '/loyalty', key: 'nav.loyalty', permission: 'loyalty.read', icon: icon('M12 3l2.7 5.6 6.3.9-4.5 4.4 1 6.1-5.5-2.9L6.5 20l1-6.1L3 9.5l6.3-.9z') },
  { to: '/rollouts', key: 'nav.rollouts', permission: 'rollouts.read', icon: icon('M5 21V4h12l-2 4 2 4H5') },
  { to: '/operations', key: 'nav.operations', permission: 'ops.read', icon: icon('M3 12h4l3-8 4 16 3-8h4') },
  { to: '/analytics', key: 'nav.analytics', permission: 'analytics.read', icon: icon('M4 20V4M4 20h16M8 16v-5M13 16V7M18 16v-8') },
]
