import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useId, useState } from 'react'
import { body, once, sales } from '../api/client'
import type { operations } from '../api/sales'
import { useSession } from '../api/session'
import { moved } from '../board'
import { date, money } from '../format'
import { useI18n } from '../i18n'
import { Badge, Button, Empty, Loaded, Select } from '../ui/parts'
import { useToasts } from '../ui/Toasts'

const route = getRouteApi('/pipeline')

type Board = operations['get-board']['responses'][200]['content']['application/json']
type Stage = NonNullable<Board['stages']>[number]
type Deal = NonNullable<Stage['cards']>[number]

/** Pipeline shows the open deals by stage. */
export function Pipeline() {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/pipeline' })
  const query = useQuery({ queryKey: ['sales', 'pipelines'], queryFn: () => body(sales.GET('/v1/pipelines')) })
  const set = (part: Partial<typeof search>) => void navigate({ search: (s) => ({ ...s, ...part }), replace: true })
  return (
    <div className="flex h-[calc(100dvh-7.5rem)] flex-col gap-3 p-4 md:h-full md:p-6">
      <div className="flex items-center justify-between gap-2">
        <h1 className="text-xl font-semibold">{t('pipeline.title')}</h1>
        <Link to="/forecast" search={{}} className="inline-flex h-9 items-center rounded-md px-2 text-accent hover:bg-sunken">
          {t('forecast.title')}
        </Link>
      </div>
      <Loaded query={query} lines={8}>
        {(d) => {
          const all = (d.items ?? []).filter((one) => !one.archived)
          const chosen = all.find((one) => one.code === search.pipeline) ?? all[0]
          if (!chosen)
            return (
              <Empty title={t('pipeline.none')}>
                <p>{t('pipeline.noneHint')}</p>
              </Empty>
            )
          return (
            <>
              <div className="flex flex-wrap gap-2">
                <Select bare label={t('pipeline.choose')} value={chosen.code} onChange={(pipeline) => set({ pipeline })} options={all.map((one) => [one.code, one.name] as const)} />
                <Select bare label={t('pipeline.owner')} value={search.owner ?? ''} onChange={(owner) => set({ owner: owner || undefined })} options={[['', t('pipeline.everybody')], ['me', t('pipeline.mine')]]} />
                <Select bare label={t('pipeline.sort')} value={search.sort ?? ''} onChange={(sort) => set({ sort: sort || undefined })}
                  options={[['', t('pipelineSort.expected_close')], ['amount', t('pipelineSort.amount')], ['age', t('pipelineSort.age')]]} />
              </div>
              <BoardOf code={chosen.code} />
            </>
          )
        }}
      </Loaded>
    </div>
  )
}

/** asked is what of a pipeline is asked for. */
function useAsked() {
  const { subject } = useSession()
  const search = route.useSearch()
  return { owner: search.owner === 'me' ? subject : undefined, sort: search.sort ?? ('expected_close' as const) }
}

function BoardOf({ code }: { code: string }) {
  const { t } = useI18n()
  const asked = useAsked()
  const { can } = useSession()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const key = ['sales', 'board', code, asked.owner, asked.sort]
  const query = useQuery({
    queryKey: key,
    queryFn: () => body(sales.GET('/v1/pipelines/{code}/board', { params: { path: { code }, query: { ...asked, cards: 20 } } })),
    placeholderData: (before) => (before?.pipeline === code ? before : undefined),
  })
  // The board shows at once what was meant, and what was before when it is refused.
  const move = useMutation({
    mutationFn: ({ deal, to }: { deal: Deal; to: Stage }) =>
      body(
        sales.POST('/v1/opportunities/{opportunity_id}/move', {
          params: { path: { opportunity_id: deal.opportunity_id }, header: once() },
          body: { stage: to.code },
        }),
      ),
    onMutate: async ({ deal, to }) => {
      await client.cancelQueries({ queryKey: ['sales', 'board'] })
      const before = client.getQueryData<Board>(key)
      if (before) client.setQueryData<Board>(key, { ...before, stages: moved(before.stages, deal.opportunity_id, to.code) })
      return before
    },
    onSuccess: (_, { deal, to }) => done(t('pipeline.moved', { name: deal.name, stage: to.name })),
    onError: (error, _, before) => {
      if (before) client.setQueryData(key, before)
      failed(error)
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['sales', 'board'] }),
  })
  return (
    <Loaded query={query} lines={8}>
      {(board) => (
        <div className="flex min-h-0 flex-1 gap-3 overflow-x-auto pb-2">
          {board.stages.map((stage) => (
            <Column key={stage.code} code={code} stage={stage} stages={board.stages} onMove={can('sales.write') ? (deal, to) => move.mutate({ deal, to }) : undefined} />
          ))}
        </div>
      )}
    </Loaded>
  )
}

type Move = (deal: Deal, to: Stage) => void

const dragged = 'application/x-guanxi-deal'

