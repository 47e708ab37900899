import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useChange, type Version } from '../../api/change'
import { accounts, tagged } from '../../api/client'
import { changed, conflicts, draftOf, fields, merged, patchOf, type Draft, type Field as Name } from '../../edit'
import { useI18n } from '../../i18n'
import { Dialog } from '../../ui/Dialog'
import { Field, FormEnd, Loaded } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'

async function read(id: string): Promise<Version<Draft>> {
  const { value, etag } = await tagged(accounts.GET('/v1/customers/{customer_id}', { params: { path: { customer_id: id } } }))
  return { value: draftOf(value), etag }
}

export function Edit({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useI18n()
  // Read once: a refresh while somebody writes would take the words away.
  const query = useQuery({ queryKey: ['edit', id], queryFn: () => read(id), staleTime: Infinity, gcTime: 0 })
  return (
    <Dialog title={t('edit.title')} onClose={onClose}>
      <Loaded query={query} lines={6}>
        {(first) => <Form id={id} first={first} onClose={onClose} />}
      </Loaded>
    </Dialog>
  )
}

function Form({ id, first, onClose }: { id: string; first: Version<Draft>; onClose: () => void }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done } = useToasts()
  const [mine, setMine] = useState(first.value)
  const [open, setOpen] = useState<{ theirs: Draft; fields: Name[] } | null>(null)
  const { busy, error, save } = useChange(first, {
    read: () => read(id),
    send: async ({ value, etag }) => {
      if (changed(value, mine).length === 0) return onClose()
      await tagged(accounts.PATCH('/v1/customers/{customer_id}', { params: { path: { customer_id: id }, header: { 'If-Match': etag } }, body: patchOf(value, mine) }))
      done(t('edit.saved'))
      void client.invalidateQueries({ queryKey: ['accounts'] })
      onClose()
    },
    // What they wrote is taken over, what I wrote stays, and where both wrote it is asked.
    met: (base, theirs) => {
      setOpen({ theirs, fields: conflicts(base, mine, theirs) })
      setMine(merged(base, mine, theirs))
    },
  })
  return (
    <form onSubmit={(e) => void save(e)} className="flex flex-col gap-3 p-4">
      {open && (
        <p role="alert" className="rounded-md bg-warn-soft p-3 text-warn">
          {t(open.fields.length > 0 ? 'edit.conflict' : 'edit.merged')}
        </p>
      )}
      {fields.map((name) => (
        <Field key={name} label={t(`edit.${name}`)}>
          {(field) => (
            <>
              <input id={field} className={`field ${open?.fields.includes(name) ? 'border-warn' : ''}`} value={mine[name]} onChange={(e) => setMine({ ...mine, [name]: e.target.value })} />
              {open?.fields.includes(name) && <Choice name={name} mine={mine[name]} theirs={open.theirs[name]} take={(value) => setMine({ ...mine, [name]: value })} />}
            </>
          )}
        </Field>
      ))}
      <FormEnd error={error} disabled={busy} onCancel={onClose} />
    </form>
  )
}

/** Choice offers both values of a field; what was mine when the conflict came can be taken back. */
function Choice({ name, mine, theirs, take }: { name: Name; mine: string; theirs: string; take: (value: string) => void }) {
  const { t } = useI18n()
  const [own] = useState(mine)
  return (
    <div role="group" aria-label={t(`edit.${name}`)} className="flex flex-wrap gap-2 text-xs">
      {([['edit.mine', own], ['edit.theirs', theirs]] as const).map(([key, value]) => (
        <button key={key} type="button" aria-pressed={mine === value} onClick={() => take(value)} className="rounded border border-strong-line px-2 py-1 text-left aria-pressed:border-accent aria-pressed:bg-accent-soft">
          {t(key, { value: value || t('edit.empty') })}
        </button>
      ))}
    </div>
  )
}
