import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import type { operations } from '../api/accounts'
import { accounts, body } from '../api/client'
import { useSession } from '../api/session'
import { date, number, time } from '../format'
import { useI18n } from '../i18n'
import { isKey } from '../i18n/say'
import { Badge, Button, Card, Detail, Loaded, Select } from '../ui/parts'
import { Withheld } from '../ui/Withheld'
import { Register } from './complaint/Register'
import { Edit } from './customer/Edit'
import { Panels } from './customer/Panels'
import { Timeline } from './customer/Timeline'
import { History } from './merge/History'
import { MergeWith } from './merge/Other'

export type Profile = operations['get-customer-profile']['responses'][200]['content']['application/json']

const route = getRouteApi('/customers/$customerId')

/** purposes are those that each role may choose; the usual one is taken where nothing is chosen. See docs/accounts.md. */
const purposes = {
  order_taking: ['agent', 'sales', 'manager', 'admin'],
  service: ['agent', 'manager', 'admin'],
  sales: ['sales', 'manager', 'admin'],
  marketing: ['marketing', 'manager', 'admin'],
  analysis: ['marketing', 'manager', 'admin'],
  administration: ['operations', 'admin'],
} as const

type Purpose = keyof typeof purposes

/** Customer is one customer as seen for a purpose: facts, what happened, and what is open. */
export function Customer() {
  const { t } = useI18n()
  const { roles } = useSession()
  const { customerId } = route.useParams()
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/customers/$customerId' })
  const query = useQuery({
    queryKey: ['accounts', 'customer', customerId, 'profile', search.purpose],
    queryFn: () =>
      body(
        accounts.GET('/v1/customers/{customer_id}/profile', {
          params: { path: { customer_id: customerId }, query: { purpose: search.purpose } },
        }),
      ),
  })
  const allowed = (Object.keys(purposes) as Purpose[]).filter((purpose) => roles.some((role) => (purposes[purpose] as readonly string[]).includes(role)))
  return (
    <div className="mx-auto max-w-7xl p-4 md:p-6">
      <div className="mb-3 flex items-center justify-end gap-2">
        <span className="text-xs text-soft" aria-hidden>
          {t('customer.purpose')}
        </span>
        <Select
          bare
          label={t('customer.purpose')}
          value={search.purpose ?? ''}
          onChange={(purpose) => void navigate({ search: (s) => ({ ...s, purpose: purpose || undefined }), replace: true })}
          options={[['', t('customer.purposeUsual')], ...allowed.map((purpose) => [purpose, t(`purpose.${purpose}`)] as const)]}
        />
      </div>
      <Loaded query={query} lines={10}>
        {(profile) => (
          <Detail
            head={<Header profile={profile} />}
            main={<Timeline id={profile.customer_id} purpose={search.purpose} />}
            side={
              <>
                <Contact profile={profile} />
                <Panels profile={profile} />
                <History id={profile.customer_id} />
              </>
            }
          />
        )}
      </Loaded>
    </div>
  )
}

