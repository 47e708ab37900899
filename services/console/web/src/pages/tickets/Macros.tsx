import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useId, useState, type FormEvent } from 'react'
import { body, once, tickets } from '../../api/client'
import { useSession } from '../../api/session'
import { useI18n } from '../../i18n'
import { asked, filled, type Macro, type MacroAction } from '../../macro'
import { Dialog } from '../../ui/Dialog'
import { Button, Field } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import type { Read } from './Conversation'

/** Macros offers the series of actions that are taken again and again, and shows what one does before it is done. */
export function Macros({ read }: { read: Read }) {
  const { t } = useI18n()
  const id = useId()
  const [chosen, choose] = useState<Macro | null>(null)
  const query = useQuery({ queryKey: ['tickets', 'macros'], queryFn: () => body(tickets.GET('/v1/macros', { params: { query: { limit: 200 } } })) })
  const macros = query.data?.items ?? []
  if (macros.length === 0) return null
  return (
    <>
      <Button popoverTarget={id} style={{ anchorName: `--${CSS.escape(id)}` }}>
        {t('macro.title')}
      </Button>
      <div id={id} popover="auto" style={{ positionAnchor: `--${CSS.escape(id)}` }} className="menu card max-h-80 w-64 overflow-auto p-1 text-ink shadow-xl">
        {macros.map((one) => (
          <button key={one.macro_id} type="button" popoverTarget={id} popoverTargetAction="hide" onClick={() => choose(one)} className="block w-full rounded px-3 py-2 text-left hover:bg-sunken">
            {one.name}
          </button>
        ))}
      </div>
      {chosen && <Run macro={chosen} read={read} onClose={() => choose(null)} />}
    </>
  )
}

function Run({ macro, read: { value: ticket, etag }, onClose }: { macro: Macro; read: Read; onClose: () => void }) {
  const { t } = useI18n()
  const { subject } = useSession()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const [values, setValues] = useState<Record<string, string>>({})
  const [busy, setBusy] = useState(false)
  const [key] = useState(once)
  const run = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    try {
      await body(
        tickets.POST('/v1/tickets/{ticket_id}/macros/{macro_id}', {
          params: { path: { ticket_id: ticket.ticket_id, macro_id: macro.macro_id }, header: { 'If-Match': etag, ...key } },
          body: { values },
        }),
      )
      done(t('macro.done', { name: macro.name }))
    } catch (error) {
      failed(error)
    }
    onClose()
    void client.invalidateQueries({ queryKey: ['tickets'] })
  }
  return (
    <Dialog title={macro.name} onClose={onClose}>
      <form className="flex flex-col gap-3 p-4" onSubmit={(e) => void run(e)}>
        {asked(macro.actions ?? []).map((name) => (
          <Field key={name} label={name.replaceAll('_', ' ')}>
            {(id) => <input id={id} required className="field" value={values[name] ?? ''} onChange={(e) => setValues({ ...values, [name]: e.target.value })} />}
          </Field>
        ))}
        <ol className="flex flex-col gap-2" aria-label={t('macro.does')}>
          {(macro.actions ?? []).map((action, i) => (
            <li key={i}>
              <span className="font-medium">{does(t, action)}</span>
              {action.words && <p className="mt-1 rounded-md bg-sunken p-2 break-words whitespace-pre-wrap">{filled(action.words, ticket, subject, values)}</p>}
            </li>
          ))}
        </ol>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button look="primary" type="submit" disabled={busy}>
            {t('macro.run')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** does says what an action does, in words. */
export function does(t: ReturnType<typeof useI18n>['t'], action: MacroAction): string {
  const parts: string[] = []
  if (action.status) parts.push(t('macro.status', { status: t(`ticketStatus.${action.status}`) }))
  if (action.resolution) parts.push(action.resolution)
  if (action.add?.length) parts.push(t('macro.add', { tags: action.add.join(', ') }))
  if (action.remove?.length) parts.push(t('macro.remove', { tags: action.remove.join(', ') }))
  if (action.agent !== undefined) parts.push(action.agent === 'me' ? t('tickets.take') : action.agent ? t('tickets.agent', { agent: action.agent }) : t('tickets.noAgent'))
  if (action.queue !== undefined) parts.push(t('tickets.queue', { queue: action.queue || '–' }))
  if (action.category !== undefined) parts.push(t('macro.category', { category: action.category || '–' }))
  if (action.impact) parts.push(t('macro.impact', { n: action.impact }))
  if (action.urgency) parts.push(t('macro.urgency', { n: action.urgency }))
  if (action.do === 'reply') return t('macro.reply')
  if (action.do === 'note') return t('reply.note')
  return parts.join(' · ')
}
