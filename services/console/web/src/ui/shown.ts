import { useEffect, useRef } from 'react'

/** useShown is the ref of a row that scrolls: what is current in it is brought to its middle when another becomes current. */
export function useShown<T extends HTMLElement>(current: string | number) {
  const row = useRef<T>(null)
  useEffect(() => {
    const box = row.current
    const one = box?.querySelector('[aria-current]')?.getBoundingClientRect()
    if (!box || !one) return
    const { left, width } = box.getBoundingClientRect()
    box.scrollLeft += one.left + one.width / 2 - (left + width / 2)
  }, [current])
  return row
}
