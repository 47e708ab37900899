import { en } from './en'
import { titles } from './titles'
import { zh } from './zh'

export type Key = keyof typeof en
export type Words = Record<Key, string>
export type Language = 'en' | 'zh-CN'
export type Values = Record<string, string | number>

const words: Record<Language, Words> = { en, 'zh-CN': zh }

/** say gives the words of a key in a language, with values put in: see en.ts for what may stand in braces. */
export function say(language: Language, key: Key, values: Values = {}): string {
  return words[language][key].replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name: string, one?: string, other?: string) => {
    const value = values[name] ?? ''
    const shown = typeof value === 'number' ? new Intl.NumberFormat(language).format(value) : value
    if (one === undefined || other === undefined) return shown
    return `${shown} ${new Intl.PluralRules(language).select(Number(value)) === 'one' ? one : other}`
  })
}

/** isKey says whether there are words for what the server spells: a newer one may send what this page does not know. */
export function isKey(key: string): key is Key {
  return Object.hasOwn(en, key)
}

/** titleOf gives the words of an event's title. One that a newer server sends is shown as it is spelt. */
export function titleOf(language: Language, title: string): string {
  const plain = title.replaceAll('_', ' ')
  const english = plain.charAt(0).toUpperCase() + plain.slice(1)
  return language === 'en' ? english : (titles[title] ?? english)
}
