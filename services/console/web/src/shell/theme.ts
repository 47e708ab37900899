import { useState } from 'react'
import { keep } from '../keep'

export type Theme = 'system' | 'light' | 'dark'

function kept(): Theme {
  try {
    const theme = localStorage.getItem('guanxi.theme')
    return theme === 'light' || theme === 'dark' ? theme : 'system'
  } catch {
    return 'system'
  }
}

/** useTheme gives the chosen theme and changes it at once; public/theme.js does the same before the page is painted. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, set] = useState(kept)
  return [
    theme,
    (next) => {
      keep('guanxi.theme', next)
      const dark = next === 'dark' || (next === 'system' && matchMedia('(prefers-color-scheme: dark)').matches)
      document.documentElement.dataset.theme = dark ? 'dark' : 'light'
      set(next)
    },
  ]
}
