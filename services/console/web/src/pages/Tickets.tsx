import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useRef, type KeyboardEvent } from 'react'
import { body, tickets } from '../api/client'
import { useSession } from '../api/session'
import type { operations } from '../api/tickets'
import { time } from '../format'
import { useI18n } from '../i18n'
import { Due } from '../ui/Due'
import { Badge, Empty, Loaded, More, Select } from '../ui/parts'
import { Conversation } from './tickets/Conversation'

const route = getRouteApi('/tickets')

export type Ticket = operations['get-ticket']['responses'][200]['content']['application/json']

const kinds = ['enquiry', 'incident', 'complaint', 'suggestion', 'praise'] as const

/** Tickets is the inbox: a list by the next deadline, and beside it the ticket that is worked on. A narrow page shows one of both. */
export function Tickets() {
  const { t } = useI18n()
  const search = route.useSearch()
  return (
    <div className="flex h-[calc(100dvh-7.5rem)] md:h-full">
      <h1 className="sr-only">{t('tickets.title')}</h1>
      <Inbox hidden={search.ticket !== undefined} />
      <section aria-label={t('tickets.conversation')} className={`min-w-0 flex-1 overflow-auto ${search.ticket ? '' : 'max-lg:hidden'}`}>
        {search.ticket ? (
          <Conversation key={search.ticket} id={search.ticket} />
        ) : (
          <Empty title={t('tickets.choose')}>
            <p>{t('tickets.chooseHint')}</p>
          </Empty>
        )}
      </section>
    </div>
  )
}

/** beside is of the links from the inbox to what belongs to it. */
const beside = 'inline-flex h-9 items-center rounded-md px-2 whitespace-nowrap text-accent hover:bg-sunken'

function useTickets() {
  const { subject } = useSession()
  const { view, kind } = route.useSearch()
  return useInfiniteQuery({
    queryKey: ['tickets', 'list', view, kind, subject],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      body(
        tickets.GET('/v1/tickets', {
          params: {
            query: {
              sort: view === 'all' ? 'latest' : 'due',
              agent: view === 'mine' ? subject : undefined,
              unassigned: view === 'unassigned' ? true : undefined,
              kind,
              limit: 50,
              cursor: pageParam,
            },
          },
        }),
      ),
    getNextPageParam: (last) => last.next_cursor || undefined,
    placeholderData: (before) => before,
  })
}

function Inbox({ hidden }: { hidden: boolean }) {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/tickets' })
  const query = useTickets()
  const { can } = useSession()
  const list = useRef<HTMLUListElement>(null)
  const set = (part: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...part }), replace: true })
  const keys = (e: KeyboardEvent) => {
    const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0
    if (!step) return
    e.preventDefault()
    const links = [...(list.current?.querySelectorAll<HTMLElement>('a') ?? [])]
    links[Math.max(0, links.indexOf(document.activeElement as HTMLElement) + step)]?.focus()
  }
  return (
    <section aria-label={t('tickets.list')} className={`flex w-full min-w-0 flex-col border-line bg-surface lg:w-96 lg:shrink-0 lg:border-r ${hidden ? 'max-lg:hidden' : ''}`}>
      <div className="flex flex-wrap gap-2 border-b border-line p-3">
        <Select bare label={t('tickets.view')} value={search.view ?? ''} onChange={(view) => set({ view: view || undefined, ticket: undefined })}
          options={[['', t('view.todo')], ['mine', t('view.mine')], ['unassigned', t('view.unassigned')], ['all', t('view.all')]]} />
        <Select bare label={t('tickets.kind')} value={search.kind ?? ''} onChange={(kind) => set({ kind: kind || undefined, ticket: undefined })}
          options={[['', t('tickets.anyKind')], ...kinds.map((kind) => [kind, t(`ticketKind.${kind}`)] as const)]} />
        <span className="ml-auto flex">
          {can('tickets.configure') && (
            <Link to="/macros" search={{}} className={beside}>
              {t('macros.title')}
            </Link>
          )}
          {can('complaints.read') && (
            <Link to="/complaints" search={{}} className={beside}>
              {t('complaint.list')}
            </Link>
          )}
        </span>
      </div>
      <div className="min-h-0 flex-1 overflow-auto">
        <Loaded query={query} lines={10}>
          {(d) => {
            const rows = d.pages.flatMap((p) => p.items ?? [])
            if (rows.length === 0)
              return (
                <Empty title={t('tickets.none')}>
                  <p>{t('tickets.noneHint')}</p>
                </Empty>
              )
            return (
              <>
                <ul ref={list} onKeyDown={keys} className="divide-y divide-line">
                  {rows.map((one) => (
                    <Row key={one.ticket_id} ticket={one} chosen={one.ticket_id === search.ticket} />
                  ))}
                </ul>
                <More of={query} inCard />
              </>
            )
          }}
        </Loaded>
      </div>
    </section>
  )
}

function Row({ ticket, chosen }: { ticket: Ticket; chosen: boolean }) {
  const { t, language } = useI18n()
  return (
    <li>
      <Link
        from="/tickets"
        to="/tickets"
        search={(s) => ({ ...s, ticket: ticket.ticket_id })}
        aria-current={chosen ? 'true' : undefined}
        className={`block border-l-3 px-3 py-2.5 -outline-offset-2 ${chosen ? 'border-accent bg-accent-soft' : 'border-transparent hover:bg-sunken'}`}
      >
        <span className="flex items-start justify-between gap-3">
          <span className="min-w-0 truncate font-medium">{ticket.subject}</span>
          {ticket.next_due_at ? <Due at={ticket.next_due_at} /> : <span className="shrink-0 text-xs text-faint">{time(language, ticket.opened_at)}</span>}
        </span>
        <span className="mt-1 flex flex-wrap items-center gap-1.5 text-xs text-soft">
          {ticket.number}
          <StatusBadge status={ticket.status} />
          {ticket.kind === 'complaint' && <Badge tone="warn">{t('ticketKind.complaint')}</Badge>}
          <span>{ticket.agent || t('tickets.noAgent')}</span>
        </span>
      </Link>
    </li>
  )
}

const statusTone = { new: 'accent', open: 'accent', pending: 'plain', on_hold: 'plain', resolved: 'good', closed: 'plain' } as const

export function StatusBadge({ status }: { status: Ticket['status'] }) {
  const { t } = useI18n()
  return <Badge tone={statusTone[status]}>{t(`ticketStatus.${status}`)}</Badge>
}
