import { Link, Outlet, useRouter, type ErrorComponentProps } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useLive } from '../api/live'
import { signOut, useSession } from '../api/session'
import { useI18n } from '../i18n'
import { Button, Empty, Select } from '../ui/parts'
import { useToasts } from '../ui/Toasts'
import { Palette } from './Palette'
import { pages, type Page } from './pages'
import { useTheme, type Theme } from './theme'

type Search = 'all' | 'search' | null

/** typing says whether a key belongs to a field that somebody writes in. */
function typing(e: KeyboardEvent): boolean {
  const target = e.target as HTMLElement
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName)
}

export function Shell() {
  const { t } = useI18n()
  const [search, setSearch] = useState<Search>(null)
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'k') {
        e.preventDefault()
        setSearch('all')
      } else if (e.key === '/' && !e.ctrlKey && !e.metaKey && !e.altKey && !typing(e)) {
        e.preventDefault()
        setSearch((open) => open ?? 'search')
      }
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
  return (
    <div className="flex min-h-screen flex-col md:h-screen md:flex-row">
      <a href="#content" className="card absolute -top-20 left-2 z-50 px-3 py-2 focus:top-2">
        {t('app.skip')}
      </a>
      <Navigation />
      <div className="flex min-w-0 flex-1 flex-col">
        <TopBar onSearch={() => setSearch('all')} />
        <main id="content" tabIndex={-1} className="min-h-0 flex-1 pb-20 outline-none md:overflow-auto md:pb-0">
          <Outlet />
        </main>
      </div>
      {search && <Palette commands={search === 'all'} onClose={() => setSearch(null)} />}
    </div>
  )
}

/** first is for how many pages a telephone has room at its foot, beside the button for the others. */
const first = 4

function Navigation() {
  const { t } = useI18n()
  const { can, tenant } = useSession()
  const allowed = pages.filter((page) => !page.permission || can(page.permission))
  const rest = allowed.length > first + 1 ? allowed.slice(first) : []
  return (
    <nav
      aria-label={t('nav.main')}
      className="group/nav fixed inset-x-0 bottom-0 z-40 flex border-t border-line bg-surface md:static md:w-48 md:shrink-0 md:flex-col md:gap-1 md:border-t-0 md:border-r md:p-3"
    >
      <div className="mb-3 hidden items-center gap-2.5 px-2 md:flex">
        <img src={import.meta.env.BASE_URL + 'icon.svg'} alt="" width="28" height="28" />
        <div className="min-w-0 leading-tight">
          <div className="font-semibold">Guanxi</div>
          <div className="truncate text-xs text-faint">{tenant}</div>
        </div>
      </div>
      {allowed.map((page) => (
        <Link
          key={page.to}
          to={page.to}
          activeOptions={{ exact: page.to === '/', includeSearch: false }}
          className={`${tab} md:flex-none md:flex-row md:gap-2.5 md:rounded-md md:px-2.5 md:text-sm ${rest.includes(page) ? 'max-md:hidden' : ''}`}
          activeProps={{ className: 'text-accent! font-medium md:bg-accent-soft' }}
        >
          {page.icon}
          {t(page.key)}
        </Link>
      ))}
      {rest.length > 0 && <More pages={rest} />}
    </nav>
  )
}

const tab = 'flex flex-1 flex-col items-center gap-0.5 py-2 text-xs text-soft hover:bg-sunken'

/** More has the pages for which a telephone has no room. */
function More({ pages }: { pages: Page[] }) {
  const { t } = useI18n()
  const menu = useRef<HTMLDivElement>(null)
  return (
    <>
      <button type="button" popoverTarget="more" style={{ anchorName: '--more' }} className={`${tab} group-has-[#more_[data-status=active]]/nav:text-accent md:hidden`}>
        <svg width="18" height="18" viewBox="0 0 24 24" fill="currentColor" aria-hidden>
          <path d="M4 10a2 2 0 100 4 2 2 0 000-4zM12 10a2 2 0 100 4 2 2 0 000-4zM20 10a2 2 0 100 4 2 2 0 000-4z" />
        </svg>
        {t('nav.more')}
      </button>
      <div ref={menu} id="more" popover="auto" style={{ positionAnchor: '--more' }} className="menu card w-52 p-1 text-ink shadow-xl md:hidden">
        {pages.map((page) => (
          <Link
            key={page.to}
            to={page.to}
            activeOptions={{ includeSearch: false }}
            onClick={() => menu.current?.hidePopover()}
            className="flex items-center gap-3 rounded px-3 py-2.5 hover:bg-sunken"
            activeProps={{ className: 'text-accent! font-medium' }}
          >
            {page.icon}
            {t(page.key)}
          </Link>
        ))}
      </div>
    </>
  )
}

