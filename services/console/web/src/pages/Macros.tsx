import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { body, once, tickets } from '../api/client'
import { useSession } from '../api/session'
import { time } from '../format'
import { useI18n } from '../i18n'
import type { Macro } from '../macro'
import { Dialog } from '../ui/Dialog'
import { Button, Empty, Loaded, More, Select } from '../ui/parts'
import { useToasts } from '../ui/Toasts'
import { EditMacro, NewMacro } from './macros/Form'
import { does } from './tickets/Macros'

const route = getRouteApi('/macros')

/** Macros are the series of actions that the tenant's people take on tickets with one click, to be written, changed and archived. */
export function Macros() {
  const { t } = useI18n()
  const { can } = useSession()
  const { archived } = route.useSearch()
  const navigate = useNavigate({ from: '/macros' })
  const [making, make] = useState(false)
  const query = useInfiniteQuery({
    queryKey: ['tickets', 'macros', 'all', archived],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => body(tickets.GET('/v1/macros', { params: { query: { archived: archived === 'yes', limit: 50, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor || undefined,
  })
  return (
    <div className="mx-auto flex max-w-5xl flex-col gap-4 p-4 md:p-6">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h1 className="text-xl font-semibold">{t('macros.title')}</h1>
        <div className="flex flex-wrap gap-2">
          <Select<'' | 'yes'> bare label={t('macros.show')} value={archived ?? ''} onChange={(next) => void navigate({ search: { archived: next || undefined }, replace: true })}
            options={[['', t('macros.offered')], ['yes', t('macros.archived')]]} />
          {can('tickets.configure') && (
            <Button look="primary" onClick={() => make(true)}>
              {t('macros.new')}
            </Button>
          )}
        </div>
      </div>
      <div className="card overflow-hidden">
        <Loaded query={query} lines={6}>
          {(d) => {
            const rows = d.pages.flatMap((page) => page.items)
            if (rows.length === 0) return <Empty title={t(archived ? 'macros.noneArchived' : 'macros.none')}>{!archived && <p>{t('macros.noneHint')}</p>}</Empty>
            return (
              <ul className="divide-y divide-line">
                {rows.map((one) => (
                  <Row key={one.macro_id} macro={one} />
                ))}
              </ul>
            )
          }}
        </Loaded>
      </div>
      <More of={query} />
      <Link to="/tickets" search={{}} className="text-accent hover:underline">
        ← {t('tickets.title')}
      </Link>
      {making && <NewMacro onClose={() => make(false)} />}
    </div>
  )
}

function Row({ macro }: { macro: Macro }) {
  const { t, language } = useI18n()
  const { can } = useSession()
  const [open, setOpen] = useState<'edit' | 'archive' | null>(null)
  return (
    <li className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2 px-4 py-3">
      <div className="min-w-0 flex-1 basis-72">
        <h2 className="font-medium break-words">{macro.name}</h2>
        <ol className="text-soft">
          {macro.actions.map((action, i) => (
            <li key={i} className="truncate">
              {does(t, action)}
              {action.words && `: ${action.words}`}
            </li>
          ))}
        </ol>
        <p className="text-xs text-faint">{t('macros.changed', { at: time(language, macro.changed_at), who: macro.by })}</p>
      </div>
      {can('tickets.configure') && !macro.archived && (
        <span className="flex gap-2">
          <Button onClick={() => setOpen('edit')}>{t('action.edit')}</Button>
          <Button look="quiet" onClick={() => setOpen('archive')}>
            {t('macros.archive')}
          </Button>
        </span>
      )}
      {open === 'edit' && <EditMacro id={macro.macro_id} onClose={() => setOpen(null)} />}
      {open === 'archive' && <Archive macro={macro} onClose={() => setOpen(null)} />}
    </li>
  )
}

/** Archive asks first, as a macro that was archived does not come back. */
function Archive({ macro, onClose }: { macro: Macro; onClose: () => void }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const [key] = useState(once)
  const archive = useMutation({
    mutationFn: () =>
      body(tickets.POST('/v1/macros/{macro_id}/archive', { params: { path: { macro_id: macro.macro_id }, header: { 'If-Match': `"${macro.version}"`, ...key } } })),
    onSuccess: () => done(t('macros.wasArchived', { name: macro.name })),
    onError: failed,
    onSettled: () => {
      onClose()
      void client.invalidateQueries({ queryKey: ['tickets', 'macros'] })
    },
  })
  return (
    <Dialog title={t('macros.archiveTitle')} onClose={onClose}>
      <div className="flex flex-col gap-3 p-4">
        <p>{t('macros.archiveText', { name: macro.name })}</p>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button look="primary" disabled={archive.isPending} onClick={() => archive.mutate()}>
            {t('macros.archiveDo')}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
