import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { applySchema, productDeleted, productEvent, stockEvent } from '../../../test/made-events.ts'
import { type Database, openDatabase } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { changeCollection, createCollection, deleteCollection, productsOf, readCollection } from './collections.ts'
import { collectionsProjection } from './collections-projection.ts'
import type { Rule } from './rule.ts'

const projection = collectionsProjection()
let db: Database

beforeAll(async () => {
  db = openDatabase((await createTestDatabase()).url)
  await applySchema(db, new URL('./schema/', import.meta.url))
})
beforeEach(async () => {
  await db`truncate collections.collections cascade`
  await db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
})
afterAll(() => db.close())

const apply = (...changes: LoggedEvent[]) => db.begin((tx) => projection.apply(changes, tx))
const members = async (id: string) =>
  (await productsOf(db, await readCollection(db, id), { position: 0, id: '' }, 100)).map((row) => row.product_id)
const tagged = (tag: string): Rule => ({ match: 'all', conditions: [{ field: 'tag', operator: 'equals', value: tag }] })
const inStock: Rule = { match: 'all', conditions: [{ field: 'available', operator: 'equals', value: true }] }

test('a product enters and leaves a rule collection as it changes', async () => {
  await createCollection(db, 'summer', { title: 'Summer', rule: tagged('summer') })
  await apply(productEvent('a', 1, { tags: ['summer'] }), productEvent('b', 1, { tags: ['winter'] }))
  expect(await members('summer')).toEqual(['a'])
  await apply(productEvent('a', 2, { tags: [] }), productEvent('b', 2, { tags: ['summer'] }))
  expect(await members('summer')).toEqual(['b'])
  await apply(productEvent('b', 3, { tags: ['summer'], status: 'draft' }))
  expect(await members('summer')).toEqual([])
})

test('an older or repeated version changes nothing, a deleted product leaves, a re-created one returns', async () => {
  await createCollection(db, 'summer', { title: 'Summer', rule: tagged('summer') })
  await apply(productEvent('a', 3, { tags: ['summer'] }))
  await apply(productEvent('a', 2, { tags: [] }))
  await apply(productEvent('a', 3, { tags: ['summer'] }))
  expect(await members('summer')).toEqual(['a'])
  await apply(productDeleted('a', 4, { tags: ['summer'] }))
  await apply(productEvent('a', 3, { tags: ['summer'] }))
  expect(await members('summer')).toEqual([])
  await apply(productEvent('a', 5, { tags: ['summer'] }))
  expect(await members('summer')).toEqual(['a'])
})

test('availability rules follow stock, before and after the product is known', async () => {
  await createCollection(db, 'there', { title: 'In stock', rule: inStock })
  await apply(stockEvent('a', 1, 5))
  await apply(productEvent('a', 1), productEvent('b', 1))
  expect(await members('there')).toEqual(['a'])
  await apply(stockEvent('a', 2, 0, { type: 'stock.out' }), stockEvent('b', 1, 1))
  expect(await members('there')).toEqual(['b'])
  await apply(productEvent('b', 2, { isAvailable: false }))
  expect(await members('there')).toEqual([])
})

test('a new and a changed rule are evaluated for every product at once', async () => {
  await apply(
    productEvent('a', 1, { tags: ['x'] }),
    productEvent('b', 1, { tags: ['y'] }),
    productEvent('c', 1, { tags: ['x', 'y'] }),
  )
  await createCollection(db, 'one', { title: 'One', rule: tagged('x') })
  expect(await members('one')).toEqual(['a', 'c'])
  const changed = await changeCollection(db, 'one', { rule: tagged('y') }, 1)
  expect(changed.version).toBe(2)
  expect(await members('one')).toEqual(['b', 'c'])
  await expect(changeCollection(db, 'one', { title: 'Late' }, 1)).rejects.toMatchObject({ code: 'version-mismatch' })
  await deleteCollection(db, 'one')
  await expect(readCollection(db, 'one')).rejects.toMatchObject({ code: 'not-found' })
})

test('a rule and a product that change at the same time do not miss each other', async () => {
  for (let n = 0; n < 20; n++) {
    await Promise.all([
      createCollection(db, `c${n}`, { title: 'C', rule: tagged('x') }),
      apply(productEvent(`p${n}`, 1, { tags: ['x'] })),
    ])
    expect(await members(`c${n}`)).toContain(`p${n}`)
  }
})

test('a picked collection keeps its order, shows what is live, and has no rule', async () => {
  await apply(productEvent('a', 1), productEvent('b', 1), productEvent('c', 1, { status: 'draft' }))
  await createCollection(db, 'mine', { title: 'Mine', productIds: ['b', 'unknown', 'c', 'a'] })
  expect(await members('mine')).toEqual(['b', 'a'])
  await changeCollection(db, 'mine', { productIds: ['a', 'b'] })
  expect(await members('mine')).toEqual(['a', 'b'])
  await expect(changeCollection(db, 'mine', { rule: inStock })).rejects.toMatchObject({ code: 'invalid-request' })
  await expect(createCollection(db, 'mine', { title: 'Again', productIds: [] })).rejects.toMatchObject({
    code: 'already-exists',
  })
})

test('a rebuild leaves what people made alone', async () => {
  await createCollection(db, 'mine', { title: 'Mine', productIds: ['a'] })
  await createCollection(db, 'x', { title: 'X', rule: tagged('x') })
  const events = [productEvent('a', 1, { tags: ['x'] })]
  await apply(...events)
  await db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
  expect(await members('x')).toEqual([])
  await apply(...events)
  expect([await members('x'), await members('mine')]).toEqual([['a'], ['a']])
})
