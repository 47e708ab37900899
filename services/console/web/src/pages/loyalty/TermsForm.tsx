import { useMutation } from '@tanstack/react-query'
import { type ReactNode } from 'react'
import { body, loyalty } from '../../api/client'
import type { components } from '../../api/loyalty'
import { useI18n } from '../../i18n'
import { Badge, Button, Field, Select } from '../../ui/parts'

type Schemas = components['schemas']
type Terms = Schemas['Terms']
type Rule = Schemas['Rule']

/** trial is the order, in minor units, that rules are tried on. */
const trial = 10_000

/** TermsForm edits what is changed most of a programme's terms; all the rest stays as it is, and can be edited as text. */
export function TermsForm({ terms, programme, onChange }: { terms: Terms; programme: string; onChange: (terms: Terms) => void }) {
  const { t, language } = useI18n()
  const earning = terms.earning ?? {}
  const rules = earning.rules ?? []
  const expiry = terms.expiry ?? {}
  const levels = terms.tiers?.levels ?? []
  const worth = terms.worth ?? {}
  const set = (part: Partial<Terms>) => onChange({ ...terms, ...part })
  const setRules = (next: Rule[]) => set({ earning: { ...earning, rules: next } })
  const whole = (value: number) => (Number.isFinite(value) ? Math.max(0, Math.floor(value)) : 0)
  return (
    <div className="flex flex-col gap-5 p-4">
      <Group title={t('terms.basics')}>
        <Field label={t('terms.returnDays')}>
          {(id) => <input id={id} type="number" min={0} className="field w-28" value={terms.return_days} onChange={(e) => set({ return_days: whole(e.target.valueAsNumber) })} />}
        </Field>
        <Select label={t('terms.join')} value={terms.join_by_purchase ? 'yes' : 'no'} onChange={(value) => set({ join_by_purchase: value === 'yes' })} options={[['yes', t('terms.joinYes')], ['no', t('terms.joinNo')]]} />
        <Select label={t('terms.rounding')} value={earning.rounding ?? 'down'} onChange={(rounding) => set({ earning: { ...earning, rounding } })}
          options={(['down', 'half_up', 'up'] as const).map((one) => [one, t(`rounding.${one}`)] as const)} />
        <Select label={t('terms.expiry')} value={expiry.kind ?? 'never'} onChange={(kind) => set({ expiry: kind === 'never' ? { kind } : { kind, months: expiry.months ?? 12 } })}
          options={(['never', 'months', 'year_end', 'inactivity'] as const).map((one) => [one, t(`expiry.${one}`)] as const)} />
        {expiry.kind && expiry.kind !== 'never' && (
          <Field label={t('terms.months')}>
            {(id) => <input id={id} type="number" min={0} className="field w-28" value={expiry.months ?? 0} onChange={(e) => set({ expiry: { ...expiry, months: whole(e.target.valueAsNumber) } })} />}
          </Field>
        )}
        {worth.currency && (
          <Field label={t('terms.worth', { points: worth.points ?? 0, currency: worth.currency })}>
            {(id) => <input id={id} type="number" min={1} className="field w-28" value={worth.minor ?? 0} onChange={(e) => set({ worth: { ...worth, minor: whole(e.target.valueAsNumber) } })} />}
          </Field>
        )}
      </Group>
      <section className="flex flex-col gap-3" aria-label={t('terms.rules')}>
        <h3 className="font-medium">{t('terms.rules')}</h3>
        {rules.length === 0 && <p className="text-soft">{t('terms.noRules')}</p>}
        {rules.map((rule, i) => (
          <RuleRow key={i} rule={rule} programme={programme} onChange={(next) => setRules(rules.map((one, at) => (at === i ? next : one)))} onRemove={() => setRules(rules.filter((_, at) => at !== i))} />
        ))}
        <div>
          <Button onClick={() => setRules([...rules, { code: `rule_${rules.length + 1}`, kind: 'base', points: 'amount' }])}>{t('terms.addRule')}</Button>
        </div>
      </section>
      {levels.length > 0 && (
        <Group title={t('terms.tiers')}>
          {levels.map((level, i) => (
            <Field key={level.code} label={t('terms.threshold', { tier: (language === 'en' ? level.name : level.name_zh) || level.name || level.code })}>
              {(id) => (
                <input id={id} type="number" min={0} disabled={i === 0} className="field w-32" value={level.threshold}
                  onChange={(e) => set({ tiers: { ...terms.tiers, levels: levels.map((one, at) => (at === i ? { ...one, threshold: whole(e.target.valueAsNumber) } : one)) } })} />
              )}
            </Field>
          ))}
        </Group>
      )}
    </div>
  )
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <fieldset>
      <legend className="mb-2 font-medium">{title}</legend>
      <div className="flex flex-wrap items-end gap-3">{children}</div>
    </fieldset>
  )
}

const kinds = ['base', 'multiplier', 'bonus', 'exclusion'] as const

function RuleRow({ rule, programme, onChange, onRemove }: { rule: Rule; programme: string; onChange: (rule: Rule) => void; onRemove: () => void }) {
  const { t } = useI18n()
  // What is left empty is left out: an empty expression would not compile.
  const text = (name: 'when' | 'points' | 'lines', value: string) => onChange({ ...rule, [name]: value || undefined })
  const check = useMutation({
    mutationFn: () => body(loyalty.POST('/v1/earning-rules/check', { body: { rule, programme, order: { total_minor: trial } } })),
  })
  const verdict = check.data
  return (
    <div className="flex flex-col gap-2 rounded-md border border-line p-3">
      <div className="flex flex-wrap items-end gap-3">
        <Field label={t('rule.code')}>{(id) => <input id={id} className="field w-36 font-mono" value={rule.code} onChange={(e) => onChange({ ...rule, code: e.target.value })} />}</Field>
        <Select label={t('rule.kind')} value={rule.kind} onChange={(kind) => onChange({ ...rule, kind })} options={kinds.map((one) => [one, t(`ruleKind.${one}`)] as const)} />
        {rule.kind !== 'exclusion' && (
          <Field label={t(rule.kind === 'multiplier' ? 'rule.factor' : 'rule.points')}>
            {(id) => <input id={id} spellCheck={false} className="field w-52 font-mono" value={rule.points ?? ''} onChange={(e) => text('points', e.target.value)} />}
          </Field>
        )}
        {rule.kind === 'exclusion' && (
          <Field label={t('rule.lines')}>{(id) => <input id={id} spellCheck={false} className="field w-52 font-mono" value={rule.lines ?? ''} onChange={(e) => text('lines', e.target.value)} />}</Field>
        )}
        <Field label={t('rule.when')}>{(id) => <input id={id} spellCheck={false} className="field w-52 font-mono" value={rule.when ?? ''} onChange={(e) => text('when', e.target.value)} />}</Field>
        <Button disabled={check.isPending} onClick={() => check.mutate()}>{t('rule.try')}</Button>
        <Button look="quiet" onClick={onRemove} aria-label={t('rule.remove', { code: rule.code })}>✕</Button>
      </div>
      <div role="status" className="text-xs">
        {check.error && <p className="text-bad">{check.error.message}</p>}
        {verdict && (
          <p className="text-soft">
            <Badge tone={verdict.failed ? 'bad' : verdict.fits ? 'good' : 'plain'}>{t(verdict.failed ? 'rule.fails' : verdict.fits ? 'rule.fits' : 'rule.fitsNot')}</Badge>{' '}
            {verdict.failed ?? (verdict.gives === undefined ? '' : t('rule.gives', { n: verdict.gives }))}
          </p>
        )}
      </div>
    </div>
  )
}
