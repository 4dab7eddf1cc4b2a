import { describe, expect, test } from 'vitest'
import { type Facts, type Rule, rule, satisfies } from './rule.ts'

const shirt: Facts = {
  title: 'Linen Shirt',
  category: 'Shirts',
  vendor: 'acme',
  tags: ['Summer', 'linen'],
  attributes: { colour: 'Blue', weight: 180, vegan: true },
  prices: [1500, 2500],
  available: true,
}
const bare: Facts = { title: '', category: null, vendor: null, tags: [], attributes: {}, prices: [], available: false }

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
  ['available', 'equals', true, true, false],
  ['available', 'not_equals', true, false, true],
])('%s %s %j: %s for the shirt, %s for the bare product', (named, operator, value, forShirt, forBare) => {
  const [field, name] = named.split('.')
  const given = rule.parse({ match: 'all', conditions: [{ field, ...(name && { name }), operator, value }] }) as Rule
  expect([satisfies(shirt, given), satisfies(bare, given)]).toEqual([forShirt, forBare])
})

test('all asks every condition, any asks one, and groups nest', () => {
  const yes = { field: 'category', operator: 'equals', value: 'Shirts' } as const
  const no = { field: 'category', operator: 'equals', value: 'Hats' } as const
  expect(satisfies(shirt, { match: 'all', conditions: [yes, no] })).toBe(false)
  expect(satisfies(shirt, { match: 'any', conditions: [yes, no] })).toBe(true)
  expect(satisfies(shirt, { match: 'all', conditions: [yes, { match: 'any', conditions: [no, yes] }] })).toBe(true)
  expect(satisfies(shirt, { match: 'all', conditions: [yes, { match: 'all', conditions: [no, yes] }] })).toBe(false)
})

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
  ])('%j at %s', (second, path) => {
    const first = { field: 'tag', operator: 'equals', value: 'x' }
    const paths = rule
      .safeParse({ match: 'all', conditions: [first, second] })
      .error?.issues.map((issue) => issue.path.join('.'))
    expect(paths).toContain(path)
  })

  test.each([
    { match: 'all', conditions: [] },
    { match: 'some', conditions: [] },
    { conditions: [] },
    [],
    null,
  ])('%j', (given) => {
    expect(rule.safeParse(given).success).toBe(false)
  })
})
