import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState, type FormEvent } from 'react'
import { body, once, tickets } from '../../api/client'
import { Problem } from '../../api/problem'
import { bodyOf, categories, channels, missing, type Spec, type Values } from '../../complaint'
import { useI18n } from '../../i18n'
import { Dialog } from '../../ui/Dialog'
import { FormEnd } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { Input } from './Decide'

const specs: Spec[] = [
  { name: 'category', kind: 'choice', options: categories, required: true },
  { name: 'channel', kind: 'choice', options: channels, required: true },
  { name: 'description', kind: 'words', required: true },
  { name: 'wish', kind: 'words' },
]

/** Register takes a customer's complaint in and goes on to its page. */
export function Register({ customer, onClose }: { customer: string; onClose: () => void }) {
  const { t } = useI18n()
  const { done } = useToasts()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [values, setValues] = useState<Values>({ channel: 'phone' })
  const [key, setKey] = useState(once)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const send = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      const fields = { ...bodyOf(specs, values), customer_id: customer } as { customer_id: string; category: 'other'; channel: string; description: string }
      const made = await body(tickets.POST('/v1/complaints', { params: { header: key }, body: fields }))
      done(t('complaint.registered', { number: made.number }))
      void client.invalidateQueries({ queryKey: ['tickets'] })
      void navigate({ to: '/complaints/$complaintId', params: { complaintId: made.complaint_id } })
    } catch (problem) {
      setError(problem)
      if (problem instanceof Problem && problem.status < 500) setKey(once())
      setBusy(false)
    }
  }
  return (
    <Dialog title={t('complaint.register')} onClose={onClose}>
      <form onSubmit={(e) => void send(e)} className="flex flex-col gap-3 p-4">
        {specs.map((spec) => (
          <Input key={spec.name} spec={spec} values={values} set={(value) => setValues({ ...values, [spec.name]: value })} />
        ))}
        <FormEnd error={error} disabled={busy || missing(specs, values).length > 0} onCancel={onClose} label={t('complaint.register')} />
      </form>
    </Dialog>
  )
}
