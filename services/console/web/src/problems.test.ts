import { expect, test } from 'vitest'
import { problemOf } from './api/problem'
import { problems } from './i18n/zh/problems'
import { problemText } from './problems'

const refused = problemOf(409, { code: 'opportunity_closed', detail: 'The opportunity is closed: reopen it first.' })

test('a code that has words is said in the language of the reader, any other as the service says it', () => {
  expect(problemText('zh-CN', refused)).toBe('商机已关闭，请先重新打开。')
  expect(problemText('en', refused)).toBe('The opportunity is closed: reopen it first.')
  const other = problemOf(409, { code: 'nobody_knows', detail: 'Nobody knows.' })
  expect(problemText('zh-CN', other)).toBe('Nobody knows.')
  expect(problemText('zh-CN', problemOf(502, null))).toBe('HTTP 502')
  expect(problemText('zh-CN', problemOf(409, { code: 'toString', detail: 'Odd.' }))).toBe('Odd.')
})

test('which fields are wrong is said in any case, and what only the service knows is kept', () => {
  const fields = problemOf(422, { code: 'validation_failed', detail: 'Some of it is not valid.', errors: [{ location: 'body.name', message: 'must be there' }] })
  expect(problemText('zh-CN', fields)).toBe('提交的内容有误，请按提示修改。 name: must be there')
  expect(problemText('en', fields)).toBe('Some of it is not valid. name: must be there')
  const stage = problemOf(422, { code: 'stage_criteria_unmet', detail: 'The opportunity lacks $& a next step.' })
  expect(problemText('zh-CN', stage)).toBe('尚未满足进入该阶段的条件：The opportunity lacks $& a next step.')
})

test('codes are codes, and their words are Chinese', () => {
  for (const [code, words] of Object.entries(problems)) {
    expect(code).toMatch(/^[a-z0-9_]+$/)
    expect(words, code).toMatch(/[\u4e00-\u9fff]/)
  }
})
