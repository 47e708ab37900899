import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { body, loyalty, once, tagged } from '../../api/client'
import type { components } from '../../api/loyalty'
import { Problem } from '../../api/problem'
import { useSession } from '../../api/session'
import { time } from '../../format'
import { useI18n } from '../../i18n'
import { changes, termsOf } from '../../loyalty'
import { Badge, Button, Card, Empty, Field, Loaded } from '../../ui/parts'
import { useToasts } from '../../ui/Toasts'
import { DryRun } from './DryRun'
import { TermsForm } from './TermsForm'

export type Terms = components['schemas']['Terms']

const route = getRouteApi('/loyalty/programmes/$code')

export function Programme() {
  const { code } = route.useParams()
  const { t } = useI18n()
  const { can } = useSession()
  const query = useQuery({
    queryKey: ['loyalty', 'programme', code],
    queryFn: () => tagged(loyalty.GET('/v1/programmes/{code}', { params: { path: { code } } })),
  })
  return (
    <Loaded query={query} lines={10}>
      {({ value, etag }) => (
        <div className="mx-auto flex max-w-7xl flex-col gap-5 p-4 md:p-6">
          <header className="flex flex-wrap items-baseline gap-x-4 gap-y-1">
            <h1 className="text-xl font-semibold">{value.name}</h1>
            <span className="text-soft">
              {value.code} · {value.version > 0 ? t('programme.version', { n: value.version }) : t('programme.house')} · {value.zone}
            </span>
            <Link to="/loyalty" search={{}} className="ml-auto text-accent hover:underline">
              {t('action.back')}
            </Link>
          </header>
          {can('loyalty.configure') ? (
            <Editor code={code} name={value.name} zone={value.zone} terms={value.terms} version={value.version} etag={etag} />
          ) : (
            <Card title={t('programme.terms')}>
              <pre className="overflow-auto p-4 text-xs">{JSON.stringify(value.terms, null, 2)}</pre>
            </Card>
          )}
          {value.version > 0 && <Versions code={code} />}
        </div>
      )}
    </Loaded>
  )
}

interface Of {
  code: string
  name: string
  zone: string
  terms: Terms
  version: number
  etag: string
}

