import { useI18n } from '../i18n'

interface Hidden {
  class: 'identity' | 'contact' | 'behaviour' | 'financial' | 'health' | 'special'
  why: 'not_for_purpose' | 'not_for_role' | 'reason_required'
}

/** Withheld says which classes of data are not shown and why, so that nobody takes what is hidden for what is not there. */
export function Withheld({ of }: { of: Hidden[] }) {
  const { t } = useI18n()
  if (of.length === 0) return null
  return (
    <ul aria-label={t('customer.hidden')} className="flex flex-wrap gap-1.5 text-xs">
      {of.map((one) => (
        <li key={one.class} className="rounded border border-dashed border-strong-line px-1.5 py-0.5 text-soft">
          {t('customer.hidden')} · {t(`customer.hiddenWhy.${one.why}`, { class: t(`class.${one.class}`) })}
        </li>
      ))}
    </ul>
  )
}
