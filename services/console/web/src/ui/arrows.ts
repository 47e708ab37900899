import { useCallback, type KeyboardEvent, type RefObject } from 'react'

/** useArrows moves the focus through the links of a list with the arrow keys. */
export function useArrows(list: RefObject<HTMLElement | null>, selector = 'a'): (e: KeyboardEvent) => void {
  return useCallback(
    (e) => {
      const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0
      if (!step) return
      e.preventDefault()
      const links = [...(list.current?.querySelectorAll<HTMLElement>(selector) ?? [])]
      const at = links.findIndex((link) => link === document.activeElement)
      links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus()
    },
    [list, selector],
  )
}
