import type { Complaint, Step } from '../../complaint'
import { time } from '../../format'
import { useI18n } from '../../i18n'
import { isKey } from '../../i18n/say'
import { Card } from '../../ui/parts'

/** Steps is what was done about a complaint, the latest first: what, who, when and why. */
export function Steps({ of }: { of: Complaint }) {
  const { t } = useI18n()
  return (
    <Card title={t('complaint.steps')}>
      <ol className="p-4">
        {[...of.steps].reverse().map((step, i, all) => (
          <Done key={all.length - i} step={step} last={i === all.length - 1} />
        ))}
      </ol>
    </Card>
  )
}

/** process says whether a subject is no person. */
const process = (subject: string) => subject.startsWith('process:')

function Done({ step, last }: { step: Step; last: boolean }) {
  const { t, language } = useI18n()
  const key = `did.${step.action}`
  return (
    <li className={`relative border-l-2 pl-5 ${last ? 'border-transparent' : 'border-line pb-4'}`}>
      <span aria-hidden className="absolute top-1 -left-[7px] size-3 rounded-full border-2 border-surface bg-accent" />
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <span className="font-medium">{isKey(key) ? t(key) : step.action}</span>
        <span className="text-xs text-faint">
          {process(step.by) ? t('complaint.process.by') : t('complaint.by', { who: step.by })} · <time dateTime={step.at}>{time(language, step.at)}</time>
        </span>
      </div>
      <Detail detail={step.detail} />
      {step.reason && <p className="mt-1 break-words whitespace-pre-wrap">{step.reason}</p>}
      {step.words?.map((one, i) => (
        <p key={i} className="mt-1 break-words whitespace-pre-wrap">
          <span className="text-xs font-medium text-soft">{words(t, one.kind)}: </span>
          {one.text}
        </p>
      ))}
    </li>
  )
}

type Say = ReturnType<typeof useI18n>['t']

/** said is by which field of a decision something was said. */
const said = { containment: 'ask.containment_text', root_cause: 'ask.root_cause', evidence: 'stepDetail.evidence', facts: 'ask.facts', prevention: 'ask.action', answer: 'ask.text' } as const

function words(t: Say, kind: keyof typeof said): string {
  return t(said[kind])
}

function Detail({ detail }: { detail: Step['detail'] }) {
  const { t, language } = useI18n()
  if (!detail) return null
  const shown = Object.entries(detail).flatMap(([name, value]) => {
    const label = `stepDetail.${name}`
    if (!isKey(label)) return []
    const known = `${name}.${String(value)}`
    const outcome = `outcome.${String(value)}`
    const text =
      name === 'due_at' ? time(language, String(value))
      : name === 'outcome_before' && isKey(outcome) ? t(outcome)
      : isKey(known) ? t(known)
      : Array.isArray(value) ? value.join(', ')
      : String(value)
    return [`${t(label)}${language === 'en' ? ': ' : '：'}${text}`]
  })
  if (shown.length === 0) return null
  return <p className="mt-0.5 text-xs break-words text-soft">{shown.join(' · ')}</p>
}