function Header({ profile }: { profile: Profile }) {
  const { t, language } = useI18n()
  const { can } = useSession()
  const navigate = useNavigate({ from: '/customers/$customerId' })
  const [editing, setEditing] = useState(false)
  const [merging, setMerging] = useState(false)
  const [registering, setRegistering] = useState(false)
  const { facts } = profile
  const stage = `stage.${profile.stage ?? ''}`
  const figures = [
    [t('customer.orders'), facts.orders],
    [t('customer.points'), facts.points_available],
    [t('customer.openTickets'), facts.open_tickets],
    [t('customer.openComplaints'), facts.open_complaints],
  ] as const
  const words = [
    [t('customer.tier'), facts.tier],
    [t('customer.grade'), facts.grade],
    [t('customer.lastContact'), facts.last_contact_at && time(language, facts.last_contact_at)],
  ] as const
  const asOf = profile.as_of.map((one) => one.at).sort()[0]
  return (
    <section className="card p-4 md:p-5" aria-labelledby="who">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <div className="flex flex-wrap items-center gap-2">
            <h1 id="who" className="text-xl font-semibold break-words">
              {profile.names?.display_name || t(profile.names ? 'customers.noName' : 'customers.nameHidden')}
            </h1>
            {profile.state === 'archived' && <Badge tone="warn">{t('custState.archived')}</Badge>}
            {profile.kind && <Badge>{t(`kind.${profile.kind}`)}</Badge>}
            {isKey(stage) && <Badge tone="accent">{t(stage)}</Badge>}
            {profile.tags?.map((tag) => <Badge key={tag}>{tag}</Badge>)}
          </div>
          <p className="mt-1 text-soft">
            {[
              profile.registered_at && t('customer.since', { at: date(language, profile.registered_at) }),
              profile.owner && t('customer.owner', { owner: profile.owner }),
            ]
              .filter(Boolean)
              .join(' · ')}
          </p>
        </div>
        <div className="flex flex-wrap gap-2">
          {can('complaints.register') && <Button onClick={() => setRegistering(true)}>{t('complaint.register')}</Button>}
          {can('customers.merge') && profile.names && <Button onClick={() => setMerging(true)}>{t('merge.action')}</Button>}
          {can('customers.write') && profile.names && <Button onClick={() => setEditing(true)}>{t('action.edit')}</Button>}
        </div>
      </div>
      <dl className="mt-4 flex flex-wrap gap-x-8 gap-y-3">
        {figures.map(([label, value]) => value !== undefined && <Fact key={label} label={label} value={number(language, value)} />)}
        {words.map(([label, value]) => value && <Fact key={label} label={label} value={value} />)}
      </dl>
      <div className="mt-3 flex flex-wrap items-center gap-3">
        <Withheld of={profile.withheld} />
        {asOf && <span className="text-xs text-faint">{t('state.asOf', { at: time(language, asOf) })}</span>}
      </div>
      {merging && (
        <MergeWith
          id={profile.customer_id}
          onClose={() => setMerging(false)}
          onMerged={(survivor) => void navigate({ to: '/customers/$customerId', params: { customerId: survivor }, search: (s) => s })}
        />
      )}
      {registering && <Register customer={profile.customer_id} onClose={() => setRegistering(false)} />}
      {editing && <Edit id={profile.customer_id} onClose={() => setEditing(false)} />}
    </section>
  )
}

function Fact({ label, value }: { label: string; value: string }) {
  return (
    <div className="flex flex-col-reverse">
      <dt className="text-xs text-soft">{label}</dt>
      <dd className="text-lg font-semibold tabular-nums">{value}</dd>
    </div>
  )
}

function Contact({ profile }: { profile: Profile }) {
  const { t } = useI18n()
  // What our own services know the customer by is for programs.
  const identities = profile.identities.filter((one) => !one.type.startsWith('external:guanxi-'))
  const known = identities.length + profile.addresses.length + profile.fields.length > 0
  return (
    <Card title={t('customer.contact')}>
      {!known && <p className="p-4 text-soft">{t('customer.noContact')}</p>}
      <dl className="flex flex-col gap-2 p-4 empty:hidden">
        {identities.map((one) => {
          const key = `identity.${one.type}`
          return <Line key={one.type + one.value} label={isKey(key) ? t(key) : one.type.replace(/^external:/, '')} value={one.value} />
        })}
        {profile.addresses.map((one) => (
          <Line key={one.address_id} label={t('customer.address')} value={[...one.lines, one.city, one.region, one.postal_code, one.country].filter(Boolean).join(', ')} />
        ))}
        {profile.fields.map((one) => (
          <Line key={one.name} label={one.title} value={Array.isArray(one.value) ? one.value.join(', ') : String(one.value)} />
        ))}
      </dl>
    </Card>
  )
}

function Line({ label, value }: { label: string; value: string }) {
  return (
    <div className="flex items-baseline justify-between gap-4">
      <dt className="shrink-0 text-soft">{label}</dt>
      <dd className="min-w-0 text-right break-words">{value}</dd>
    </div>
  )
}
