import type { Language } from './i18n/say'

/** money shows an amount in the smallest unit of its currency, such as cents, which are left away where there are none. */
export function money(language: Language, minor: number, currency: string): string {
  const style = { style: 'currency', currency, currencyDisplay: 'narrowSymbol', trailingZeroDisplay: 'stripIfInteger' } as const
  const format = new Intl.NumberFormat(language, style)
  const amount = minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2)
  // Beside large amounts the cents say nothing.
  if (Math.abs(amount) >= 10_000) return new Intl.NumberFormat(language, { ...style, maximumFractionDigits: 0 }).format(amount)
  return format.format(amount)
}

/** minorOf reads an amount that somebody typed, such as 12.50, in the smallest unit of its currency; null where it is none. */
export function minorOf(text: string, currency: string): number | null {
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  const match = /^(\d+)(?:[.。](\d+))?$/.exec(text.trim().replace(/[,，\s]/g, ''))
  if (!match || (match[2] ?? '').length > digits) return null
  return Number(match[1] + (match[2] ?? '').padEnd(digits, '0'))
}

export function number(language: Language, value: number): string {
  return new Intl.NumberFormat(language).format(value)
}

export function percent(language: Language, share: number): string {
  return new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 }).format(share)
}

/** date shows a day: of an instant that of the reader's time zone, of a date without time the date itself. */
export function date(language: Language, at: string): string {
  const plain = /^\d{4}-\d{2}-\d{2}$/.test(at)
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: plain ? 'UTC' : undefined }).format(new Date(at))
}

export function time(language: Language, at: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(at))
}

/** span shows how long something takes in its two largest units: "2 hr 5 min". Less than a minute is shown in seconds. */
export function span(language: Language, milliseconds: number): string {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000)
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'day'],
    [Math.floor(seconds / 3600) % 24, 'hour'],
    [Math.floor(seconds / 60) % 60, 'minute'],
    [seconds % 60, 'second'],
  ]
  const first = Math.max(0, parts.findIndex(([n]) => n > 0))
  const shown = seconds === 0 ? parts.slice(3) : parts.slice(first, Math.min(first + 2, seconds >= 60 ? 3 : 4)).filter(([n]) => n > 0)
  return shown
    .map(([n, unit]) => new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'short' }).format(n))
    .join(' ')
}

/** details shows what an event says beside its title: amounts as money, nothing that only a program reads. */
export function details(language: Language, of: Record<string, unknown>): [name: string, value: string][] {
  const currency = typeof of.currency === 'string' ? of.currency : undefined
  // What is measured stands with its unit; of a score that is its own there is none.
  const unit = typeof of.value === 'number' && typeof of.unit === 'string' ? of.unit : undefined
  const out: [string, string][] = []
  // By its number people tell a thing from others.
  for (const [name, value] of Object.entries(of).sort(([a], [b]) => Number(b === 'number') - Number(a === 'number'))) {
    if (name === 'currency' || name.endsWith('_id') || value === '' || (name === 'unit' && unit !== undefined)) continue
    if (name.endsWith('_minor')) {
      if (typeof value === 'number' && currency) out.push([name.slice(0, -'_minor'.length), money(language, value, currency)])
    } else if (name === 'value' && unit && unit !== of.score) out.push([name, `${number(language, value as number)} ${unit}`])
    else if (typeof value === 'number') out.push([name, number(language, value)])
    else if (typeof value === 'string') out.push([name, /^\d{4}-\d{2}-\d{2}T/.test(value) ? time(language, value) : value])
  }
  return out
}
