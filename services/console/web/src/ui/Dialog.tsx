import { useLayoutEffect, useRef, type ReactNode } from 'react'
import { useI18n } from '../i18n'

/** Dialog is modal: the browser keeps the focus in it, closes it with Escape, and gives the focus back. */
export function Dialog({ title, onClose, children, bare, wide }: { title: string; onClose: () => void; children: ReactNode; bare?: boolean; wide?: boolean }) {
  const { t } = useI18n()
  const ref = useRef<HTMLDialogElement>(null)
  // Closed while it is in the page: one that is out already gives no focus back.
  useLayoutEffect(() => {
    const dialog = ref.current
    dialog?.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={ref}
      aria-label={title}
      onCancel={(e) => {
        e.preventDefault()
        onClose()
      }}
      onClick={(e) => e.target === e.currentTarget && onClose()}
      className={`mx-auto mt-[10vh] max-h-[80vh] ${wide ? 'w-[min(52rem,calc(100vw-2rem))]' : 'w-[min(36rem,calc(100vw-2rem))]'} overflow-auto rounded-xl border border-line bg-surface p-0 text-ink shadow-2xl`}
    >
      {!bare && (
        <header className="flex items-center justify-between border-b border-line px-4 py-3">
          <h2 className="text-base font-semibold">{title}</h2>
          <button type="button" aria-label={t('action.close')} onClick={onClose} className="rounded px-2 py-1 text-soft hover:bg-sunken">
            ✕
          </button>
        </header>
      )}
      {children}
    </dialog>
  )
}
