import type { ReactNode } from 'react'
import { SessionProvider, signInAgain, useSessionQuery } from '../api/session'
import { useI18n } from '../i18n'
import { Button, Failed, Skeleton } from '../ui/parts'

/** Gate shows the page to who is signed in, and the way in to all others. */
export function Gate({ children }: { children: ReactNode }) {
  const { t } = useI18n()
  const query = useSessionQuery()
  if (query.data) return <SessionProvider session={query.data}>{children}</SessionProvider>
  if (query.isPending) return <Skeleton lines={6} className="mx-auto max-w-3xl p-10" />
  const problem = new URLSearchParams(location.search).get('problem')
  return (
    <main className="grid min-h-screen place-items-center p-4">
      <div className="card flex w-full max-w-md flex-col gap-4 p-8">
        <img src={import.meta.env.BASE_URL + 'icon.svg'} alt="" width="44" height="44" />
        {query.data === null ? (
          <>
            <h1 className="text-xl font-semibold">{t('signIn.title')}</h1>
            {problem && /^\w+$/.test(problem) && <p className="rounded-md bg-bad-soft p-3 text-bad">{t('signIn.problem', { code: problem })}</p>}
            <p className="text-soft">{t('signIn.text')}</p>
            <Button look="primary" onClick={signInAgain}>
              {t('action.signIn')}
            </Button>
          </>
        ) : (
          <Failed error={query.error} retry={() => void query.refetch()} />
        )}
      </div>
    </main>
  )
}
