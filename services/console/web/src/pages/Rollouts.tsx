import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { body, rollout } from '../api/client'
import { useI18n } from '../i18n'
import { Badge, Empty, Loaded } from '../ui/parts'

export const stateTone = { draft: 'plain', running: 'accent', paused: 'warn', finished: 'good', cancelled: 'plain' } as const

/** Rollouts are the introductions of CRM to the units of the organisation, the latest first. */
export function Rollouts() {
  const { t } = useI18n()
  const query = useQuery({ queryKey: ['rollout', 'list'], queryFn: () => body(rollout.GET('/v1/rollouts', { params: { query: { limit: 50 } } })) })
  return (
    <div className="mx-auto flex max-w-7xl flex-col gap-4 p-4 md:p-6">
      <h1 className="text-xl font-semibold">{t('nav.rollouts')}</h1>
      <div className="card overflow-hidden">
        <Loaded query={query} lines={5}>
          {(d) =>
            d.items.length === 0 ? (
              <Empty title={t('rollout.none')}>
                <p>{t('rollout.noneHint')}</p>
              </Empty>
            ) : (
              <ul className="divide-y divide-line">
                {d.items.map((one) => (
                  <li key={one.rollout_id}>
                    <Link to="/rollouts/$rolloutId" params={{ rolloutId: one.rollout_id }} className="flex flex-wrap items-center justify-between gap-3 px-4 py-3 -outline-offset-2 hover:bg-sunken">
                      <span>
                        <span className="block font-medium">{one.name}</span>
                        <span className="text-xs text-soft">
                          {t('rollout.phases', { over: one.phases_over, count: one.phase_count })}
                          {one.managed_by && ` · ${t('rollout.managed', { by: one.managed_by })}`}
                        </span>
                      </span>
                      <span className="flex flex-wrap gap-1.5">
                        {one.held > 0 && <Badge tone="warn">{t('rollout.held', { n: one.held })}</Badge>}
                        {one.late > 0 && <Badge tone="bad">{t('rollout.late', { n: one.late })}</Badge>}
                        {one.triggered.length > 0 && <Badge tone="bad">{t('rollout.triggered', { n: one.triggered.length })}</Badge>}
                        <Badge tone={stateTone[one.state]}>{t(`rolloutState.${one.state}`)}</Badge>
                      </span>
                    </Link>
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </div>
    </div>
  )
}
