import { useQueryClient } from '@tanstack/react-query'
import { useId, useState } from 'react'
import { once, rollout } from '../../api/client'
import { useI18n } from '../../i18n'
import { asks, at, barred, codePattern, decided, decisionOf, usual, type Decided, type Decision, type Next, type Place, type View } from '../../rollout'
import { Dialog } from '../../ui/Dialog'
import { Button, Field } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'

/** useDecide sends a decision and says whether it was taken. Sent again after a lost answer it is the same one. */
function useDecide(id: string) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  return async (decision: Decision, header = once()): Promise<boolean> => {
    try {
      await rollout.POST('/v1/rollouts/{rollout_id}/decisions', { params: { path: { rollout_id: id }, header }, body: decision })
      done(t('rollout.decided'))
      return true
    } catch (error) {
      failed(error)
      return false
    } finally {
      void client.invalidateQueries({ queryKey: ['rollout'] })
    }
  }
}

/**
 * Offers are the decisions that can be made now of a place of the rollout, as the service lists them: a button for each that the reader
 * may make, and whose the decision is where it is somebody else's.
 */
export function Offers({ view, place }: { view: View; place: Place }) {
  const { t } = useI18n()
  const decide = useDecide(view.rollout_id)
  const [asked, ask] = useState<Next | null>(null)
  const [busy, setBusy] = useState(false)
  const here = at(view.next, place)
  const other = barred(here)
  const open = here.filter((one) => one.allowed)
  if (open.length === 0 && !other) return null
  return (
    <>
      {other && <p className="text-xs text-soft">{whose(t, other)}</p>}
      {open.length > 0 && (
        <span className="flex flex-wrap gap-2">
          {open.map((one) => (
            <Button
              key={one.decision}
              disabled={busy}
              look={!decided(one) ? 'primary' : main.has(one.decision) ? 'plain' : 'quiet'}
              onClick={() => {
                if (!decided(one) || asks(one)) return ask(one)
                setBusy(true)
                void decide(decisionOf(one)).finally(() => setBusy(false))
              }}
            >
              {t(words[one.decision])}
            </Button>
          ))}
        </span>
      )}
      {asked && (decided(asked) ? <Ask of={asked} decide={decide} onClose={() => ask(null)} /> : <Start view={view} onClose={() => ask(null)} />)}
    </>
  )
}

const words = {
  start: 'rollout.start', complete: 'rollout.complete', reopen: 'rolloutDo.reopen', approve: 'rollout.agree', refuse: 'rollout.refuse', skip_gate: 'rolloutDo.skip_gate',
  roll_back: 'rolloutDo.roll_back', redo: 'rolloutDo.redo', skip_phase: 'rolloutDo.skip_phase', pause: 'rollout.pause', resume: 'rollout.resume',
  cancel: 'rolloutDo.cancel', trigger_risk: 'rolloutDo.trigger_risk', mitigate_risk: 'rolloutDo.mitigate_risk', close_risk: 'rolloutDo.close_risk',
} as const satisfies Record<Next['decision'], string>

/** main are the decisions that the work goes on by. The others are there, but do not catch the eye. */
const main = new Set<Next['decision']>(['complete', 'approve', 'refuse', 'resume', 'pause', 'redo', 'mitigate_risk'])

function whose(t: ReturnType<typeof useI18n>['t'], one: Next): string {
  if (one.why_not === 'four_eyes') return t('rollout.fourEyes')
  const who = one.owner || one.roles.join(', ')
  return who ? t('rollout.for', { who }) : t('rollout.forOthers')
}

/** Start asks before a draft begins, as from then on it withholds from people what they may be working with. */
function Start({ view, onClose }: { view: View; onClose: () => void }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const [key] = useState(once)
  const [busy, setBusy] = useState(false)
  const opened = [...new Set(view.phases.flatMap((phase) => phase.capabilities))]
  const start = async () => {
    setBusy(true)
    try {
      await rollout.POST('/v1/rollouts/{rollout_id}/start', { params: { path: { rollout_id: view.rollout_id }, header: key } })
      done(t('rollout.started'))
      onClose()
    } catch (error) {
      failed(error)
      setBusy(false)
    } finally {
      void client.invalidateQueries({ queryKey: ['rollout'] })
    }
  }
  return (
    <Dialog title={t('rollout.startTitle')} onClose={onClose}>
      <div className="flex flex-col gap-3 p-4">
        <p>{opened.length > 0 ? t('rollout.startWithholds', { capabilities: opened.join(', ') }) : t('rollout.startOpen')}</p>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button look="primary" disabled={busy} onClick={() => void start()}>
            {t('rollout.startDo')}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}

function Ask({ of, decide, onClose }: { of: Decided; decide: (decision: Decision, header: ReturnType<typeof once>) => Promise<boolean>; onClose: () => void }) {
  const { t } = useI18n()
  const [reason, setReason] = useState('')
  const [note, setNote] = useState('')
  const [key] = useState(once)
  const [busy, setBusy] = useState(false)
  const list = useId()
  const title = t(words[of.decision])
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className="flex flex-col gap-3 p-4"
        onSubmit={(e) => {
          e.preventDefault()
          setBusy(true)
          void decide({ ...decisionOf(of), reason: reason || undefined, note: note || undefined }, key).then((taken) => {
            setBusy(false)
            if (taken) onClose()
          })
        }}
      >
        <Field label={t('ops.reason')}>
          {(id) => (
            <input id={id} required={of.needs_reason} maxLength={64} pattern={codePattern} title={t('rollout.reasonHint')} list={list} autoCapitalize="none" className="field"
              value={reason} onChange={(e) => setReason(e.target.value)} />
          )}
        </Field>
        <datalist id={list}>
          {usual.map((code) => (
            <option key={code} value={code} label={t(`rolloutReason.${code}`)} />
          ))}
        </datalist>
        <p className="text-xs text-soft">{t('rollout.reasonHint')}</p>
        <Field label={t('rollout.note')}>
          {(id) => <textarea id={id} rows={3} maxLength={2000} className="field h-auto py-2" value={note} onChange={(e) => setNote(e.target.value)} />}
        </Field>
        <Button look="primary" type="submit" disabled={busy} className="self-end">
          {title.replace('…', '')}
        </Button>
      </form>
    </Dialog>
  )
}
