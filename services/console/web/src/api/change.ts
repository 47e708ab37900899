import { useState, type FormEvent } from 'react'
import { Problem } from './problem'

/** Version is what was read, with the ETag by which a change of it is sent. */
export interface Version<T> {
  value: T
  etag: string
}

interface Change<T> {
  read: () => Promise<Version<T>>
  /** send carries the change out against a version, whose ETag goes along as If-Match. */
  send: (base: Version<T>) => Promise<void>
  /** met is told when somebody was faster: what one's own change was made from, and what is there now. */
  met?: (base: T, theirs: T) => void
}

/**
 * useChange sends a change of what was read as first. Where somebody was faster nothing is sent: what is there now is read and given
 * as theirs, to be looked at, and the next attempt is made against that.
 */
export function useChange<T>(first: Version<T>, { read, send, met }: Change<T>) {
  const [base, setBase] = useState(first)
  const [theirs, setTheirs] = useState<T | null>(null)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const attempt = async () => {
    try {
      await send(base)
    } catch (problem) {
      if (!(problem instanceof Problem && problem.status === 412)) throw problem
      const now = await read()
      met?.(base.value, now.value)
      setBase(now)
      setTheirs(now.value)
    }
  }
  const save = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await attempt()
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
    }
  }
  return { base, theirs, busy, error, save }
}
