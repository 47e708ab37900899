import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { createColumnHelper, flexRender, getCoreRowModel, useReactTable } from '@tanstack/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react'
import type { operations } from '../api/accounts'
import { accounts, body } from '../api/client'
import { useSession } from '../api/session'
import { date, time } from '../format'
import { useI18n } from '../i18n'
import { Withheld } from '../ui/Withheld'
import { Badge, Button, Empty, Loaded, Select } from '../ui/parts'

const route = getRouteApi('/customers')

type Row = operations['search-customers']['responses'][200]['content']['application/json']['items'][number]

const rowHeight = 44 // pixels
const page = 100
const columns = createColumnHelper<Row>()

/** pause is how long nobody has typed before it is asked for, in milliseconds. */
const pause = 250

export function Customers() {
  const { t } = useI18n()
  const { can } = useSession()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/customers' })
  const [typed, setTyped] = useState(search.q ?? '')
  useEffect(() => {
    const timer = setTimeout(() => {
      if ((search.q ?? '') !== typed) void navigate({ search: (s) => ({ ...s, q: typed || undefined }), replace: true })
    }, pause)
    return () => clearTimeout(timer)
  }, [typed, search.q, navigate])
  const query = useInfiniteQuery({
    queryKey: ['accounts', 'search', search],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      body(
        accounts.GET('/v1/customers/search', {
          params: {
            query: {
              q: search.q, kind: search.kind, state: search.state ?? 'active', limit: page, cursor: pageParam,
              sort: search.sort ?? (search.q ? 'relevance' : 'registered_at'),
            },
          },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next_cursor || undefined,
    placeholderData: (before) => before,
  })
  const any = search.q || search.kind || search.state
  const set = (part: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...part }), replace: true })
  return (
    <div className="flex h-[calc(100dvh-7.5rem)] flex-col gap-3 p-4 md:h-full md:p-6">
      <h1 className="text-xl font-semibold">{t('customers.title')}</h1>
      <div className="flex flex-wrap items-end gap-2">
        <input type="search" className="field w-full sm:w-64" aria-label={t('customers.find')} placeholder={t('customers.find')} value={typed} onChange={(e) => setTyped(e.target.value)} />
        <Select bare label={t('customers.kind')} value={search.kind ?? ''} onChange={(kind) => set({ kind: kind || undefined })}
          options={[['', t('customers.any')], ['person', t('kind.person')], ['organisation', t('kind.organisation')]]} />
        <Select bare label={t('customers.state')} value={search.state ?? ''} onChange={(state) => set({ state: state || undefined })}
          options={[['', t('custState.active')], ['archived', t('custState.archived')], ['any', t('custState.any')]]} />
        <Select bare label={t('customers.sort')} value={search.sort ?? ''} onChange={(sort) => set({ sort: sort || undefined })}
          options={search.q
            ? [['', t('sort.relevance')], ['name', t('sort.name')]]
            : [['', t('sort.registered_at')], ['name', t('sort.name')]]} />
        {can('customers.merge') && (
          <Link to="/duplicates" search={{}} className="ml-auto inline-flex h-9 items-center rounded-md px-2 text-accent hover:bg-sunken">
            {t('duplicates.title')}
          </Link>
        )}
      </div>
      <Loaded query={query} lines={12}>
        {(d) => {
          const rows = d.pages.flatMap((p) => p.items ?? [])
          return (
            <>
              <Withheld of={d.pages[0]?.withheld ?? []} />
              {rows.length === 0 ? (
                <Empty title={t('customers.none')}>
                  {any && (
                    <>
                      <p>{t('customers.noneHint')}</p>
                      <Button
                        onClick={() => {
                          setTyped('')
                          void navigate({ search: {} })
                        }}
                      >
                        {t('customers.clear')}
                      </Button>
                    </>
                  )}
                </Empty>
              ) : (
                <Table rows={rows} noName={t(d.pages[0]?.withheld?.some((one) => one.class === 'identity') ? 'customers.nameHidden' : 'customers.noName')} asOf={d.pages[0]!.as_of} more={query.hasNextPage} busy={query.isFetchingNextPage} load={() => void query.fetchNextPage()} />
              )}
            </>
          )
        }}
      </Loaded>
    </div>
  )
}