function TopBar({ onSearch }: { onSearch: () => void }) {
  const { t } = useI18n()
  const live = useLive()
  const { name, subject } = useSession()
  const shown = name || subject
  return (
    <header className="sticky top-0 z-30 flex h-14 shrink-0 items-center gap-3 border-b border-line bg-surface px-4">
      <button type="button" onClick={onSearch} className="field flex max-w-md flex-1 items-center justify-between gap-2 text-left text-faint hover:border-soft">
        <span className="truncate">{t('action.search')}</span>
        <span className="hidden gap-1 text-xs sm:flex" aria-hidden>
          <kbd className="rounded border border-line px-1">/</kbd>
          <kbd className="rounded border border-line px-1">Ctrl K</kbd>
        </span>
      </button>
      <div className="ml-auto flex items-center gap-3">
        <span role="status" title={live ? t('live.on') : t('live.off')} className="flex items-center gap-1.5 text-xs text-soft">
          <span aria-hidden className={`size-2 rounded-full ${live ? 'bg-good' : 'border border-strong-line'}`} />
          <span className={live ? 'max-sm:sr-only' : 'sr-only'}>{live ? t('live.on') : t('live.off')}</span>
        </span>
        <button
          type="button"
          popoverTarget="preferences"
          style={{ anchorName: '--preferences' }}
          aria-label={`${shown}: ${t('preferences.title')}`}
          className="grid size-9 place-items-center rounded-full bg-accent-soft font-semibold text-accent uppercase"
        >
          {[...shown][0]}
        </button>
        <Preferences shown={shown} />
      </div>
    </header>
  )
}

function Preferences({ shown }: { shown: string }) {
  const { t, language, setLanguage } = useI18n()
  const { tenant, roles } = useSession()
  const [theme, setTheme] = useTheme()
  const { failed } = useToasts()
  return (
    <div id="preferences" popover="auto" style={{ positionAnchor: '--preferences' }} className="menu card w-64 text-ink shadow-xl">
      <div className="border-b border-line px-4 py-3">
        <div className="font-medium">{shown}</div>
        <div className="text-xs text-faint">
          {tenant} · {roles.join(', ')}
        </div>
      </div>
      <div className="flex flex-col gap-3 p-4">
        <Select<Theme>
          label={t('preferences.theme')}
          value={theme}
          onChange={setTheme}
          options={[['system', t('theme.system')], ['light', t('theme.light')], ['dark', t('theme.dark')]]}
        />
        <Select label={t('preferences.language')} value={language} onChange={setLanguage} options={[['en', 'English'], ['zh-CN', '简体中文']]} />
        <Button onClick={() => void signOut().catch(failed)}>{t('action.signOut')}</Button>
      </div>
    </div>
  )
}

export function Unknown() {
  const { t } = useI18n()
  return (
    <Empty title={t('notFound.title')}>
      <p>{t('notFound.text')}</p>
      <Link to="/" className="text-accent underline">
        {t('nav.home')}
      </Link>
    </Empty>
  )
}

export function Crashed({ error }: ErrorComponentProps) {
  const { t } = useI18n()
  const router = useRouter()
  return (
    <Empty title={t('error.title')}>
      <p>{t('error.crash')}</p>
      <p className="text-xs text-faint">{error instanceof Error ? error.message : String(error)}</p>
      <Button onClick={() => void router.invalidate()}>{t('action.retry')}</Button>
    </Empty>
  )
}
