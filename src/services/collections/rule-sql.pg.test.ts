/** A rule as a predicate and as SQL are one thing: compared on random rules and products. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { madeEvent, madeProduct, productEvent, stockEvent } from '../../../test/made-events.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { collectionsProjection } from './collections-projection.ts'
import { factsOf, type Kept } from './membership.ts'
import { compiled, rule, ruleSql } from './rule.ts'
import { collectionsService } from './service.ts'

let engine: TestEngine

beforeAll(async () => {
  engine = (await testEngine((await createTestDatabase()).url, (to) => [collectionsService(to)])).engine
})
afterAll(() => engine.close())

// Few values, so that they meet; some that fold, compose or compare in surprising ways.
const text = fc.constantFrom(
  'a',
  'A',
  'ab',
  'b%',
  'İ',
  'ß',
  'SS',
  'é',
  'e\u0301',
  '日本',
  '🎧',
  '',
  ' ',
  "'",
  '\\',
  '{"a":1}',
  '10',
)
const number = fc.constantFrom(
  0,
  -0,
  1,
  10,
  10.5,
  0.1,
  0.30000000000000004,
  1e21,
  -5,
  Number.MAX_SAFE_INTEGER,
  1e-9,
  2e300,
)
const scalar = fc.oneof(text, number, fc.boolean())
const date = fc.constantFrom(
  '2026-01-01',
  '2026-01-01T00:00:00Z',
  '2026-06-01T02:00:00+02:00',
  '2025-12-31T23:59:59.999Z',
)
const currency = fc.constantFrom('EUR', 'JPY')
const name = fc.constantFrom('colour', 'size', '__proto__', 'constructor')

const product = fc.record({
  title: text,
  category: fc.option(text),
  vendorId: fc.option(text),
  tags: fc.array(text, { maxLength: 3 }),
  attributes: fc.array(fc.tuple(name, scalar), { maxLength: 3 }).map((pairs) => Object.fromEntries(pairs)),
  isAvailable: fc.boolean(),
  createdAt: date.map((at) => new Date(at).toISOString()),
  variants: fc.array(
    fc
      .record({ amount: fc.constantFrom(0, 1, 10, Number.MAX_SAFE_INTEGER), currency })
      .map((price) => ({ sku: 's', options: {}, price })),
    { maxLength: 2 },
  ),
  effective: fc.option(fc.constantFrom(0, 9, 10)),
  inStock: fc.boolean(),
})

const operator = fc.constantFrom(
  'equals',
  'not_equals',
  'in',
  'not_in',
  'contains',
  'starts_with',
  'gt',
  'gte',
  'lt',
  'lte',
  'between',
  'exists',
)
const field = fc.constantFrom('category', 'vendor', 'title', 'tag', 'price', 'available', 'created', 'attribute')
const value = fc.oneof(scalar, date, fc.array(fc.oneof(scalar, date), { minLength: 1, maxLength: 3 }))
// As somebody might write it: what the contract refuses is left out.
const condition = fc
  .record({
    field,
    name: fc.option(name, { nil: undefined }),
    currency: fc.option(currency, { nil: undefined }),
    operator,
    value,
  })
  .map(({ name, currency, ...rest }) => ({
    ...rest,
    ...(rest.field === 'attribute' && { name: name ?? 'colour' }),
    ...(rest.field === 'price' && currency && { currency }),
  }))
  .filter((given) => rule.safeParse(given).success)
const { node } = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    condition,
    fc.record({
      match: fc.constantFrom('all', 'any'),
      conditions: fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ not: tie('node') }),
  ),
}))

test('the predicate and the SQL of a rule take the same products', async () => {
  const projection = collectionsProjection()
  const sample = fc.sample(product, { numRuns: 150, seed: 11 })
  await engine.db.begin((tx) =>
    projection.apply(
      sample.flatMap(({ effective, inStock, ...fields }, n) => {
        const id = `p${n}`
        const prices = { s: { list: 1, effective, currency: 'EUR', applied: [] } }
        return [
          productEvent(id, 1, madeProduct(id, fields)),
          stockEvent(id, 1, inStock ? 1 : 0),
          ...(effective === null
            ? []
            : [madeEvent('price.updated', id, `price/${id}`, 1, { productId: id, prices, problems: [], changes: [] })]),
        ]
      }),
      tx,
    ),
  )
  const rows = await engine.db<Kept>`
      select product_id, live, in_stock, facts::json, effective::json from collections.askable order by product_id`
  expect(rows).toHaveLength(sample.length)
  let taken = 0
  await fc.assert(
    fc.asyncProperty(node, async (given) => {
      const parsed = rule.parse(given)
      const values: unknown[] = []
      const condition = ruleSql(parsed, (each) => `$${values.push(each)}`)
      const found = await engine.db.text<{ product_id: string; holds: boolean | null }>(
        `select product_id, (${condition}) as holds from collections.askable p order by product_id`,
        values,
      )
      const holds = compiled(parsed)
      expect(found.map((row) => [row.product_id, row.holds])).toEqual(
        rows.map((row) => [row.product_id, holds(factsOf(row))]),
      )
      taken += found.filter((row) => row.holds).length
    }),
    { numRuns: 300 },
  )
  expect(taken).toBeGreaterThan(0)
})
