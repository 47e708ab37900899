import { useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { body, once, tickets } from '../../api/client'
import { Problem } from '../../api/problem'
import { useI18n } from '../../i18n'
import { Button, Field, Select } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { useProblemText } from '../../ui/problems'
import type { Read } from './Conversation'
import { Macros } from './Macros'

const after = ['open', 'pending', 'on_hold', 'resolved', 'closed'] as const

/** Reply writes to the customer or to colleagues, with the status that follows, and runs macros. */
export function Reply({ read: { value: ticket, etag } }: { read: Read }) {
  const { t } = useI18n()
  const say = useProblemText()
  const client = useQueryClient()
  const { done } = useToasts()
  const [note, setNote] = useState(false)
  const [words, setWords] = useState('')
  const [status, setStatus] = useState<(typeof after)[number] | ''>('')
  const [resolution, setResolution] = useState('')
  // The same words that are sent again after a failure are the same reply.
  const [key, setKey] = useState(once)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const conflict = error instanceof Problem && error.status === 412

  if (ticket.merged_into) return <p className="text-soft">{t('reply.merged')}</p>
  if (ticket.status === 'closed') return <p className="text-soft">{t('reply.closed')}</p>

  const send = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    const path = { ticket_id: ticket.ticket_id }
    try {
      if (note) await body(tickets.POST('/v1/tickets/{ticket_id}/notes', { params: { path, header: key }, body: { words } }))
      else
        await body(
          tickets.POST('/v1/tickets/{ticket_id}/replies', {
            params: { path, header: { ...key, 'If-Match': etag } },
            body: {
              author: 'agent',
              words,
              status: status || undefined,
              resolution: status === 'resolved' || status === 'closed' ? resolution || undefined : undefined,
            },
          }),
        )
      done(t(note ? 'reply.noted' : 'reply.sent'))
      setWords('')
      setStatus('')
      setKey(once())
    } catch (problem) {
      setError(problem)
      // What was refused may be sent again with something changed: that is another request.
      if (problem instanceof Problem) setKey(once())
    } finally {
      setBusy(false)
      void client.invalidateQueries({ queryKey: ['tickets'] })
    }
  }

  return (
    <div className="card flex flex-col gap-3 p-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <div role="group" className="flex gap-1">
          {[false, true].map((one) => (
            <button key={String(one)} type="button" aria-pressed={note === one} onClick={() => setNote(one)} className="h-9 rounded-md px-3 font-medium text-soft hover:bg-sunken aria-pressed:bg-accent-soft aria-pressed:text-accent">
              {t(one ? 'reply.note' : 'reply.reply')}
            </button>
          ))}
        </div>
        <Macros read={{ value: ticket, etag }} />
      </div>
      <form onSubmit={(e) => void send(e)} className="flex flex-col gap-3">
        {error !== null && (
          <p role="alert" className={`rounded-md p-3 ${conflict ? 'bg-warn-soft text-warn' : 'bg-bad-soft text-bad'}`}>
            {conflict ? t('reply.conflict') : say(error)}
          </p>
        )}
        <textarea
          required
          rows={4}
          aria-label={t(note ? 'reply.noteWords' : 'reply.words')}
          placeholder={t(note ? 'reply.noteWords' : 'reply.words')}
          value={words}
          onChange={(e) => setWords(e.target.value)}
          className={`field h-auto w-full resize-y py-2 ${note ? 'border-warn bg-warn-soft' : ''}`}
        />
        <div className="flex flex-wrap items-end justify-end gap-3">
          {!note && (
            <>
              <Select label={t('reply.then')} value={status} onChange={setStatus} options={[['', t('reply.stay')], ...after.map((one) => [one, t(`ticketStatus.${one}`)] as const)]} />
              {(status === 'resolved' || status === 'closed') && (
                <Field label={t('reply.resolution')}>
                  {(id) => <input id={id} className="field" value={resolution} placeholder="solved" onChange={(e) => setResolution(e.target.value)} />}
                </Field>
              )}
            </>
          )}
          <Button look="primary" type="submit" disabled={busy || words.trim() === ''}>
            {t(note ? 'reply.addNote' : 'reply.send')}
          </Button>
        </div>
      </form>
    </div>
  )
}
