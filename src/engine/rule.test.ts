import { expect, test } from 'vitest'
import { z } from 'zod'
import { type Rule, ruleOf } from './rule.ts'

const is = z.strictObject({ is: z.string('must be text') })
const rule = ruleOf(is, { most: 3 })
const wrong = (given: unknown) =>
  (rule.safeParse(given).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)

test('what is well formed comes through as it was given', () => {
  const given: Rule<{ is: string }> = {
    match: 'any',
    conditions: [{ is: 'a' }, { not: { match: 'all', conditions: [{ is: 'b' }] } }],
  }
  expect(rule.parse(given)).toEqual(given)
  expect(rule.parse({ is: 'a' })).toEqual({ is: 'a' })
})

test.each<[unknown, string]>([
  [{ match: 'any', conditions: [{ is: 'a' }, { not: { is: 1 } }] }, 'conditions.1.not.is: must be text'],
  [{ match: 'none', conditions: [{ is: 'a' }] }, 'match: must be all or any'],
  [{ match: 'all', conditions: [] }, 'conditions: must have a condition'],
  [{ match: 'all', conditions: ['a'] }, 'conditions.0: must be a condition, { match, conditions } or { not }'],
  [{ match: 'all' }, 'conditions: must be a list of conditions'],
  ['a', ': must be a condition, { match, conditions } or { not }'],
])('%j is refused by its place', (given, said) => {
  expect(wrong(given)).toEqual([said])
})

test('conditions are counted over all groups, and the first that is too many is named once', () => {
  const two = { match: 'any', conditions: [{ is: 'a' }, { is: 'b' }] }
  expect(wrong({ match: 'all', conditions: [two, two, two] })).toEqual([
    'conditions.1.conditions.1: is one condition too many: a rule has at most 3',
  ])
})

test('one nested without end is refused at the level that is one too many, and no deeper is looked', () => {
  let given: unknown = { is: 1 }
  for (let level = 0; level < 5_000; level++) given = { not: given }
  expect(wrong(given)).toEqual([`${Array(6).fill('not').join('.')}: must not nest deeper than 6 levels`])
})
