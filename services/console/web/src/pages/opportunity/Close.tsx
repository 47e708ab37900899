import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { body, once, sales } from '../../api/client'
import { useI18n } from '../../i18n'
import { Dialog } from '../../ui/Dialog'
import { Button, Select } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import type { Deal } from '../Opportunity'

/** Close wins or loses a deal that is open, and reopens one that is closed. */
export function Close({ deal }: { deal: Deal }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const [busy, setBusy] = useState(false)
  const [losing, lose] = useState(false)
  const act = async (change: () => Promise<unknown>, said: string) => {
    setBusy(true)
    try {
      await change()
      done(said)
      lose(false)
    } catch (error) {
      failed(error)
    }
    setBusy(false)
    void client.invalidateQueries({ queryKey: ['sales'] })
  }
  const params = () => ({ path: { opportunity_id: deal.opportunity_id }, header: once() })
  if (deal.state === 'withdrawn') return null
  if (deal.state !== 'open')
    return (
      <Button disabled={busy} onClick={() => void act(() => body(sales.POST('/v1/opportunities/{opportunity_id}/reopen', { params: params() })), t('deal.reopened'))}>
        {t('deal.reopen')}
      </Button>
    )
  return (
    <>
      <Button look="primary" disabled={busy} onClick={() => void act(() => body(sales.POST('/v1/opportunities/{opportunity_id}/win', { params: params(), body: {} })), t('deal.isWon'))}>
        {t('deal.win')}
      </Button>
      <Button disabled={busy} onClick={() => lose(true)}>
        {t('deal.lose')}
      </Button>
      {losing && (
        <Lost deal={deal} busy={busy} onClose={() => lose(false)}
          say={(loss) => void act(() => body(sales.POST('/v1/opportunities/{opportunity_id}/lose', { params: params(), body: loss })), t('deal.isLost'))} />
      )}
    </>
  )
}

function Lost({ deal, busy, say, onClose }: { deal: Deal; busy: boolean; say: (loss: { reason: string; competitor?: string }) => void; onClose: () => void }) {
  const { t } = useI18n()
  const [reason, setReason] = useState('')
  const [competitor, setCompetitor] = useState('')
  const query = useQuery({ queryKey: ['sales', 'loss-reasons'], queryFn: () => body(sales.GET('/v1/loss-reasons')) })
  const reasons = (query.data?.items ?? []).filter((one) => one.opportunities && !one.archived)
  return (
    <Dialog title={t('deal.lose')} onClose={onClose}>
      <form
        className="flex flex-col gap-3 p-4"
        onSubmit={(e: FormEvent) => {
          e.preventDefault()
          say({ reason, competitor: competitor || undefined })
        }}
      >
        <Select label={t('deal.lostWhy')} value={reason} onChange={setReason} options={[['', '–'], ...reasons.map((one) => [one.code, one.name || one.code] as const)]} />
        {query.data && reasons.length === 0 && <p className="text-warn">{t('deal.noReasons')}</p>}
        {deal.competitors.length > 0 && (
          <Select label={t('deal.lostTo')} value={competitor} onChange={setCompetitor} options={[['', t('map.notKnown')], ...deal.competitors.map((one) => [one.competitor, one.competitor] as const)]} />
        )}
        <Button look="primary" type="submit" disabled={busy || reason === ''} className="self-end">
          {t('deal.lose').replace('…', '')}
        </Button>
      </form>
    </Dialog>
  )
}