function useColumns(noName: string) {
  const { t, language } = useI18n()
  return useMemo(
    () => [
      columns.accessor('display_name', {
        header: () => t('customers.name'),
        cell: (c) => (
          <Link data-row to="/customers/$customerId" params={{ customerId: c.row.original.customer_id }} search={{}} className="block truncate py-2.5 font-medium hover:text-accent hover:underline">
            {c.getValue() || noName}
          </Link>
        ),
      }),
      columns.accessor('kind', { header: () => t('customers.kind'), cell: (c) => { const kind = c.getValue(); return kind ? t(`kind.${kind}`) : '' } }),
      columns.accessor('owner', { header: () => t('customers.owner'), cell: (c) => c.getValue() ?? '' }),
      columns.accessor('tags', {
        header: () => t('customers.tags'),
        cell: (c) => <span className="flex gap-1 overflow-hidden">{c.getValue()?.map((tag) => <Badge key={tag}>{tag}</Badge>)}</span>,
      }),
      columns.accessor('registered_at', { header: () => t('customers.registered'), cell: (c) => date(language, c.getValue()) }),
    ],
    [t, language, noName],
  )
}

const grid = 'grid grid-cols-[1fr_auto] sm:grid-cols-[minmax(10rem,2fr)_7rem_9rem_minmax(6rem,1fr)_8rem] items-center gap-3 px-4'
// A narrow page has room for name and date only.
const narrow: Record<string, string> = { kind: 'max-sm:hidden', owner: 'max-sm:hidden', tags: 'max-sm:hidden' }

function Table({ rows, noName, asOf, more, busy, load }: { rows: Row[]; noName: string; asOf: string; more: boolean; busy: boolean; load: () => void }) {
  const { t, language } = useI18n()
  const table = useReactTable({ data: rows, columns: useColumns(noName), getCoreRowModel: getCoreRowModel(), getRowId: (row) => row.customer_id })
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => rowHeight, overscan: 12 })
  const shown = virtual.getVirtualItems()
  const last = shown.at(-1)?.index ?? 0
  useEffect(() => {
    if (more && !busy && last >= rows.length - 20) load()
  }, [more, busy, last, rows.length, load])
  const keys = (e: KeyboardEvent) => {
    const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0
    if (!step) return
    e.preventDefault()
    const links = [...(scroller.current?.querySelectorAll<HTMLElement>('[data-row]') ?? [])]
    links[Math.max(0, links.indexOf(document.activeElement as HTMLElement) + step)]?.focus()
  }
  return (
    <div className="card flex min-h-0 flex-1 flex-col">
      <div ref={scroller} role="table" aria-label={t('customers.title')} aria-rowcount={more ? -1 : rows.length + 1} onKeyDown={keys} className="min-h-0 flex-1 overflow-auto">
        <div role="rowgroup" className="sticky top-0 z-10 border-b border-line bg-surface">
          {table.getHeaderGroups().map((group) => (
            <div role="row" key={group.id} className={`${grid} h-9 text-xs font-medium text-soft`}>
              {group.headers.map((header) => (
                <div role="columnheader" key={header.id} className={narrow[header.id]}>
                  {flexRender(header.column.columnDef.header, header.getContext())}
                </div>
              ))}
            </div>
          ))}
        </div>
        <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {shown.map((item) => {
            const row = table.getRowModel().rows[item.index]!
            return (
              <div role="row" aria-rowindex={item.index + 2} key={row.id} className={`${grid} absolute inset-x-0 border-b border-line hover:bg-sunken`} style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}>
                {row.getVisibleCells().map((cell) => (
                  <div role="cell" key={cell.id} className={`min-w-0 truncate ${narrow[cell.column.id] ?? ''}`}>
                    {flexRender(cell.column.columnDef.cell, cell.getContext())}
                  </div>
                ))}
              </div>
            )
          })}
        </div>
      </div>
      <footer className="flex flex-wrap justify-between gap-2 border-t border-line px-4 py-2 text-xs text-faint">
        <span>
          {t('customers.shown', { n: rows.length })} {more && t('customers.more')}
        </span>
        <span>{t('state.asOf', { at: time(language, asOf) })}</span>
      </footer>
    </div>
  )
}
