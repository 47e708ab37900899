import { useEffect, useState } from 'react'
import { span, time } from '../format'
import { useI18n } from '../i18n'
import { Badge } from './parts'

/** soon is how long before a deadline it is shown as near, in milliseconds. */
const soon = 60 * 60 * 1000

/** tick is how often what is left is counted anew, in milliseconds. */
const tick = 1000

/**
 * Due counts down to the server's deadline. ahead is by how many milliseconds the server's clock is ahead of this device's, where
 * an answer has told.
 */
export function Due({ at, ahead = 0 }: { at: string; ahead?: number }) {
  const { t, language } = useI18n()
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), tick)
    return () => clearInterval(timer)
  }, [])
  const left = new Date(at).getTime() - (now + ahead)
  return (
    <span title={time(language, at)} className="tabular-nums">
      <Badge tone={left < 0 ? 'bad' : left < soon ? 'warn' : 'plain'}>
        {t(left < 0 ? 'clock.late' : 'clock.left', { time: span(language, left) })}
      </Badge>
    </span>
  )
}
