import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { body, once, tickets } from '../../api/client'
import { Problem } from '../../api/problem'
import { bodyOf, forms, isRequired, isShown, missing, type Action, type Complaint, type Spec, type Values } from '../../complaint'
import { useI18n } from '../../i18n'
import { isKey, type Key } from '../../i18n/say'
import { Dialog } from '../../ui/Dialog'
import { Button, Field } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { useProblemText } from '../../ui/problems'
import { Remedy, useRemedy } from './Remedy'

interface Props {
  of: Complaint
  action: Action
  onClose: () => void
}

/** Decide asks for what a decision needs and sends it. Sent again after a failure it is the same decision. */
export function Decide({ of, action, onClose }: Props) {
  const { t } = useI18n()
  const say = useProblemText()
  const client = useQueryClient()
  const { done } = useToasts()
  const [values, setValues] = useState<Values>((): Values => (action === 'verify' ? { kind: 'csat' } : {}))
  const [key, setKey] = useState(once)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const remedy = useRemedy(action === 'propose', of.customer_id)
  const specs = useChoices(of, action)
  const title = t(`decide.${action as 'approve'}`)
  const open = missing(specs, values)

  const send = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      const fields = { ...bodyOf(specs, values), ...remedy.body }
      // All decisions are asked for and answered alike; only their bodies differ.
      const path = `/v1/complaints/{complaint_id}/${action}` as '/v1/complaints/{complaint_id}/withdraw'
      const after = await body(tickets.POST(path, { params: { path: { complaint_id: of.complaint_id }, header: key }, body: fields }))
      client.setQueryData(['tickets', 'complaint', of.complaint_id], after)
      done(t('complaint.decided', { action: title }))
      onClose()
    } catch (problem) {
      setError(problem)
      // What was refused is another decision when it is sent with something changed; what may yet take effect stays the same.
      if (problem instanceof Problem && problem.status < 500) setKey(once())
    } finally {
      setBusy(false)
      void client.invalidateQueries({ queryKey: ['tickets'] })
    }
  }

  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={(e) => void send(e)} className="flex flex-col gap-3 p-4">
        {action === 'propose' && <Remedy of={of} remedy={remedy} />}
        {specs.map((spec) => isShown(spec, values) && <Input key={spec.name} spec={spec} values={values} set={(value) => setValues({ ...values, [spec.name]: value })} />)}
        {error !== null && (
          <p role="alert" className="rounded-md bg-bad-soft p-3 text-bad">
            {say(error)}
            {error instanceof Problem && error.code === 'complaint_stage' && ` ${t('complaint.fresh')}`}
          </p>
        )}
        <div className="flex flex-wrap items-center justify-end gap-2 pt-2">
          {open.length > 0 && <span className="mr-auto text-xs text-soft">{t('complaint.missing', { fields: open.map((name) => t(`ask.${name}` as Key)).join(', ') })}</span>}
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button look="primary" type="submit" disabled={busy || open.length > 0 || !remedy.complete}>
            {error !== null && !(error instanceof Problem && error.status < 500) ? t('complaint.again') : title}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** useChoices gives the form of a decision, with what can be chosen where that depends on the complaint or on the tenant's policy. */
function useChoices(of: Complaint, action: Action): (Spec & { words?: Record<string, string> })[] {
  const policy = useQuery({ queryKey: ['tickets', 'complaint-policy'], enabled: action === 'refer', queryFn: () => body(tickets.GET('/v1/complaints/policy')) })
  const form = forms[action] ?? []
  if (action === 'finish') {
    const open = of.preventions.filter((one) => !one.done_at)
    const words = Object.fromEntries(open.map((one) => [String(one.no), `${one.no} · ${one.action}`]))
    return form.map((spec) => (spec.name === 'prevention' ? { ...spec, options: Object.keys(words), words } : spec))
  }
  if (action === 'refer' && policy.data?.outside_bodies?.length) {
    const words = Object.fromEntries(policy.data.outside_bodies.map((one) => [one.code, one.name]))
    return form.map((spec) => (spec.name === 'body' ? { ...spec, kind: 'choice', options: Object.keys(words), words } : spec))
  }
  return form
}

/** choiceWords is under which words the choices of a field stand. */
const choiceWords: Record<string, string> = { admissible: 'yesNo', kind: 'score', category: 'cause' }

/** Input is one field of a decision, or of anything else that is asked for in the same way. */
export function Input({ spec, values, set }: { spec: Spec & { words?: Record<string, string> }; values: Values; set: (value: string | boolean) => void }) {
  const { t } = useI18n()
  const name = t(`ask.${spec.name}` as Key)
  const required = isRequired(spec, values)
  const value = values[spec.name]
  const text = typeof value === 'string' ? value : ''
  if (spec.kind === 'check')
    return (
      <label className="flex items-center gap-2">
        <input type="checkbox" checked={value === true} onChange={(e) => set(e.target.checked)} className="size-4 accent-accent" />
        {name}
      </label>
    )
  const words = (option: string) => {
    const key = `${choiceWords[spec.name] ?? spec.name}.${option}`
    return spec.words?.[option] ?? (isKey(key) ? t(key) : option)
  }
  return (
    <Field label={required ? name : t('ask.optional', { field: name })}>
      {(id) => {
        const shared = { id, required, value: text, onChange: (e: { target: { value: string } }) => set(e.target.value) }
        switch (spec.kind) {
          case 'choice':
            return (
              <select {...shared} className="field">
                <option value="">{t('ask.choose')}</option>
                {spec.options?.map((option) => (
                  <option key={option} value={option}>
                    {words(option)}
                  </option>
                ))}
              </select>
            )
          case 'words':
          case 'lines':
            return <textarea {...shared} rows={spec.kind === 'lines' ? 2 : 3} className="field h-auto resize-y py-2" />
          case 'number':
            return <input {...shared} type="number" min={0} max={10} className="field" />
          case 'day':
            return <input {...shared} type="date" className="field" />
          case 'code':
            return <input {...shared} pattern="[a-z0-9_\-]{1,64}" autoCapitalize="none" className="field" />
          default:
            return <input {...shared} className="field" />
        }
      }}
    </Field>
  )
}