function Editor({ code, name, zone, terms, version, etag }: Of) {
  const { t } = useI18n()
  const { done, failed } = useToasts()
  const client = useQueryClient()
  const [draft, setDraft] = useState(terms)
  const [text, setText] = useState<string | null>(null)
  const [from, setFrom] = useState('')
  // Somebody may write a version meanwhile: what this draft began with stays what it is compared with and saved against.
  const [seen, setSeen] = useState({ terms, etag })
  const [key, setKey] = useState(once)
  const read = useMemo(() => (text === null ? { terms: draft } : termsOf<Terms>(text)), [text, draft])
  const differ = 'terms' in read ? changes(seen.terms, read.terms) : []
  const edit = (next: Terms) => setDraft(next)
  const save = useMutation({
    mutationFn: () => {
      if (!('terms' in read)) throw new Error(read.wrong)
      if (version === 0) return body(loyalty.POST('/v1/programmes', { params: { header: key }, body: { code, name, zone, terms: read.terms } }))
      return body(
        loyalty.POST('/v1/programmes/{code}/versions', {
          params: { path: { code }, header: { ...key, 'If-Match': seen.etag } },
          body: { terms: read.terms, effective_from: from ? new Date(from).toISOString() : undefined },
        }),
      )
    },
    onSuccess: async (got) => {
      done(t('programme.saved', { n: got.version }))
      setKey(once())
      setText(null)
      setDraft(got.terms)
      setSeen({ terms: got.terms, etag: `"${got.version}"` })
      await client.invalidateQueries({ queryKey: ['loyalty'] })
    },
    onError: (e) => {
      // What was refused was not done: the next attempt is another wish.
      setKey(once())
      failed(e)
    },
  })
  const stale = etag !== seen.etag
  const refused = save.error instanceof Problem ? save.error : null
  return (
    <>
      <Card
        title={t('programme.terms')}
        action={
          <Button
            look="quiet"
            aria-pressed={text !== null}
            disabled={text !== null && !('terms' in read)}
            onClick={() => {
              if (text === null) setText(JSON.stringify(draft, null, 2))
              else if ('terms' in read) {
                setDraft(read.terms)
                setText(null)
              }
            }}
          >
            {t(text === null ? 'programme.asText' : 'programme.asForm')}
          </Button>
        }
      >
        {text === null ? (
          <TermsForm terms={draft} programme={code} onChange={edit} />
        ) : (
          <div className="flex flex-col gap-2 p-4">
            <Field label={t('programme.json')}>
              {(id) => <textarea id={id} spellCheck={false} className="field h-96 w-full py-2 font-mono text-xs" value={text} onChange={(e) => setText(e.target.value)} />}
            </Field>
            {'wrong' in read && <p role="alert" className="text-bad">{t('programme.wrong', { why: read.wrong })}</p>}
          </div>
        )}
      </Card>
      <Card title={t('programme.changes')}>
        {differ.length === 0 ? (
          <p className="p-4 text-soft">{t('programme.noChanges')}</p>
        ) : (
          <ul className="divide-y divide-line">
            {differ.map((one) => (
              <li key={one.path} className="grid grid-cols-1 gap-x-4 px-4 py-1.5 sm:grid-cols-[16rem_1fr]">
                <code className="text-xs break-all text-soft">{one.path}</code>
                <span className="min-w-0 text-xs break-all">
                  {one.before !== undefined && <del className="text-bad">{one.before}</del>} {one.after !== undefined && <ins className="text-good no-underline">{one.after}</ins>}
                </span>
              </li>
            ))}
          </ul>
        )}
        <form
          className="flex flex-wrap items-end gap-3 border-t border-line p-4"
          onSubmit={(e) => {
            e.preventDefault()
            save.mutate()
          }}
        >
          {version > 0 && (
            <Field label={t('programme.from')}>{(id) => <input id={id} type="datetime-local" className="field" value={from} onChange={(e) => setFrom(e.target.value)} />}</Field>
          )}
          <Button type="submit" look="primary" disabled={save.isPending || differ.length === 0 || stale}>
            {t('programme.save')}
          </Button>
          <Button
            disabled={differ.length === 0 && !stale}
            onClick={() => {
              setDraft(terms)
              setText(null)
              setSeen({ terms, etag })
            }}
          >
            {t('programme.reset')}
          </Button>
          {stale && <p role="alert" className="w-full text-warn">{t('programme.stale')}</p>}
          {refused && <p role="alert" className="w-full text-bad">{refused.message}</p>}
          <p className="w-full text-xs text-faint">{t('programme.forward')}</p>
        </form>
      </Card>
      {'terms' in read && <DryRun code={code} zone={zone} terms={read.terms} />}
    </>
  )
}

function Versions({ code }: { code: string }) {
  const { t, language } = useI18n()
  const { can } = useSession()
  const { done, failed } = useToasts()
  const client = useQueryClient()
  const query = useQuery({
    queryKey: ['loyalty', 'programme', code, 'versions'],
    queryFn: () => body(loyalty.GET('/v1/programmes/{code}/versions', { params: { path: { code }, query: { limit: 50 } } })),
  })
  const withdraw = useMutation({
    mutationFn: (version: number) => body(loyalty.POST('/v1/programmes/{code}/versions/{version}/withdraw', { params: { path: { code, version }, header: once() } })),
    onSuccess: (got) => {
      done(t('programme.withdrawn', { n: got.version }))
      void client.invalidateQueries({ queryKey: ['loyalty'] })
    },
    onError: failed,
  })
  return (
    <Card title={t('programme.versions')}>
      <Loaded query={query} lines={3}>
        {(d) =>
          !d.items?.length ? (
            <Empty title={t('programme.noVersions')} />
          ) : (
            <ul className="divide-y divide-line">
              {d.items.map((one) => {
                const ahead = new Date(one.effective_from).getTime() > query.dataUpdatedAt
                return (
                  <li key={one.version} className="flex flex-wrap items-center justify-between gap-3 px-4 py-2">
                    <span>
                      <span className="font-medium">{t('programme.version', { n: one.version })}</span>{' '}
                      {one.withdrawn_at ? <Badge>{t('programme.wasWithdrawn')}</Badge> : ahead && <Badge tone="warn">{t('programme.ahead')}</Badge>}
                      <span className="block text-xs text-soft">
                        {t('programme.holds', { at: time(language, one.effective_from) })} · {one.by}
                      </span>
                    </span>
                    {ahead && !one.withdrawn_at && can('loyalty.configure') && (
                      <Button disabled={withdraw.isPending} onClick={() => withdraw.mutate(one.version)}>
                        {t('programme.withdraw')}
                      </Button>
                    )}
                  </li>
                )
              })}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}
