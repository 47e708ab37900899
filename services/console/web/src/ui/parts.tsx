import type { ButtonHTMLAttributes, ReactNode } from 'react'
import { useId } from 'react'
import { Problem } from '../api/problem'
import { useI18n } from '../i18n'
import { useProblemText } from './problems'

type Tone = 'plain' | 'accent' | 'good' | 'warn' | 'bad'

const buttons = {
  primary: 'bg-accent text-on-accent hover:brightness-95',
  plain: 'border border-strong-line bg-surface text-ink hover:bg-sunken',
  quiet: 'text-soft hover:bg-sunken hover:text-ink',
}

export function Button({ look = 'plain', className = '', ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { look?: keyof typeof buttons }) {
  return (
    <button
      type="button"
      className={`inline-flex h-9 shrink-0 items-center justify-center gap-1.5 rounded-md px-3 font-medium whitespace-nowrap disabled:opacity-50 ${buttons[look]} ${className}`}
      {...rest}
    />
  )
}

/** More reads the next page of a list that is read as far as one wants. */
export function More({ of, inCard }: { of: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown }; inCard?: boolean }) {
  const { t } = useI18n()
  if (!of.hasNextPage) return null
  return (
    <div className={`text-center ${inCard ? 'border-t border-line p-3' : ''}`}>
      <Button disabled={of.isFetchingNextPage} onClick={() => void of.fetchNextPage()}>
        {t('action.more')}
      </Button>
    </div>
  )
}

/** FormEnd is how a form in a dialog ends: what was wrong with it, and the ways out. */
export function FormEnd({ error, disabled, onCancel, label }: { error: unknown; disabled: boolean; onCancel: () => void; label?: string }) {
  const { t } = useI18n()
  const say = useProblemText()
  return (
    <>
      {error !== null && (
        <p role="alert" className="rounded-md bg-bad-soft p-3 text-bad">
          {say(error)}
        </p>
      )}
      <div className="flex justify-end gap-2 pt-2">
        <Button onClick={onCancel}>{t('action.cancel')}</Button>
        <Button look="primary" type="submit" disabled={disabled}>
          {label ?? t('action.save')}
        </Button>
      </div>
    </>
  )
}

/** linkLook is of a link that looks like a plain button. */
export const linkLook = 'inline-flex h-9 items-center rounded-md border border-strong-line bg-surface px-3 font-medium hover:bg-sunken'

/** Detail is the page of one thing: what it is, what is done with it, and beside that, or below on a narrow screen, what belongs to it. */
export function Detail({ head, main, side }: { head: ReactNode; main: ReactNode; side: ReactNode }) {
  return (
    <>
      {head}
      <div className="mt-5 grid grid-cols-1 items-start gap-5 lg:grid-cols-[minmax(0,1fr)_22rem]">
        <div className="flex min-w-0 flex-col gap-5">{main}</div>
        <div className="flex min-w-0 flex-col gap-5">{side}</div>
      </div>
    </>
  )
}

const tones: Record<Tone, string> = {
  plain: 'bg-sunken text-soft',
  accent: 'bg-accent-soft text-accent',
  good: 'bg-good-soft text-good',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
}

export function Badge({ tone = 'plain', children }: { tone?: Tone; children: ReactNode }) {
  return <span className={`inline-flex items-center rounded px-1.5 py-0.5 text-xs font-medium whitespace-nowrap ${tones[tone]}`}>{children}</span>
}

export function Field({ label, children }: { label: string; children: (id: string) => ReactNode }) {
  const id = useId()
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <label htmlFor={id} className="text-xs font-medium text-soft">
        {label}
      </label>
      {children(id)}
    </div>
  )
}

/** Select is a labelled choice out of few; the label is read aloud, and shown where there is room for it. */
export function Select<T extends string>(props: { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void; bare?: boolean }) {
  const select = (id?: string) => (
    <select id={id} aria-label={id ? undefined : props.label} className="field" value={props.value} onChange={(e) => props.onChange(e.target.value as T)}>
      {props.options.map(([value, words]) => (
        <option key={value} value={value}>
          {words}
        </option>
      ))}
    </select>
  )
  return props.bare ? select() : <Field label={props.label}>{select}</Field>
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-10 text-center text-soft">
      <svg width="36" height="36" viewBox="0 0 32 32" fill="none" stroke="currentColor" strokeWidth="1.6" className="text-faint" aria-hidden>
        <circle cx="12.5" cy="16" r="6.5" />
        <circle cx="19.5" cy="16" r="6.5" />
      </svg>
      <p className="font-medium text-ink">{title}</p>
      {children}
    </div>
  )
}

/** Failed says what went wrong and what to do about it. */
export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useI18n()
  const say = useProblemText()
  const problem = error instanceof Problem ? error : null
  const [title, text] =
    problem?.status === 403
      ? [t('forbidden.title'), t('forbidden.text')]
      : problem?.status === 404
        ? [t('notFound.title'), t('notFound.text')]
        : [t('error.title'), say(error)]
  return (
    <div role="alert" className="flex flex-col items-start gap-2 p-4">
      <p className="font-medium">{title}</p>
      <p className="text-soft">{text}</p>
      {problem?.code && <p className="text-xs text-faint">{t('error.code', { code: problem.code })}</p>}
      {retry && <Button onClick={retry}>{t('action.retry')}</Button>}
    </div>
  )
}

/** Skeleton holds the place of lines that are being loaded. */
export function Skeleton({ lines = 3, className = '' }: { lines?: number; className?: string }) {
  const { t } = useI18n()
  return (
    <div role="status" aria-label={t('state.loading')} className={`flex flex-col gap-2 ${className}`}>
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} className="waiting h-4 rounded bg-sunken" style={{ width: `${100 - ((i * 17) % 45)}%` }} />
      ))}
    </div>
  )
}

interface Query<T> {
  data: T | undefined
  error: unknown
  isPending: boolean
  refetch: () => unknown
}

/** Loaded shows what a query brought, a skeleton until then, and why where it failed. What was shown stays when a refresh fails. */
export function Loaded<T>({ query, lines, children }: { query: Query<T>; lines?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return children(query.data)
  if (query.error) return <Failed error={query.error} retry={() => void query.refetch()} />
  return <Skeleton lines={lines} className="p-4" />
}

export function Card({ title, action, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  return (
    <section className="card" aria-label={title}>
      <header className="flex min-h-11 flex-wrap items-center justify-between gap-x-2 border-b border-line px-4">
        <h2 className="py-1.5 font-semibold">{title}</h2>
        {action}
      </header>
      {children}
    </section>
  )
}
