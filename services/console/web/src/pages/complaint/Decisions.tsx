import { useState } from 'react'
import { choices, type Action, type Choice, type Complaint } from '../../complaint'
import { useSession } from '../../api/session'
import { useI18n } from '../../i18n'
import { Button, Card } from '../../ui/parts'
import { Decide } from './Decide'

/** Decisions offers what may be decided now: what takes the complaint on as buttons, the rest below; what somebody may not says why. */
export function Decisions({ of }: { of: Complaint }) {
  const { t } = useI18n()
  const session = useSession()
  const [chosen, choose] = useState<Action | null>(null)
  const { forward, other } = choices(of, session)
  const refused = forward.filter((one) => one.refused)
  return (
    <Card title={t('complaint.decide')}>
      <div className="flex flex-col gap-3 p-4">
        {of.stage === 'accepted' && <p className="text-soft">{t('complaint.carriedOut')}</p>}
        {forward.length + other.length === 0 && of.stage !== 'accepted' && <p className="text-soft">{t('complaint.nothing')}</p>}
        {forward.length > 0 && (
          <div className="flex flex-wrap gap-2">
            {forward.map((one, i) => (
              <Do key={one.action} choice={one} primary={i === forward.findIndex((two) => !two.refused)} choose={choose} />
            ))}
          </div>
        )}
        {refused.map((one) => (
          <p key={one.action} className="text-xs text-soft">
            {t(`decide.${one.action as 'approve'}`)}: {t(`refusal.${one.refused!}`)}
          </p>
        ))}
        {other.length > 0 && (
          <div className="flex flex-wrap items-center gap-1 border-t border-line pt-3">
            <span className="mr-1 text-xs text-soft">{t('complaint.more')}</span>
            {other.filter((one) => one.refused !== 'permission').map((one) => (
              <Do key={one.action} choice={one} quiet choose={choose} />
            ))}
          </div>
        )}
      </div>
      {chosen && <Decide key={chosen} of={of} action={chosen} onClose={() => choose(null)} />}
    </Card>
  )
}

function Do({ choice, primary, quiet, choose }: { choice: Choice; primary?: boolean; quiet?: boolean; choose: (action: Action) => void }) {
  const { t } = useI18n()
  return (
    <Button
      look={primary ? 'primary' : quiet ? 'quiet' : 'plain'}
      disabled={choice.refused !== undefined}
      title={choice.refused && t(`refusal.${choice.refused}`)}
      onClick={() => choose(choice.action)}
    >
      {t(`decide.${choice.action as 'approve'}`)}
    </Button>
  )
}