function Column({ code, stage, stages, onMove }: { code: string; stage: Stage; stages: Stage[]; onMove?: Move }) {
  const { t, language } = useI18n()
  const [over, setOver] = useState(false)
  const asked = useAsked()
  const [wanted, setWanted] = useState(false)
  const rest = useInfiniteQuery({
    queryKey: ['sales', 'board', code, 'stage', stage.code, asked.owner, asked.sort, stage.next_cursor],
    enabled: wanted && stage.next_cursor !== undefined,
    initialPageParam: stage.next_cursor,
    queryFn: ({ pageParam }) =>
      body(sales.GET('/v1/pipelines/{code}/board/{stage}', { params: { path: { code, stage: stage.code }, query: { ...asked, limit: 50, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor || undefined,
  })
  const deals = [...stage.cards, ...(rest.data?.pages.flatMap((p) => p.items ?? []) ?? [])]
  const more = rest.data ? rest.hasNextPage : Boolean(stage.next_cursor)
  const drop = (e: React.DragEvent) => {
    setOver(false)
    const id = e.dataTransfer.getData(dragged)
    const deal = stages.flatMap((one) => one.cards).find((one) => one.opportunity_id === id)
    if (deal && !deals.some((one) => one.opportunity_id === id)) onMove?.(deal, stage)
  }
  return (
    <section
      aria-label={stage.name}
      onDragOver={(e) => {
        if (!onMove || !e.dataTransfer.types.includes(dragged)) return
        e.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={`flex w-72 shrink-0 flex-col rounded-lg border bg-sunken xl:w-auto xl:min-w-60 xl:flex-1 ${over ? 'border-accent' : 'border-line'}`}
    >
      <header className="border-b border-line px-3 py-2">
        <div className="flex items-baseline justify-between gap-2">
          <h2 className="font-semibold">{stage.name}</h2>
          <span className="text-xs text-soft">
            {t('pipeline.deals', { n: stage.count })} · {stage.probability} %
          </span>
        </div>
        {stage.sums.map((sum) => (
          <div key={sum.currency} className="flex flex-wrap justify-between gap-x-2 text-xs tabular-nums">
            <span>{money(language, sum.amount_minor, sum.currency)}</span>
            <span className="text-soft">{t('pipeline.weighted', { amount: money(language, sum.weighted_minor, sum.currency) })}</span>
          </div>
        ))}
      </header>
      <ul className="flex min-h-0 flex-1 flex-col gap-2 overflow-y-auto p-2">
        {deals.map((deal) => (
          <DealCard key={deal.opportunity_id} deal={deal} others={stages.filter((one) => one.code !== stage.code)} onMove={onMove} />
        ))}
        {deals.length === 0 && <li className="p-4 text-center text-soft">{t('pipeline.empty')}</li>}
        {more && (
          <li className="text-center">
            <Button look="quiet" disabled={rest.isFetching} onClick={() => (wanted ? void rest.fetchNextPage() : setWanted(true))}>
              {t('action.more')}
            </Button>
          </li>
        )}
      </ul>
    </section>
  )
}

function DealCard({ deal, others, onMove }: { deal: Deal; others: Stage[]; onMove?: Move }) {
  const { t, language } = useI18n()
  const id = useId()
  const anchor = `--${CSS.escape(id)}`
  return (
    <li draggable={onMove !== undefined} onDragStart={(e) => e.dataTransfer.setData(dragged, deal.opportunity_id)} className="card flex flex-col gap-1 p-3">
      <div className="flex items-start justify-between gap-2">
        <Link to="/opportunities/$opportunityId" params={{ opportunityId: deal.opportunity_id }} draggable={false} className="min-w-0 font-medium break-words hover:text-accent hover:underline">
          {deal.name || t('deal.noName')}
        </Link>
        {onMove && (
          <>
            <button type="button" popoverTarget={id} style={{ anchorName: anchor }} aria-label={t('pipeline.move', { name: deal.name })} title={t('pipeline.moveTo')} className="shrink-0 rounded px-1.5 text-soft hover:bg-sunken">
              ⋯
            </button>
            <div id={id} popover="auto" style={{ positionAnchor: anchor }} className="menu card w-52 p-1 text-ink shadow-xl">
              <div className="px-3 py-1.5 text-xs font-medium text-faint">{t('pipeline.moveTo')}</div>
              {others.map((stage) => (
                <button key={stage.code} type="button" popoverTarget={id} popoverTargetAction="hide" onClick={() => onMove(deal, stage)} className="block w-full rounded px-3 py-2 text-left hover:bg-sunken">
                  {stage.name}
                </button>
              ))}
            </div>
          </>
        )}
      </div>
      <div className="font-semibold tabular-nums">{money(language, deal.amount_minor, deal.currency)}</div>
      <div className="text-xs text-soft">
        {deal.owner && `${deal.owner} · `}
        {deal.expected_close_on ? t('pipeline.closes', { at: date(language, deal.expected_close_on) }) : t('pipeline.noClose')}
      </div>
      {deal.next_step && <div className="truncate text-xs">{deal.next_step}</div>}
      {deal.stalled && (
        <div>
          <Badge tone="warn">{t(`stalled.${deal.stalled}`)}</Badge>
        </div>
      )}
    </li>
  )
}
