import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { body, once, tagged, tickets } from '../../api/client'
import { useSession } from '../../api/session'
import { time } from '../../format'
import { useI18n } from '../../i18n'
import { Due } from '../../ui/Due'
import { Badge, Button, Empty, linkLook, Loaded } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { StatusBadge, type Ticket } from '../Tickets'
import { Reply } from './Reply'

export interface Read {
  value: Ticket
  etag: string
}

/** Conversation is one ticket: what is asked, by when, what was said, and the answer. */
export function Conversation({ id }: { id: string }) {
  const { can } = useSession()
  const query = useQuery({
    queryKey: ['tickets', 'one', id],
    queryFn: () => tagged(tickets.GET('/v1/tickets/{ticket_id}', { params: { path: { ticket_id: id } } })),
  })
  return (
    <div className="mx-auto flex max-w-4xl flex-col gap-4 p-4 md:p-6">
      <Loaded query={query} lines={8}>
        {(ticket) => (
          <>
            <Head read={ticket} />
            <Clocks id={id} />
            <Thread id={id} />
            {can('tickets.write') && <Reply read={ticket} />}
          </>
        )}
      </Loaded>
    </div>
  )
}

function Head({ read: { value: ticket, etag } }: { read: Read }) {
  const { t, language } = useI18n()
  const { can, subject } = useSession()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const over = ticket.status === 'closed' || ticket.merged_into !== undefined
  const take = async () => {
    try {
      await body(
        tickets.POST('/v1/tickets/{ticket_id}/assign', {
          params: { path: { ticket_id: ticket.ticket_id }, header: { 'If-Match': etag, ...once() } },
          body: { agent: subject },
        }),
      )
      done(t('tickets.taken', { number: ticket.number }))
    } catch (error) {
      failed(error)
    }
    void client.invalidateQueries({ queryKey: ['tickets'] })
  }
  return (
    <header className="flex flex-col gap-2">
      <Link from="/tickets" to="/tickets" search={(s) => ({ ...s, ticket: undefined })} className="text-accent lg:hidden">
        ← {t('action.back')}
      </Link>
      <div className="flex flex-wrap items-start justify-between gap-3">
        <h2 className="min-w-0 text-lg font-semibold break-words">{ticket.subject}</h2>
        <div className="flex flex-wrap gap-2">
          {ticket.kind === 'complaint' && can('complaints.read') && <ComplaintLink ticket={ticket.ticket_id} />}
          {ticket.customer_id && can('customers.read') && (
            <Link to="/customers/$customerId" params={{ customerId: ticket.customer_id }} search={{}} className={linkLook}>
              {t('tickets.customer')}
            </Link>
          )}
          {can('tickets.write') && !over && ticket.agent !== subject && <Button onClick={() => void take()}>{t('tickets.take')}</Button>}
        </div>
      </div>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-soft">
        <span>{ticket.number}</span>
        <StatusBadge status={ticket.status} />
        <Badge tone={ticket.kind === 'complaint' ? 'warn' : 'plain'}>{t(`ticketKind.${ticket.kind}`)}</Badge>
        <span>{t('tickets.priority', { n: ticket.priority })}</span>
        <span>{ticket.agent ? t('tickets.agent', { agent: ticket.agent }) : t('tickets.noAgent')}</span>
        {ticket.queue && <span>{t('tickets.queue', { queue: ticket.queue })}</span>}
        <time dateTime={ticket.opened_at} className="text-xs text-faint">
          {time(language, ticket.opened_at)}
        </time>
      </div>
    </header>
  )
}

/** ComplaintLink leads from a ticket to its complaint; a ticket of that kind may be there without one that is led through its steps. */
function ComplaintLink({ ticket }: { ticket: string }) {
  const { t } = useI18n()
  const query = useQuery({
    queryKey: ['tickets', 'complaint-of', ticket],
    queryFn: () => body(tickets.GET('/v1/complaints', { params: { query: { ticket_id: ticket, limit: 1 } } })),
  })
  const found = query.data?.items[0]
  if (!found) return null
  return (
    <Link to="/complaints/$complaintId" params={{ complaintId: found.complaint_id }} className="inline-flex h-9 items-center rounded-md bg-accent px-3 font-medium text-on-accent hover:brightness-95">
      {t('complaint.open')}
    </Link>
  )
}

/** Clocks are the time limits of the ticket. How far the server's clock is from ours is told by its answer. */
function Clocks({ id }: { id: string }) {
  const { t, language } = useI18n()
  const query = useQuery({
    queryKey: ['tickets', 'sla', id],
    queryFn: async () => {
      const sla = await body(tickets.GET('/v1/tickets/{ticket_id}/sla', { params: { path: { ticket_id: id } } }))
      return { ...sla, ahead: new Date(sla.at).getTime() - Date.now() }
    },
  })
  if (!query.data?.clocks?.length) return null
  const { clocks, ahead } = query.data
  return (
    <ul className="flex flex-wrap gap-2">
      {clocks.map((one) => {
        const runs = one.state === 'pending' || one.state === 'about_to_breach' || (one.state === 'breached' && !one.done_at)
        return (
          <li key={one.clock + one.round} className="card flex items-center gap-2 px-3 py-1.5">
            <span className="text-soft">{t(`clock.${one.clock}`)}</span>
            {runs && one.due_at ? (
              <Due at={one.due_at} ahead={ahead} />
            ) : (
              <Badge tone={one.state === 'met' ? 'good' : one.state === 'breached' ? 'bad' : 'plain'}>{t(`clockState.${one.state}`)}</Badge>
            )}
            {one.due_at && <span className="text-xs text-faint">{time(language, one.due_at)}</span>}
          </li>
        )
      })}
    </ul>
  )
}

function Thread({ id }: { id: string }) {
  const { t, language } = useI18n()
  const query = useInfiniteQuery({
    queryKey: ['tickets', 'thread', id],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) =>
      body(tickets.GET('/v1/tickets/{ticket_id}/thread', { params: { path: { ticket_id: id }, query: { internal: true, limit: 50, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor || undefined,
  })
  return (
    <div>
      <Loaded query={query} lines={5}>
        {(d) => {
          const said = d.pages.flatMap((p) => p.items ?? []).filter((one) => one.words !== '')
          if (said.length === 0)
            return (
              <div className="card">
                <Empty title={t('tickets.silent')}>
                  <p>{t('tickets.silentHint')}</p>
                </Empty>
              </div>
            )
          return (
            <ol className="flex flex-col gap-3">
              {said.map((one, i) => {
                const author = one.author ?? 'customer'
                const look = author === 'note' ? 'border-warn bg-warn-soft' : author === 'customer' ? 'border-line bg-surface' : 'border-line bg-accent-soft ml-6 md:ml-16'
                return (
                  <li key={one.reply_id ?? i} className={`rounded-lg border p-3 ${look}`}>
                    <div className="mb-1 flex flex-wrap justify-between gap-2 text-xs text-soft">
                      <span className="font-medium">
                        {t(`author.${author}`)}
                        {one.by && author !== 'customer' && ` · ${one.by}`}
                      </span>
                      <time dateTime={one.at}>{time(language, one.at)}</time>
                    </div>
                    <p className="break-words whitespace-pre-wrap">{one.words}</p>
                  </li>
                )
              })}
            </ol>
          )
        }}
      </Loaded>
      {query.hasNextPage && (
        <Button className="mt-3" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          {t('action.more')}
        </Button>
      )}
    </div>
  )
}
