import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { applySchema, productDeleted, productEvent } from '../../../test/made-events.ts'
import { type Database, openDatabase } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { seoProjection } from './seo-projection.ts'

const projection = seoProjection()
let db: Database

beforeAll(async () => {
  db = openDatabase((await createTestDatabase()).url)
  await applySchema(db, new URL('./schema/', import.meta.url))
})
beforeEach(() => db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve()))
afterAll(() => db.close())

const apply = (...changes: LoggedEvent[]) => db.begin((tx) => projection.apply(changes, tx))
const slugs = async () =>
  Object.fromEntries(
    (await db`select product_id, slug from seo.pages order by 1`).map((row) => [row.product_id, row.slug]),
  )
const redirects = async () =>
  Object.fromEntries(
    (await db`select slug, product_id from seo.redirects order by 1`).map((row) => [row.slug, row.product_id]),
  )

test('old slugs lead to the product, however often it was renamed, and back again makes no loop', async () => {
  await apply(productEvent('a', 1, { title: 'One' }))
  await apply(productEvent('a', 2, { title: 'Two' }))
  await apply(productEvent('a', 3, { title: 'Three' }))
  expect(await redirects()).toEqual({ one: 'a', two: 'a' })
  await apply(productEvent('a', 4, { title: 'One' }))
  expect(await slugs()).toEqual({ a: 'one' })
  expect(await redirects()).toEqual({ three: 'a', two: 'a' })
})

test('a slug of another live product is a failure that names its holder, and changes nothing', async () => {
  await apply(productEvent('a', 1, { title: 'Same' }))
  await expect(apply(productEvent('b', 1, { title: 'SAME!' }))).rejects.toThrow(
    'slug conflict: "same" belongs to product a',
  )
  await expect(apply(productEvent('c', 1, { title: 'New' }), productEvent('d', 1, { title: 'new' }))).rejects.toThrow(
    'belongs to product c',
  )
  expect(await slugs()).toEqual({ a: 'same' })
})

test('a slug passes from one product to another within a batch', async () => {
  await apply(productEvent('a', 1, { title: 'One' }), productEvent('b', 1, { title: 'Two' }))
  await apply(productEvent('b', 2, { title: 'One' }), productEvent('a', 2, { title: 'Two' }))
  expect(await slugs()).toEqual({ a: 'two', b: 'one' })
  expect(await redirects()).toEqual({})
})

test('a product may take a slug that only a redirect holds', async () => {
  await apply(productEvent('a', 1, { title: 'One' }))
  await apply(productEvent('a', 2, { title: 'Two' }))
  await apply(productEvent('b', 1, { title: 'One' }))
  expect(await slugs()).toEqual({ a: 'two', b: 'one' })
  expect(await redirects()).toEqual({})
})

test('a deleted product frees its slug and its redirects, and a re-created one takes it again', async () => {
  await apply(productEvent('a', 1, { title: 'One' }))
  await apply(productEvent('a', 2, { title: 'Two' }))
  await apply(productDeleted('a', 3, { title: 'Two' }))
  expect([await slugs(), await redirects()]).toEqual([{ a: null }, {}])
  await apply(productEvent('a', 4, { title: 'Two' }))
  expect(await slugs()).toEqual({ a: 'two' })
})

test('an older version changes nothing, not even when its slug is taken by now', async () => {
  await apply(productEvent('a', 3, { title: 'Three' }), productEvent('b', 1, { title: 'One' }))
  await apply(productEvent('a', 2, { title: 'One' }))
  await apply(productEvent('a', 3, { title: 'Three' }))
  expect(await slugs()).toEqual({ a: 'three', b: 'one' })
  expect(await redirects()).toEqual({})
  await apply(productDeleted('a', 2))
  expect(await slugs()).toEqual({ a: 'three', b: 'one' })
})

test('of two transactions that want one slug at the same time, one fails with a slug conflict', async () => {
  const results = await Promise.allSettled(['a', 'b', 'c'].map((id) => apply(productEvent(id, 1, { title: 'Same' }))))
  const failures = results.filter((result) => result.status === 'rejected')
  expect(failures).toHaveLength(2)
  for (const { reason } of failures) expect(reason.message).toMatch(/slug conflict: /)
  expect(Object.values(await slugs())).toEqual(['same'])
})
