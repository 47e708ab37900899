import { useQuery } from '@tanstack/react-query'
import { useNavigate, useRouterState } from '@tanstack/react-router'
import { useEffect, useId, useState, type KeyboardEvent } from 'react'
import { accounts, body, loyalty, tickets } from '../api/client'
import { Problem } from '../api/problem'
import { signOut, useSession } from '../api/session'
import { useI18n } from '../i18n'
import type { Key } from '../i18n/say'
import { guess } from '../lookup'
import { Dialog } from '../ui/Dialog'
import { useToasts } from '../ui/Toasts'
import { useProblemText } from '../ui/problems'
import { forget, keyOf, read, save, viewOf } from '../views'
import { pages } from './pages'
import { useTheme } from './theme'

interface Choice {
  id: string
  group: Key
  label: string
  note?: string
  run: () => void
}

/** nothing makes "not found" and "not yours" an empty result: both mean that there is nothing to choose. */
async function nothing<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Problem && error.status < 500 && error.status !== 401) return null
    throw error
  }
}

interface Found {
  customers: { id: string; name: string }[]
  tickets: { id: string; number: string; subject: string }[]
}

/** find looks for what was typed wherever it can be found, at most eight customers. */
async function find(q: string, can: (permission: string) => boolean, signal: AbortSignal): Promise<Found> {
  const { ticket, identities, name } = guess(q)
  const found = new Map<string, string>()
  const numbered: Found['tickets'] = []
  const jobs: Promise<void>[] = []
  if (ticket && can('tickets.read'))
    jobs.push(
      nothing(body(tickets.GET('/v1/tickets/lookup', { params: { query: { number: ticket } }, signal }))).then((one) => {
        if (one) numbered.push({ id: one.ticket_id, number: one.number, subject: one.subject })
      }),
    )
  if (can('customers.read')) {
    for (const query of identities)
      jobs.push(
        nothing(body(accounts.GET('/v1/customers/lookup', { params: { query }, signal }))).then((list) =>
          list?.items?.forEach((one) => found.set(one.customer_id, one.display_name)),
        ),
      )
    if (name)
      jobs.push(
        nothing(body(accounts.GET('/v1/customers/search', { params: { query: { q: name, limit: 8 } }, signal }))).then((list) =>
          list?.items?.forEach((one) => found.set(one.customer_id, one.display_name ?? '')),
        ),
      )
  }
  const card = identities.find((one) => one.type === 'card')?.value
  if (card && can('loyalty.read'))
    jobs.push(
      nothing(body(loyalty.GET('/v1/members', { params: { query: { card_number: card } }, signal }))).then((list) =>
        list?.items?.forEach((one) => found.has(one.customer_id) || found.set(one.customer_id, '')),
      ),
    )
  await Promise.all(jobs)
  return { customers: [...found].slice(0, 8).map(([id, label]) => ({ id, name: label })), tickets: numbered }
}

/** pause is how long nobody has typed before it is asked for, in milliseconds. */
const pause = 200

/** Palette finds customers and tickets; with commands it goes to pages and does things as well. */
export function Palette({ commands, onClose }: { commands: boolean; onClose: () => void }) {
  const { t } = useI18n()
  const say = useProblemText()
  const list = useId()
  const [typed, setTyped] = useState('')
  const [at, setAt] = useState<number | null>(null)
  const [q, setQ] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setQ(typed.trim()), pause)
    return () => clearTimeout(timer)
  }, [typed])
  const { can } = useSession()
  const wide = [...q].length >= 2
  const query = useQuery({ queryKey: ['search', q], queryFn: ({ signal }) => find(q, can, signal), enabled: wide })
  const choices = useChoices(typed.trim(), commands, wide ? query.data : undefined, onClose)
  // Enter goes somewhere, or does nothing: what is typed becomes the name of a view only where that was chosen.
  const first = choices[0]?.group === 'palette.keeping' ? -1 : 0
  const chosen = Math.min(at ?? first, choices.length - 1)
  const keys = (e: KeyboardEvent) => {
    if (e.key === 'ArrowDown') setAt(Math.min(chosen + 1, choices.length - 1))
    else if (e.key === 'ArrowUp') setAt(Math.max(chosen - 1, 0))
    else if (e.key === 'Enter' && !e.nativeEvent.isComposing) choices[chosen]?.run()
    else return
    e.preventDefault()
  }
  return (
    <Dialog title={t('palette.title')} onClose={onClose} bare>
      <input
        autoFocus
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={choices[chosen] ? `${list}-${chosen}` : undefined}
        aria-label={t(commands ? 'palette.hint' : 'palette.searchHint')}
        placeholder={t(commands ? 'palette.hint' : 'palette.searchHint')}
        className="h-13 w-full border-b border-line bg-transparent px-4 text-base text-ellipsis outline-none placeholder:text-faint"
        value={typed}
        onChange={(e) => {
          setTyped(e.target.value)
          setAt(null)
        }}
        onKeyDown={keys}
      />
      <ul id={list} role="listbox" aria-label={t('palette.title')} className="p-2">
        {choices.map((choice, i) => (
          <li key={choice.id} role="presentation">
            {choices[i - 1]?.group !== choice.group && (
              <div role="presentation" className="px-2 pt-2 pb-1 text-xs font-medium text-faint">
                {t(choice.group)}
              </div>
            )}
            <div
              id={`${list}-${i}`}
              role="option"
              aria-selected={i === chosen}
              onClick={choice.run}
              onMouseMove={() => setAt(i)}
              className={`flex cursor-pointer justify-between gap-4 rounded-md px-3 py-2 ${i === chosen ? 'bg-accent-soft text-accent' : ''}`}
            >
              <span className="truncate">{choice.label}</span>
              <span className="shrink-0 text-xs text-faint">{choice.note}</span>
            </div>
          </li>
        ))}
      </ul>
      <p role="status" className="px-5 pb-4 text-soft empty:hidden">
        {query.isFetching && wide
          ? t('palette.searching')
          : query.error && wide
            ? say(query.error)
            : choices.some((choice) => choice.group !== 'palette.keeping')
              ? ''
              : wide
                ? t('palette.none', { q })
                : t('palette.type')}
      </p>
    </Dialog>
  )
}

