import { useQuery } from '@tanstack/react-query'
import { number, time } from '../../format'
import { useI18n } from '../../i18n'
import { subscriptions, type Subscription } from '../../operations'
import { Badge, Empty, Loaded } from '../../ui/parts'

/** often is how often Kafka is asked again, in milliseconds: it is more work than a look at one's own tables. */
const often = 15_000

/** Subscriptions are those who read the platform's events from outside, with how far they are. */
export function Subscriptions() {
  const { t } = useI18n()
  const query = useQuery({ queryKey: ['accounts', 'ops', 'subscriptions'], queryFn: subscriptions, refetchInterval: often })
  return (
    <section className="card" aria-label={t('ops.subscriptions')}>
      <Loaded query={query} lines={4}>
        {(all) => (all.length === 0 ? <Empty title={t('ops.noSubscriptions')}>{t('ops.noSubscriptionsHint')}</Empty> : <List all={all} />)}
      </Loaded>
    </section>
  )
}

function List({ all }: { all: Subscription[] }) {
  return (
    <ul className="divide-y divide-line">
      {all.map((one) => (
        <Row key={one.group} of={one} />
      ))}
    </ul>
  )
}

function Row({ of }: { of: Subscription }) {
  const { t, language } = useI18n()
  const nobody = of.members.length === 0
  return (
    <li className="flex flex-col gap-2 p-4">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <h2 className="min-w-0 font-semibold break-all">{of.object ?? of.group}</h2>
        <span className="flex flex-wrap gap-2">
          <Badge>{t(`subscription.${of.kind}`)}</Badge>
          {of.tenant && <Badge>{of.tenant}</Badge>}
          <Badge tone={nobody ? 'warn' : of.lag > 0 ? 'accent' : 'good'}>
            {nobody ? t('ops.nobodyReads') : of.lag > 0 ? t('ops.reads') : t('ops.readAll')}
          </Badge>
        </span>
      </div>
      <p className="text-xs break-all text-soft">
        {t('ops.group', { group: of.group })}
        {!nobody && ` · ${t('ops.members', { n: of.members.length })}: ${of.members.map((one) => `${one.client_id} (${one.host.replace(/^\//, '')})`).join(', ')}`}
      </p>
      <div className="overflow-x-auto">
        <table className="w-full text-left">
          <thead className="text-xs text-soft">
            <tr>
              <th scope="col" className="pr-4 font-medium">{t('ops.topic')}</th>
              <th scope="col" className="px-2 text-right font-medium">{t('ops.lag')}</th>
              <th scope="col" className="px-2 text-right font-medium">{t('ops.committed')}</th>
              <th scope="col" className="pl-4 text-right font-medium">{t('ops.oldestUnread')}</th>
            </tr>
          </thead>
          <tbody className="tabular-nums">
            {of.topics.map((one) => (
              <tr key={one.topic}>
                <td className="py-0.5 pr-4 break-all">{one.topic}</td>
                <td className="px-2 py-0.5 text-right">{number(language, one.lag)}</td>
                <td className="px-2 py-0.5 text-right">{one.committed_partitions} / {one.partitions}</td>
                <td className="py-0.5 pl-4 text-right">{one.oldest_unread_at ? time(language, one.oldest_unread_at) : '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </li>
  )
}
