import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { body, loyalty, once } from '../../api/client'
import { useSession } from '../../api/session'
import { useI18n } from '../../i18n'
import { Dialog } from '../../ui/Dialog'
import { Button, Field } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'

type Act = 'adjust' | 'suspend' | 'reinstate'

const saying = { adjust: 'member.adjusted', suspend: 'member.suspended', reinstate: 'member.reinstated' } as const
const usual = { adjust: 'correction', suspend: 'fraud_suspected', reinstate: 'checked' } as const

/** Manage books points by hand and suspends a member, or ends that. */
export function Manage({ id, state }: { id: string; state: string }) {
  const { t } = useI18n()
  const { can } = useSession()
  const [act, ask] = useState<Act | null>(null)
  const offered: Act[] = []
  if (state !== 'left' && can('loyalty.adjust')) offered.push('adjust')
  if (state === 'active' && can('loyalty.write')) offered.push('suspend')
  if (state === 'suspended' && can('loyalty.write')) offered.push('reinstate')
  return (
    <>
      {offered.map((one) => (
        <Button key={one} onClick={() => ask(one)}>
          {t(`member.${one}`)}
        </Button>
      ))}
      {act && <Ask key={act} id={id} act={act} onClose={() => ask(null)} />}
    </>
  )
}

function Ask({ id, act, onClose }: { id: string; act: Act; onClose: () => void }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const [points, setPoints] = useState('')
  const [reason, setReason] = useState<string>(usual[act])
  // Sent again after a lost answer, the same points are booked once.
  const [key, setKey] = useState(once)
  const [busy, setBusy] = useState(false)
  const send = async () => {
    const params = { path: { member_id: id }, header: key }
    setBusy(true)
    try {
      if (act === 'adjust') await body(loyalty.POST('/v1/members/{member_id}/adjustments', { params, body: { points: Number(points), reason_type: reason } }))
      else if (act === 'suspend') await body(loyalty.POST('/v1/members/{member_id}/suspend', { params, body: { reason } }))
      else await body(loyalty.POST('/v1/members/{member_id}/reinstate', { params, body: { reason } }))
      done(t(saying[act]))
      onClose()
    } catch (error) {
      failed(error)
      setBusy(false)
    }
    void client.invalidateQueries({ queryKey: ['loyalty'] })
  }
  const changed = (set: (value: string) => void) => (value: string) => {
    set(value)
    setKey(once()) // something else is asked for
  }
  return (
    <Dialog title={t(`member.${act}`)} onClose={onClose}>
      <form
        className="flex flex-col gap-3 p-4"
        onSubmit={(e) => {
          e.preventDefault()
          void send()
        }}
      >
        {act === 'adjust' && (
          <Field label={t('member.points')}>
            {(field) => <input id={field} required type="number" step={1} min={-1_000_000} max={1_000_000} className="field" value={points} onChange={(e) => changed(setPoints)(e.target.value)} />}
          </Field>
        )}
        <Field label={t('member.reason')}>
          {(field) => <input id={field} required maxLength={64} pattern="[a-z0-9][a-z0-9_]*" title={t('map.codeHint')} className="field" value={reason} onChange={(e) => changed(setReason)(e.target.value)} />}
        </Field>
        <Button look="primary" type="submit" disabled={busy || (act === 'adjust' && Number(points) === 0)} className="self-end">
          {t(`member.${act}`).replace('…', '')}
        </Button>
      </form>
    </Dialog>
  )
}
