import { createContext, use, useMemo, useState, type ReactNode } from 'react'
import { keep } from '../keep'
import { say, titleOf, type Key, type Language, type Values } from './say'

interface I18n {
  language: Language
  setLanguage: (language: Language) => void
  t: (key: Key, values?: Values) => string
  title: (title: string) => string
}

const Context = createContext<I18n | null>(null)

export function I18nProvider({ children }: { children: ReactNode }) {
  const [language, set] = useState<Language>(document.documentElement.lang === 'zh-CN' ? 'zh-CN' : 'en')
  const value = useMemo<I18n>(
    () => ({
      language,
      setLanguage: (next) => {
        document.documentElement.lang = next
        keep('guanxi.language', next)
        set(next)
      },
      t: (key, values) => say(language, key, values),
      title: (title) => titleOf(language, title),
    }),
    [language],
  )
  return <Context value={value}>{children}</Context>
}

export function useI18n(): I18n {
  const i18n = use(Context)
  if (!i18n) throw new Error('useI18n needs an I18nProvider around it')
  return i18n
}
