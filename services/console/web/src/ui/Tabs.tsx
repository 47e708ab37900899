import { Link, type LinkProps } from '@tanstack/react-router'
import { useShown } from './shown'

interface Tab {
  name: string
  words: string
  search: LinkProps['search']
}

/** Tabs are the views of one page, each with an address of its own. A narrow page scrolls them, to the current one first. */
export function Tabs({ label, to, current, tabs }: { label: string; to: '/analytics' | '/operations'; current: string; tabs: Tab[] }) {
  const row = useShown<HTMLElement>(current)
  return (
    <nav ref={row} aria-label={label} className="-mx-4 flex gap-1 overflow-x-auto border-b border-line px-4 md:mx-0 md:px-0">
      {tabs.map((tab) => (
        <Link
          key={tab.name}
          to={to}
          search={tab.search}
          // Without this the first view, whose address has nothing more, would be current beside the others.
          activeOptions={{ exact: true }}
          aria-current={tab.name === current ? 'page' : undefined}
          className={`shrink-0 border-b-2 px-3 py-2 -outline-offset-2 ${tab.name === current ? 'border-accent font-medium text-accent' : 'border-transparent text-soft hover:text-ink'}`}
        >
          {tab.words}
        </Link>
      ))}
    </nav>
  )
}
