import { createContext, use, useCallback, useRef, useState, type ReactNode } from 'react'
import { useI18n } from '../i18n'
import { useProblemText } from './problems'

interface Toast {
  id: number
  text: string
  bad: boolean
}

interface Tell {
  done: (text: string) => void
  failed: (error: unknown) => void
}

const Context = createContext<Tell | null>(null)

/** stay is how long good news stays, in milliseconds. Bad news stays until somebody takes it away. */
const stay = 5000

export function Toasts({ children }: { children: ReactNode }) {
  const { t } = useI18n()
  const say = useProblemText()
  const [toasts, set] = useState<Toast[]>([])
  const last = useRef(0)
  const drop = useCallback((id: number) => set((all) => all.filter((toast) => toast.id !== id)), [])
  const add = useCallback(
    (text: string, bad: boolean) => {
      const id = ++last.current
      set((all) => [...all.slice(-3), { id, text, bad }])
      if (!bad) setTimeout(() => drop(id), stay)
    },
    [drop],
  )
  const done = useCallback((text: string) => add(text, false), [add])
  const failed = useCallback((error: unknown) => add(say(error), true), [add, say])
  return (
    <Context value={{ done, failed }}>
      {children}
      <div aria-live="polite" className="pointer-events-none fixed inset-x-0 bottom-16 z-50 flex flex-col items-center gap-2 px-4 md:bottom-4">
        {toasts.map((toast) => (
          <div
            key={toast.id}
            role={toast.bad ? 'alert' : undefined}
            className={`card pointer-events-auto flex max-w-xl items-start gap-3 px-4 py-2.5 shadow-lg ${toast.bad ? 'border-bad text-bad' : ''}`}
          >
            <span>{toast.text}</span>
            <button type="button" aria-label={t('action.close')} onClick={() => drop(toast.id)} className="rounded px-1 text-soft hover:bg-sunken">
              ✕
            </button>
          </div>
        ))}
      </div>
    </Context>
  )
}

export function useToasts(): Tell {
  const tell = use(Context)
  if (!tell) throw new Error('useToasts needs Toasts around it')
  return tell
}
