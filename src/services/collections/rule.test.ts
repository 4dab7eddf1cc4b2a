import { describe, expect, test } from 'vitest'
import type { Facts } from './condition.ts'
import { compiled, type Rule, reason, rule } from './rule.ts'

const shirt: Facts = {
  title: ['linen shirt'],
  category: ['shirts'],
  vendor: ['acme'],
  tag: ['summer', 'linen'],
  attribute: { colour: 'blue', weight: 180, vegan: true },
  price: [
    { a: 1500, c: 'EUR' },
    { a: 2500, c: 'EUR' },
  ],
  created: [Date.parse('2026-03-01')],
  available: true,
}
const bare: Facts = {
  title: [''],
  category: [],
  vendor: [],
  tag: [],
  attribute: {},
  price: [],
  created: [0],
  available: false,
}
const satisfies = (facts: Facts, given: Rule) => compiled(given)(facts)

// field (or attribute.name), operator, value, does the shirt satisfy it, does the bare product
test.each<[string, string, unknown, boolean, boolean]>([
  ['category', 'equals', 'shirts', true, false],
  ['category', 'not_equals', 'shirts', false, true],
  ['category', 'in', ['Hats', 'Shirts'], true, false],
  ['category', 'contains', 'hirt', true, false],
  ['vendor', 'equals', 'ACME', true, false],
  ['vendor', 'not_equals', 'other', true, true],
  ['title', 'contains', 'linen', true, false],
  ['title', 'equals', 'Linen', false, false],
  ['tag', 'equals', 'summer', true, false],
  ['tag', 'contains', 'summ', false, false],
  ['tag', 'not_equals', 'summer', false, true],
  ['tag', 'in', ['winter', 'linen'], true, false],
  ['attribute.colour', 'equals', 'blue', true, false],
  ['attribute.colour', 'contains', 'lu', true, false],
  ['attribute.colour', 'gt', 1, false, false],
  ['attribute.weight', 'between', [180, 200], true, false],
  ['attribute.weight', 'equals', '180', false, false],
  ['attribute.vegan', 'equals', true, true, false],
  ['attribute.constructor', 'not_equals', 'x', true, true],
  ['price', 'lt', 2000, true, false],
  ['price', 'gt', 2500, false, false],
  ['price', 'gte', 2500, true, false],
  ['price', 'lte', 1499, false, false],
  ['price', 'between', [2000, 2400], false, false],
  ['price', 'between', [2000, 2500], true, false],
  ['price', 'exists', true, true, false],
  ['price.EUR', 'lt', 2000, true, false],
  ['price.SEK', 'lt', 2000, false, false],
  ['title', 'starts_with', 'LINEN', true, false],
  ['tag', 'starts_with', 'summ', true, false],
  ['tag', 'not_in', ['winter', 'Summer'], false, true],
  ['attribute.colour', 'exists', true, true, false],
  ['attribute.colour', 'exists', false, false, true],
  ['attribute.vegan', 'gt', 0, false, false],
  ['created', 'gte', '2026-03-01', true, false],
  ['created', 'gt', '2026-03-01T01:00:00+01:00', false, false],
  ['created', 'between', ['2026-02-01', '2026-04-01T00:00:00Z'], true, false],
  ['available', 'equals', true, true, false],
  ['available', 'not_equals', true, false, true],
])('%s %s %j: %s for the shirt, %s for the bare product', (named, operator, value, forShirt, forBare) => {
  const [field, name] = named.split('.')
  const which = name && (field === 'price' ? { currency: name } : { name })
  const given = rule.parse({ match: 'all', conditions: [{ field, ...which, operator, value }] })
  expect([satisfies(shirt, given), satisfies(bare, given)]).toEqual([forShirt, forBare])
})

test('not turns a condition or a group around', () => {
  const blue = { field: 'attribute', name: 'colour', operator: 'equals', value: 'blue' } as const
  expect([satisfies(shirt, { not: blue }), satisfies(bare, { not: blue })]).toEqual([false, true])
  expect(satisfies(bare, { match: 'all', conditions: [{ not: { match: 'any', conditions: [blue, blue] } }] })).toBe(
    true,
  )
})

test('each part says whether it holds and what the product has, and the whole is what the parts say', () => {
  const given = rule.parse({
    match: 'all',
    conditions: [
      { field: 'tag', operator: 'equals', value: 'Summer' },
      { not: { field: 'price', operator: 'gt', value: 2000 } },
    ],
  })
  expect(reason(shirt, given)).toMatchObject({
    path: 'rule',
    holds: false,
    of: [
      { path: 'rule.conditions.0', holds: true, has: ['summer', 'linen'] },
      {
        path: 'rule.conditions.1',
        holds: false,
        of: [{ path: 'rule.conditions.1.not', holds: true, has: [1500, 2500] }],
      },
    ],
  })
})

