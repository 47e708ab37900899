import { useI18n } from '../../i18n'
import { dos, tagsOf, type Do, type MacroAction } from '../../macro'
import { Button, Field, Select } from '../../ui/parts'

const statuses = ['open', 'pending', 'on_hold', 'resolved', 'closed'] as const
const levels = ['1', '2', '3'] as const
const blanks = '{{ticket.number}}, {{ticket.subject}}, {{ticket.status}}, {{ticket.priority}}, {{agent}}'

interface Props {
  n: number
  action: MacroAction
  onChange: (next: MacroAction) => void
  onUp?: () => void
  onRemove?: () => void
}

/** Action is one step of a macro, with the fields that it takes. */
export function Action({ n, action, onChange, onUp, onRemove }: Props) {
  const { t } = useI18n()
  return (
    <fieldset className="flex flex-col gap-3 rounded-lg border border-line p-3">
      <legend className="px-1 text-xs font-medium text-soft">{t('macros.action', { n })}</legend>
      <div className="flex flex-wrap items-end justify-between gap-2">
        <Select<Do> label={t('macros.do')} value={action.do} onChange={(next) => onChange({ do: next, words: action.words })}
          options={(Object.keys(dos) as Do[]).map((one) => [one, t(`macroDo.${one}`)] as const)} />
        <span className="flex gap-2">
          {onUp && (
            <Button look="quiet" onClick={onUp}>
              ↑ {t('macros.up')}
            </Button>
          )}
          {onRemove && (
            <Button look="quiet" onClick={onRemove}>
              {t('macros.remove')}
            </Button>
          )}
        </span>
      </div>
      <Fields action={action} set={(part) => onChange({ ...action, ...part })} />
    </fieldset>
  )
}

interface FieldsProps {
  action: MacroAction
  set: (part: Partial<MacroAction>) => void
}

function Fields({ action, set }: FieldsProps) {
  switch (action.do) {
    case 'reply':
    case 'note':
      return <Words action={action} set={set} />
    case 'status':
      return <Status action={action} set={set} />
    case 'tag':
      return <Tags action={action} set={set} />
    case 'assign':
      return (
        <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
          <Kept name="queue" value={action.queue} onChange={(queue) => set({ queue })} />
          <Kept name="agent" value={action.agent} onChange={(agent) => set({ agent })} me />
        </div>
      )
    case 'classify':
      return <Classify action={action} set={set} />
  }
}

function Words({ action, set }: FieldsProps) {
  const { t } = useI18n()
  return (
    <>
      <Field label={t('macros.words')}>
        {(id) => <textarea id={id} required rows={4} maxLength={50_000} className="field h-auto py-2" value={action.words ?? ''} onChange={(e) => set({ words: e.target.value })} />}
      </Field>
      <p className="text-xs break-words text-soft">{t('macros.blanks', { blanks, value: '{{value.NAME}}' })}</p>
      {action.do === 'reply' && (
        <Field label={t('macros.channel')}>
          {(id) => <input id={id} maxLength={64} autoCapitalize="none" className="field" value={action.channel ?? ''} onChange={(e) => set({ channel: e.target.value })} />}
        </Field>
      )}
    </>
  )
}

function Status({ action, set }: FieldsProps) {
  const { t } = useI18n()
  const ends = action.status === 'resolved' || action.status === 'closed'
  return (
    <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
      <Field label={t('macros.status')}>
        {(id) => (
          <select id={id} required className="field" value={action.status ?? ''}
            onChange={(e) => set({ status: e.target.value as (typeof statuses)[number], resolution: undefined })}>
            <option value="" />
            {statuses.map((one) => (
              <option key={one} value={one}>{t(`ticketStatus.${one}`)}</option>
            ))}
          </select>
        )}
      </Field>
      {ends && (
        <Field label={t('macros.resolution')}>
          {(id) => (
            <input id={id} required={action.status === 'resolved'} maxLength={64} placeholder="solved" autoCapitalize="none" className="field" value={action.resolution ?? ''}
              onChange={(e) => set({ resolution: e.target.value })} />
          )}
        </Field>
      )}
    </div>
  )
}

function Tags({ action, set }: FieldsProps) {
  const { t } = useI18n()
  return (
    <div className="grid grid-cols-1 gap-3 sm:grid-cols-2">
      {(['add', 'remove'] as const).map((name) => (
        <Field key={name} label={t(name === 'add' ? 'macros.addTags' : 'macros.removeTags')}>
          {(id) => <input id={id} className="field" value={(action[name] ?? []).join(',')} onChange={(e) => set({ [name]: tagsOf(e.target.value) })} />}
        </Field>
      ))}
    </div>
  )
}

function Classify({ action, set }: FieldsProps) {
  const { t } = useI18n()
  return (
    <div className="grid grid-cols-1 gap-3 sm:grid-cols-3">
      <Kept name="category" value={action.category} onChange={(category) => set({ category })} />
      {(['impact', 'urgency'] as const).map((name) => (
        <Select<'' | (typeof levels)[number]> key={name} label={t(`macros.${name}`)} value={action[name] ? (String(action[name]) as '1') : ''}
          onChange={(next) => set({ [name]: next === '' ? undefined : Number(next) })} options={[['', t('macros.as')], ...levels.map((level) => [level, level] as const)]} />
      ))}
    </div>
  )
}

/** Kept is a field of the ticket that stays, is emptied, or becomes what is written; me: or whoever runs the macro. */
function Kept({ name, value, onChange, me }: { name: 'queue' | 'agent' | 'category'; value: string | undefined; onChange: (value: string | undefined) => void; me?: boolean }) {
  const { t } = useI18n()
  const label = t(`macros.${name}`)
  const how = value === undefined ? 'as' : value === '' ? 'nothing' : me && value === 'me' ? 'me' : 'this'
  const ways = [['as', undefined], ['nothing', ''], ...(me ? ([['me', 'me']] as const) : []), ['this', ' ']] as const
  return (
    <div className="flex flex-col gap-2">
      <Select<string> label={label} value={how} onChange={(next) => onChange(ways.find((one) => one[0] === next)![1])} options={ways.map(([way]) => [way, t(`macros.${way}`)] as const)} />
      {how === 'this' && (
        <input required aria-label={`${label}: ${t('macros.this')}`} maxLength={name === 'agent' ? 200 : 64} autoCapitalize="none" className="field" value={value?.trimStart() ?? ''}
          onChange={(e) => onChange(e.target.value || ' ')} />
      )}
    </div>
  )
}
