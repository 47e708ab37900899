import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useRef } from 'react'
import { body, tickets } from '../api/client'
import { time } from '../format'
import { useI18n } from '../i18n'
import { Due } from '../ui/Due'
import { useArrows } from '../ui/arrows'
import { Badge, Empty, Loaded, More, Select } from '../ui/parts'
import { StageBadge } from './Complaint'

const route = getRouteApi('/complaints')
const stages = ['registered', 'assessed', 'assigned', 'disputed', 'found', 'proposed', 'offered', 'accepted', 'stuck', 'verifying', 'answering', 'closed'] as const

/** Complaints are all of the tenant by the step that they wait in, the latest first. */
export function Complaints() {
  const { t, language } = useI18n()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/complaints' })
  const list = useRef<HTMLUListElement>(null)
  const keys = useArrows(list)
  const query = useInfiniteQuery({
    queryKey: ['tickets', 'complaints', search.stage],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => body(tickets.GET('/v1/complaints', { params: { query: { stage: search.stage, limit: 50, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor || undefined,
    placeholderData: (before) => before,
  })
  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-3 p-4 md:p-6">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h1 className="text-xl font-semibold">{t('complaint.list')}</h1>
        <Select bare label={t('complaint.stageLabel')} value={search.stage ?? ''} onChange={(stage) => void navigate({ search: (s) => ({ ...s, stage: stage || undefined }), replace: true })}
          options={[['', t('complaint.anyStage')], ...stages.map((stage) => [stage, t(`stageOf.${stage}`)] as const)]} />
      </div>
      <div className="card overflow-hidden">
        <Loaded query={query} lines={8}>
          {(d) => {
            const rows = d.pages.flatMap((page) => page.items)
            if (rows.length === 0) return <Empty title={t('complaint.listNone')} />
            return (
              <ul ref={list} onKeyDown={keys} className="divide-y divide-line">
                {rows.map((one) => (
                  <li key={one.complaint_id}>
                    <Link to="/complaints/$complaintId" params={{ complaintId: one.complaint_id }} className="flex items-start justify-between gap-3 px-4 py-2.5 -outline-offset-2 hover:bg-sunken">
                      <span className="min-w-0">
                        <span className="block truncate font-medium">{one.description || one.number}</span>
                        <span className="mt-1 flex flex-wrap items-center gap-1.5 text-xs text-soft">
                          {one.number}
                          <StageBadge of={one} />
                          <Badge>{t(`cause.${one.category as 'other'}`)}</Badge>
                          {one.escalated_at && <Badge tone="warn">{t('complaint.escalated')}</Badge>}
                          <span>{time(language, one.registered_at)}</span>
                        </span>
                      </span>
                      {one.due_at && one.stage !== 'closed' && <Due at={one.due_at} />}
                    </Link>
                  </li>
                ))}
              </ul>
            )
          }}
        </Loaded>
      </div>
      <More of={query} />
    </div>
  )
}
