import { readFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { warnings } from './i18n/zh/warnings'
import { warningText } from './models'

const incomplete = { code: 'column_incomplete', detail: 'Column $& is missing in 12 rows.', values: { column: '$&', rows: '12' } }

test('a warning is said in the language of the reader, with its values; one that is not known as the service says it', () => {
  expect(warningText('zh-CN', incomplete)).toBe('列“$&”有 12 行缺失。')
  expect(warningText('en', incomplete)).toBe(incomplete.detail)
  for (const code of ['other', 'toString']) expect(warningText('zh-CN', { code, detail: 'Mind this.' })).toBe('Mind this.')
})

test('every warning that the service can give has Chinese words with the same values, and no other has', () => {
  const home = new URL('../../../analytics/internal/', import.meta.url)
  const sources = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.go') && !name.endsWith('_test.go'))
  const found = Object.fromEntries(
    sources.flatMap((name) => [...readFileSync(new URL(name, home), 'utf8').matchAll(/model\.Warn\("(\w+)",\s+"([^"]+)"/g)]).map((match) => [match[1]!, match[2]!]),
  )
  expect(Object.keys(found).sort()).toEqual(Object.keys(warnings).sort())
  const values = (words: string) => [...words.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()
  for (const [code, words] of Object.entries(found)) expect(values(warnings[code]!), code).toEqual(values(words))
})
