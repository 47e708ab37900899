import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { useChange, type Version } from '../../api/change'
import { body, once, tagged, tickets } from '../../api/client'
import { Problem } from '../../api/problem'
import { useI18n } from '../../i18n'
import { cleaned, type Macro, type MacroAction } from '../../macro'
import { Dialog } from '../../ui/Dialog'
import { Button, Field, FormEnd, Loaded } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { Action } from './Action'

const most = 20 // actions, of a macro

interface Draft {
  name: string
  actions: MacroAction[]
}

/** sent is a draft as the service takes it. */
function sent(draft: Draft): Draft {
  return { name: draft.name, actions: draft.actions.map(cleaned) }
}

export function NewMacro({ onClose }: { onClose: () => void }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done } = useToasts()
  const [draft, setDraft] = useState<Draft>({ name: '', actions: [{ do: 'reply' }] })
  const [key, setKey] = useState(once)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const make = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      const made = await body(tickets.POST('/v1/macros', { params: { header: key }, body: sent(draft) }))
      done(t('macros.saved', { name: made.name }))
      onClose()
    } catch (problem) {
      setError(problem)
      // What was refused may be sent again with something changed: that is another request.
      if (problem instanceof Problem) setKey(once())
    } finally {
      setBusy(false)
      void client.invalidateQueries({ queryKey: ['tickets', 'macros'] })
    }
  }
  return (
    <Dialog title={t('macros.new')} onClose={onClose} wide>
      <Form draft={draft} onChange={setDraft} save={make} busy={busy} error={error} onClose={onClose} />
    </Dialog>
  )
}

async function read(id: string): Promise<Version<Macro>> {
  return tagged(tickets.GET('/v1/macros/{macro_id}', { params: { path: { macro_id: id } } }))
}

export function EditMacro({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useI18n()
  // Read once: a refresh while somebody writes would take the words away.
  const query = useQuery({ queryKey: ['edit', 'macro', id], queryFn: () => read(id), staleTime: Infinity, gcTime: 0 })
  return (
    <Dialog title={t('macros.edit')} onClose={onClose} wide>
      <Loaded query={query} lines={6}>
        {(first) => <Change id={id} first={first} onClose={onClose} />}
      </Loaded>
    </Dialog>
  )
}

function Change({ id, first, onClose }: { id: string; first: Version<Macro>; onClose: () => void }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done } = useToasts()
  const [draft, setDraft] = useState<Draft>({ name: first.value.name, actions: first.value.actions })
  const { theirs, busy, error, save } = useChange(first, {
    read: () => read(id),
    send: async ({ etag }) => {
      const made = await body(tickets.PUT('/v1/macros/{macro_id}', { params: { path: { macro_id: id }, header: { 'If-Match': etag } }, body: sent(draft) }))
      done(t('macros.saved', { name: made.name }))
      void client.invalidateQueries({ queryKey: ['tickets', 'macros'] })
      onClose()
    },
  })
  return <Form draft={draft} onChange={setDraft} save={save} busy={busy} error={error} note={theirs ? t('macros.conflict', { name: theirs.name }) : undefined} onClose={onClose} />
}

interface FormProps {
  draft: Draft
  onChange: (draft: Draft) => void
  save: (e: FormEvent) => Promise<void>
  busy: boolean
  error: unknown
  note?: string
  onClose: () => void
}

function Form({ draft, onChange, save, busy, error, note, onClose }: FormProps) {
  const { t } = useI18n()
  const { actions } = draft
  const set = (next: MacroAction[]) => onChange({ ...draft, actions: next })
  return (
    <form className="flex flex-col gap-3 p-4" onSubmit={(e) => void save(e)}>
      {note && (
        <p role="alert" className="rounded-md bg-warn-soft p-3 text-warn">
          {note}
        </p>
      )}
      <Field label={t('macros.name')}>
        {(id) => <input id={id} required maxLength={100} className="field" value={draft.name} onChange={(e) => onChange({ ...draft, name: e.target.value })} />}
      </Field>
      <ol aria-label={t('macros.actions')} className="flex flex-col gap-3">
        {actions.map((action, i) => (
          <li key={i}>
            <Action
              n={i + 1}
              action={action}
              onChange={(next) => set(actions.with(i, next))}
              onUp={i > 0 ? () => set(actions.with(i, actions[i - 1]!).with(i - 1, action)) : undefined}
              onRemove={actions.length > 1 ? () => set(actions.toSpliced(i, 1)) : undefined}
            />
          </li>
        ))}
      </ol>
      <Button className="self-start" disabled={actions.length >= most} onClick={() => set([...actions, { do: 'status' }])}>
        {t('macros.add')}
      </Button>
      <FormEnd error={error} disabled={busy} onCancel={onClose} />
    </form>
  )
}
