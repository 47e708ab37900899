import { useI18n } from '../../i18n'
import { time } from '../../format'
import { Button } from '../../ui/parts'

/** Live lets somebody reckon now what is otherwise read from the run of the day. */
export function Live({ on, keptAt, onChange }: { on: boolean; keptAt?: string; onChange: (live: boolean) => void }) {
  const { t, language } = useI18n()
  return (
    <div className="flex flex-wrap items-center gap-3 text-soft">
      <span>{on ? t('journey.live') : keptAt ? t('journey.kept', { at: time(language, keptAt) }) : ''}</span>
      <Button onClick={() => onChange(!on)}>{t(on ? 'journey.readKept' : 'journey.reckon')}</Button>
    </div>
  )
}