test('all asks every condition, any asks one, and groups nest', () => {
  const yes = { field: 'category', operator: 'equals', value: 'Shirts' } as const
  const no = { field: 'category', operator: 'equals', value: 'Hats' } as const
  expect(satisfies(shirt, { match: 'all', conditions: [yes, no] })).toBe(false)
  expect(satisfies(shirt, { match: 'any', conditions: [yes, no] })).toBe(true)
  expect(satisfies(shirt, { match: 'all', conditions: [yes, { match: 'any', conditions: [no, yes] }] })).toBe(true)
  expect(satisfies(shirt, { match: 'all', conditions: [yes, { match: 'all', conditions: [no, yes] }] })).toBe(false)
})

const first = { field: 'tag', operator: 'equals', value: 'x' }
const nested = (levels: number): Record<string, unknown> => (levels === 0 ? first : { not: nested(levels - 1) })

describe('a rule that means nothing is refused where it is wrong', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ field: 'colour', operator: 'equals', value: 'x' }, 'conditions.1.field'],
    [{ field: 'title', operator: 'like', value: 'x' }, 'conditions.1.operator'],
    [{ field: 'title', operator: 'gt', value: 1 }, 'conditions.1.operator'],
    [{ field: 'price', operator: 'equals', value: '1' }, 'conditions.1.value'],
    [{ field: 'price', operator: 'between', value: [5, 1] }, 'conditions.1.value'],
    [{ field: 'price', operator: 'between', value: [1] }, 'conditions.1.value'],
    [{ field: 'price', operator: 'gt', value: [1] }, 'conditions.1.value'],
    [{ field: 'tag', operator: 'in', value: 'x' }, 'conditions.1.value'],
    [{ field: 'tag', operator: 'in', value: [] }, 'conditions.1.value'],
    [{ field: 'tag', operator: 'equals', value: 'a\0b' }, 'conditions.1.value'],
    [{ field: 'available', operator: 'equals', value: 'true' }, 'conditions.1.value'],
    [{ field: 'attribute', operator: 'equals', value: 'x' }, 'conditions.1.name'],
    [{ field: 'attribute', name: 'a', operator: 'gt', value: 'x' }, 'conditions.1.value'],
    [{ field: 'tag', name: 'a', operator: 'equals', value: 'x' }, 'conditions.1.name'],
    [{ field: 'tag', operator: 'equals', value: 'x', also: 1 }, 'conditions.1'],
    [{ field: 'tag', operator: 'equals' }, 'conditions.1.value'],
    [{ field: 'created', operator: 'gt', value: 'yesterday' }, 'conditions.1.value'],
    [{ field: 'created', operator: 'between', value: ['2026-02-01', '2026-01-01'] }, 'conditions.1.value'],
    [{ field: 'tag', currency: 'EUR', operator: 'equals', value: 'x' }, 'conditions.1.currency'],
    [{ field: 'price', currency: 'euro', operator: 'gt', value: 1 }, 'conditions.1.currency'],
    [
      { match: 'any', conditions: [{ not: { field: 'tag', operator: 'in', value: [] } }] },
      'conditions.1.conditions.0.not.value',
    ],
    [{ match: 'any', conditions: [] }, 'conditions.1.conditions'],
    [{ match: 'one', conditions: [first] }, 'conditions.1.match'],
    [{ match: 'all', conditions: [first], also: 1 }, 'conditions.1'],
    [{ not: [] }, 'conditions.1.not'],
    [{ not: first, match: 'all' }, 'conditions.1'],
    [7 as never, 'conditions.1'],
    [nested(6), 'conditions.1.not.not.not.not.not'],
  ])('%j at %s', (second, path) => {
    const paths = rule
      .safeParse({ match: 'all', conditions: [first, second] })
      .error?.issues.map((issue) => issue.path.join('.'))
    expect(paths).toContain(path)
  })

  test.each([
    { match: 'all', conditions: [] },
    { match: 'all', conditions: Array(5).fill({ match: 'any', conditions: Array(50).fill(first) }) },
    { match: 'some', conditions: [] },
    { conditions: [] },
    [],
    null,
  ])('%j', (given) => {
    expect(rule.safeParse(given).success).toBe(false)
  })
})