function useChoices(q: string, commands: boolean, found: Found | undefined, onClose: () => void): Choice[] {
  const { t, language, setLanguage } = useI18n()
  const { can, tenant, subject } = useSession()
  const place = useRouterState({ select: (s) => s.location })
  const [, setTheme] = useTheme()
  const { done, failed } = useToasts()
  const navigate = useNavigate()
  const then = (run: () => unknown) => () => {
    onClose()
    run()
  }
  const results: Choice[] = [
    ...(found?.tickets ?? []).map<Choice>((one) => ({
      id: one.id, group: 'palette.tickets', label: one.subject, note: one.number,
      run: then(() => navigate({ to: '/tickets', search: { view: 'all', ticket: one.id } })),
    })),
    ...(found?.customers ?? []).map<Choice>((one) => ({
      id: one.id, group: 'palette.customers', label: one.name || t('customers.noName'),
      run: then(() => navigate({ to: '/customers/$customerId', params: { customerId: one.id }, search: {} })),
    })),
  ]
  if (!commands) return results
  const mine = keyOf(tenant, subject)
  const kept = read(mine).filter((one) => one.name.toLowerCase().includes(q.toLowerCase()))
  const here = viewOf(q, place.pathname, place.search)
  const views = kept.map<Choice>((one) => ({
    id: `view ${one.name}`, group: 'palette.views', label: one.name, run: then(() => navigate({ to: one.path as '/', search: one.search as Record<never, never> })),
  }))
  // Last, so that nothing is saved by whoever presses Enter to go somewhere.
  const keeping: Choice[] = kept.filter((one) => one.name === q).map((one) => ({
    id: `forget ${one.name}`, group: 'palette.keeping', label: t('palette.forget', { name: one.name }), run: then(() => forget(mine, one.name)),
  }))
  if (here && keeping.length === 0)
    keeping.push({
      id: 'save', group: 'palette.keeping', label: t('palette.save', { name: here.name }),
      run: then(() => {
        save(mine, here)
        done(t('palette.saved', { name: here.name }))
      }),
    })
  const fixed: Choice[] = [
    ...pages
      .filter((page) => !page.permission || can(page.permission))
      .map<Choice>((page) => ({ id: page.to, group: 'palette.pages', label: t(page.key), run: then(() => navigate({ to: page.to, search: {} })) })),
    ...(['system', 'light', 'dark'] as const).map<Choice>((theme) => ({
      id: theme, group: 'palette.commands', label: `${t('preferences.theme')}: ${t(`theme.${theme}`)}`, run: then(() => setTheme(theme)),
    })),
    language === 'en'
      ? { id: 'zh', group: 'palette.commands', label: 'Language: 简体中文', run: then(() => setLanguage('zh-CN')) }
      : { id: 'en', group: 'palette.commands', label: '语言：English', run: then(() => setLanguage('en')) },
    { id: 'out', group: 'palette.commands', label: t('action.signOut'), run: then(() => void signOut().catch(failed)) },
  ]
  return [...results, ...views, ...fixed.filter((choice) => choice.label.toLowerCase().includes(q.toLowerCase())), ...keeping]
}
