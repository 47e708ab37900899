import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { en } from './en'
import { isKey, say, titleOf, type Key } from './say'
import { titles } from './titles'
import { zh } from './zh'

describe('words', () => {
  it('put values in and take the form that a number needs', () => {
    expect(say('en', 'home.overdue', { n: 1 })).toBe('1 ticket past the deadline')
    expect(say('en', 'home.overdue', { n: 1200 })).toBe('1,200 tickets past the deadline')
    expect(say('zh-CN', 'home.overdue', { n: 2 })).toBe('2 张已超过期限')
    expect(say('en', 'palette.none', { q: '<b>{n}</b>' })).toBe('Nothing fits “<b>{n}</b>”.')
  })

  it('name the same values in both languages', () => {
    const names = (words: string) => [...words.matchAll(/\{(\w+)/g)].map((m) => m[1]).sort()
    for (const key of Object.keys(en) as Key[]) expect(names(zh[key]), key).toEqual(names(en[key]))
  })

  it('are none for what the server spells and the page does not know', () => {
    expect(isKey('stage.loyalty')).toBe(true)
    expect(isKey('stage.something_new')).toBe(false)
    expect(isKey('toString')).toBe(false)
  })
})

describe('titles of events', () => {
  it('are read in English and translated into Chinese', () => {
    expect(titleOf('en', 'order_placed')).toBe('Order placed')
    expect(titleOf('zh-CN', 'order_placed')).toBe('已下单')
    expect(titleOf('zh-CN', 'something_new')).toBe('Something new')
  })

  it('of every contract have Chinese words', () => {
    const proto = new URL('../../../../../proto/guanxi/', import.meta.url)
    const files = readdirSync(proto, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.proto'))
    const found = files.flatMap((name) => [...readFileSync(new URL(name, proto), 'utf8').matchAll(/^\s+title: "(\w+)"/gm)].map((m) => m[1]!))
    expect(found.length).toBeGreaterThan(100)
    expect(found.filter((title) => !titles[title])).toEqual([])
  })
})
