import { useQueries, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { time } from '../../format'
import { useI18n } from '../../i18n'
import { discard, parkedEvent, parkedOf, readable, release, services, type Parked, type Service } from '../../operations'
import { Dialog } from '../../ui/Dialog'
import { Badge, Button, Empty, Failed, Field, Loaded, Skeleton } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { fresh } from '../Operations'

type Row = Parked & { service: Service }

/** ParkedEvents are those that a consumer could not apply, of all services, the oldest of each first. */
export function ParkedEvents() {
  const { t } = useI18n()
  const [inspected, inspect] = useState<Row | null>(null)
  const [dropped, drop] = useState<Row | null>(null)
  const queries = useQueries({
    queries: services.map((service) => ({ queryKey: [service, 'ops', 'parked'], queryFn: () => parkedOf(service), refetchInterval: fresh })),
  })
  const failed = queries.find((query) => query.error && !query.data)
  const rows = services.flatMap((service, i) => (queries[i]?.data?.parked ?? []).map<Row>((one) => ({ ...one, service })))
  const loading = queries.some((query) => query.isPending)
  return (
    <section className="card" aria-label={t('ops.parked')}>
      {failed && <Failed error={failed.error} retry={() => void failed.refetch()} />}
      {rows.length > 0 && (
        <ul className="divide-y divide-line">
          {rows.map((row) => (
            <Line key={row.service + row.id} row={row} onInspect={() => inspect(row)} onDiscard={() => drop(row)} />
          ))}
        </ul>
      )}
      {rows.length === 0 && loading && <Skeleton lines={6} className="p-4" />}
      {rows.length === 0 && !loading && !failed && (
        <Empty title={t('ops.noneParked')}>
          <p>{t('ops.noneParkedHint')}</p>
        </Empty>
      )}
      {inspected && <Inspect row={inspected} onClose={() => inspect(null)} />}
      {dropped && <Discard row={dropped} onClose={() => drop(null)} />}
    </section>
  )
}

function Line({ row, onInspect, onDiscard }: { row: Row; onInspect: () => void; onDiscard: () => void }) {
  const { t, language } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const again = async () => {
    try {
      await release(row.service, row.id)
      done(t('ops.released'))
    } catch (error) {
      failed(error)
    }
    void client.invalidateQueries({ queryKey: [row.service, 'ops'] })
  }
  return (
    <li className="flex flex-wrap items-start justify-between gap-3 px-4 py-3">
      <div className="min-w-0 flex-1">
        <p className="font-medium break-all">{row.event_type ?? row.topic}</p>
        <p className="text-soft">{row.error}</p>
        <p className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-soft">
          <Badge tone={row.state === 'parked' ? 'warn' : 'plain'}>{t(`parkedState.${row.state}`)}</Badge>
          <span>
            {t(`service.${row.service}`)} / {row.consumer}
          </span>
          <span>{row.code}</span>
          <span>{time(language, row.parked_at)}</span>
          <span>{t('ops.tries', { n: row.tries })}</span>
          {row.queue_length > 0 && <span>{t('ops.behind', { n: row.queue_length })}</span>}
        </p>
      </div>
      <div className="flex flex-wrap gap-2">
        <Button onClick={onInspect}>{t('ops.inspect')}</Button>
        <Button disabled={row.state !== 'parked'} onClick={() => void again()}>{t('ops.release')}</Button>
        <Button disabled={row.state !== 'parked'} onClick={onDiscard}>{t('ops.discard')}</Button>
      </div>
    </li>
  )
}

function Inspect({ row, onClose }: { row: Row; onClose: () => void }) {
  const { t } = useI18n()
  const query = useQuery({ queryKey: [row.service, 'ops', 'parked', row.id], queryFn: () => parkedEvent(row.service, row.id) })
  return (
    <Dialog title={row.event_type ?? row.topic} onClose={onClose}>
      <div className="flex flex-col gap-3 p-4">
        <p className="text-bad">{row.error}</p>
        <p className="text-xs text-faint tabular-nums">
          {row.topic} [{row.partition}] @ {row.offset}
        </p>
        <Loaded query={query} lines={8}>
          {(event) => (
            <>
              <h3 className="font-semibold">{t('ops.headers')}</h3>
              <dl className="flex flex-col gap-1 text-xs">
                {event.headers.map((one) => (
                  <div key={one.key} className="flex gap-2">
                    <dt className="shrink-0 text-soft">{one.key}</dt>
                    <dd className="min-w-0 break-all">{one.value ?? one.value_base64}</dd>
                  </div>
                ))}
              </dl>
              <h3 className="font-semibold">{t('ops.payload')}</h3>
              {event.payload === undefined && <p className="text-soft">{t('ops.noPayload')}</p>}
              <pre tabIndex={0} className="max-h-80 overflow-auto rounded-md bg-sunken p-3 text-xs break-all whitespace-pre-wrap">{readable(event.payload ?? event.payload_base64 ?? '')}</pre>
            </>
          )}
        </Loaded>
      </div>
    </Dialog>
  )
}

function Discard({ row, onClose }: { row: Row; onClose: () => void }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const { done, failed } = useToasts()
  const [reason, setReason] = useState('')
  const drop = async () => {
    try {
      await discard(row.service, row.id, reason)
      done(t('ops.discarded'))
      onClose()
    } catch (error) {
      failed(error)
    }
    void client.invalidateQueries({ queryKey: [row.service, 'ops'] })
  }
  return (
    <Dialog title={t('ops.discardTitle')} onClose={onClose}>
      <form
        className="flex flex-col gap-3 p-4"
        onSubmit={(e) => {
          e.preventDefault()
          void drop()
        }}
      >
        <p>{t('ops.discardText', { service: t(`service.${row.service}`) })}</p>
        <Field label={t('ops.reason')}>{(id) => <input id={id} required maxLength={500} className="field" value={reason} onChange={(e) => setReason(e.target.value)} />}</Field>
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button look="primary" type="submit">{t('ops.discardDo')}</Button>
        </div>
      </form>
    </Dialog>
  )
}
