import { keep } from './keep'

/** View is a page with its filters, under the name that somebody gave it. */
export interface View {
  name: string
  path: string
  search: Record<string, string>
}

/** most is how many views are kept of one person. */
const most = 50

/** sought are parameters that say what somebody looked for, not how the page is set: such may be names of people, and are not kept. */
const sought = ['q', 'ticket']

type Key = `guanxi.${string}`

/** keyOf is where the views of one person in one tenant are kept, on this device. */
export function keyOf(tenant: string, subject: string): Key {
  return `guanxi.views.${tenant}.${subject}`
}

/** viewOf makes a view of where somebody is; null where there is no list whose filters could be kept. */
export function viewOf(name: string, path: string, search: Record<string, unknown>): View | null {
  if (!/^\/[a-z]+$/.test(path) || name.trim() === '') return null
  const kept = Object.entries(search).filter((one): one is [string, string] => typeof one[1] === 'string' && !sought.includes(one[0]))
  return { name: name.trim().slice(0, 60), path, search: Object.fromEntries(kept) }
}

/** read gives the views by name. What is kept and is none is passed over. */
export function read(key: Key): View[] {
  try {
    const all: unknown = JSON.parse(localStorage.getItem(key) ?? '[]')
    return (Array.isArray(all) ? all : []).flatMap((one: Partial<View> | null) => {
      if (typeof one?.name !== 'string' || typeof one.path !== 'string' || typeof one.search !== 'object' || !one.search) return []
      return viewOf(one.name, one.path, one.search) ?? []
    })
  } catch {
    return []
  }
}

/** save keeps a view; one of the same name is replaced. */
export function save(key: Key, view: View) {
  const others = read(key).filter((one) => one.name !== view.name)
  const all = [...others, view].slice(-most).sort((a, b) => a.name.localeCompare(b.name))
  keep(key, JSON.stringify(all))
}

/** forget drops the view of a name. */
export function forget(key: Key, name: string) {
  keep(key, JSON.stringify(read(key).filter((one) => one.name !== name)))
}
