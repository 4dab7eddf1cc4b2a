import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { applySchema, madeEvent, productDeleted, productEvent, stockEvent } from '../../../test/made-events.ts'
import type { Cache } from '../../engine/cache/cache.ts'
import { Caches } from '../../engine/cache/caches.ts'
import { type Database, openDatabase, type Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Product } from '../catalog/events.ts'
import { SearchGenerations } from './generations.ts'
import { searchQuery } from './query.ts'
import { search } from './search.ts'
import { searchProjection } from './search-projection.ts'

const projection = searchProjection()
let db: Database
let cache: Cache

beforeAll(async () => {
  db = openDatabase((await createTestDatabase()).url)
  await applySchema(db, new URL('./schema/', import.meta.url))
  cache = new Caches(pino({ level: 'silent' })).open('search', { generations: new SearchGenerations(db) })
})
beforeEach(() => db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve()))
afterAll(() => db.close())

const apply = (...changes: LoggedEvent[]) => db.begin((tx) => projection.apply(changes, tx))
const find = (query: Record<string, unknown> = {}) => search(db, cache, searchQuery.parse(query))
const ids = async (query: Record<string, unknown> = {}) => (await find(query)).items.map((item) => item.id)
const priced = (amount: number, sku: string): Partial<Product> => ({
  variants: [{ sku, options: {}, price: { amount, currency: 'EUR' } }],
})

const priceEvent = (id: string, version: number, effective: number) => {
  const price = { list: 1_000, effective, currency: 'EUR', applied: [] }
  const data = { productId: id, prices: { [`${id}-1`]: price }, problems: [], changes: [] }
  return madeEvent('price.updated', id, `price/${id}`, version, data)
}

/** How often this transaction wrote products anew, and how often without their indexes. */
async function rewritten(tx: Sql) {
  const [row] = await tx<{ updated: number; hot: number }>`
    select pg_stat_get_xact_tuples_updated(c) as updated, pg_stat_get_xact_tuples_hot_updated(c) as hot
      from (select 'search.products'::regclass::oid as c) t`
  return { updated: row?.updated ?? 0, hot: row?.hot ?? 0 }
}

describe('effective prices', () => {
  const priceOf = async (id: string) => (await find()).items.find((item) => item.id === id)?.price?.min

  test('take the place of list prices, whichever comes first', async () => {
    await apply(productEvent('a', 1, {}), productEvent('b', 1, {}), priceEvent('b', 1, 500))
    await apply(priceEvent('a', 1, 600))
    await apply(productEvent('b', 2, { title: 'New' }))
    expect([await priceOf('a'), await priceOf('b')]).toEqual([600, 500])
    expect(await ids({ priceMax: 550 })).toEqual(['b'])
  })

  test('are taken back by no older event, of the price or of the product', async () => {
    await apply(priceEvent('a', 3, 700), productEvent('a', 3, {}))
    await apply(priceEvent('a', 2, 100))
    await apply(productEvent('a', 2, priced(50, 'a-1')))
    expect(await priceOf('a')).toBe(700)
  })
})

describe('what is found', () => {
  test('words are found in title, labels and description, the title first, whatever their ending and accents', async () => {
    await apply(
      productEvent('body', 1, { title: 'Pan', description: 'for crème brûlée' }),
      productEvent('title', 1, { title: 'Creme Brulee Torches' }),
      productEvent('label', 1, { title: 'Bowl', category: 'Crème Brûlée' }),
      productEvent('other', 1, { title: 'Kettle' }),
    )
    expect(await ids({ q: 'creme brulee' })).toEqual(['title', 'label', 'body'])
    expect(await ids({ q: 'CRÈME brûlée torch' })).toEqual(['title'])
    expect((await ids({ q: 'brulee -torch' })).sort()).toEqual(['body', 'label'])
  })

  test.each([
    '1e5',
    '0x1f',
    '3d',
    '10kg',
    '1e5e5',
    'v2',
    'ÆØÅ',
    '日本語',
    'Шкаф',
    'ψυγείο',
    'x86',
  ])('a word is found as it was written: %s', async (word) => {
    await apply(productEvent('a', 1, { title: `The ${word} one` }), productEvent('b', 1, { title: 'Other' }))
    expect(await ids({ q: word })).toEqual(['a'])
    expect(await ids({ q: `one ${word}` })).toEqual(['a'])
  })

  test('a product without any word in it is kept all the same', async () => {
    await apply(productEvent('a', 1, { title: '🎧', tags: [] }))
    expect(await ids()).toEqual(['a'])
  })

  test('an exact SKU comes before every word', async () => {
    await apply(
      productEvent('words', 1, { title: 'KIT 7 for the KIT 7, a KIT 7' }),
      productEvent('sku', 1, { title: 'Tool', ...priced(100, 'KIT-7') }),
    )
    expect(await ids({ q: 'kit-7' })).toEqual(['sku', 'words'])
  })

  test.each([
    ['hedphones', 'headphones'],
    ['wireles headphnes', 'headphones'],
    ['iphnoe', 'phone'],
    ['headph', 'headphones'],
  ])('a misspelt question is understood: %s', async (q, id) => {
    await apply(
      productEvent('headphones', 1, { title: 'Wireless Headphones' }),
      productEvent('phone', 1, { title: 'Apple iPhone 16' }),
      productEvent('lamp', 1, { title: 'Desk Lamp' }),
    )
    expect(await ids({ q })).toEqual([id])
    expect((await find({ q })).total).toBe(1)
  })

  test('right words are not mixed with what is only spelt alike', async () => {
    await apply(
      productEvent('shirt', 1, { title: 'Shirt' }),
      productEvent('short', 1, { title: 'Shirting cloth short' }),
    )
    expect(await ids({ q: 'short' })).toEqual(['short'])
    expect(await ids({ q: 'shirt', vendor: 'nobody' })).toEqual([])
  })

  test('drafts, archived and deleted products are not found, and a re-created one is again', async () => {
    await apply(
      productEvent('draft', 1, { status: 'draft' }),
      productEvent('archived', 1, { status: 'archived' }),
      productEvent('a', 1),
    )
    expect(await ids()).toEqual(['a'])
    await apply(productDeleted('a', 2))
    expect(await ids()).toEqual([])
    await apply(productEvent('a', 3, { title: 'Back' }))
    expect(await ids({ q: 'back' })).toEqual(['a'])
  })

  test.each([
    "'; drop table search.products; --",
    '%',
    '_',
    '\\',
    '((((',
    ':*',
    '"',
    '!!',
    '-a',
    '<->',
    '.*',
    '(a+)+$',
    '  ',
  ])('text that means something elsewhere is only text here: %s', async (q) => {
    await apply(productEvent('a', 1))
    expect((await find({ q })).total).toBeLessThanOrEqual(1)
    expect(await ids()).toEqual(['a'])
  })
})

describe('filters, facets and order', () => {
  const shop = () =>
    apply(
      productEvent('a', 1, {
        title: 'Árbol',
        category: 'Garden',
        vendorId: 'acme',
        tags: ['green', 'new'],
        ...priced(500, 'A'),
      }),
      productEvent('b', 1, {
        title: 'Bench',
        category: 'Garden',
        vendorId: 'best',
        tags: ['wood'],
        ...priced(1500, 'B'),
      }),
      productEvent('c', 1, {
        title: 'Cup',
        category: 'Kitchen',
        vendorId: 'acme',
        tags: ['new'],
        ...priced(300000, 'C'),
      }),
      stockEvent('a', 1, 5, { sku: 'A' }),
      stockEvent('b', 1, 0, { sku: 'B' }),
    )

  test.each<[Record<string, unknown>, string[]]>([
    [{ category: 'garden', sort: 'title' }, ['a', 'b']],
    [{ vendor: 'ACME', sort: 'title' }, ['a', 'c']],
    [{ tag: 'green,wood', sort: 'title' }, ['a', 'b']],
    [{ tag: ['new', 'wood'], sort: 'title' }, ['a', 'b', 'c']],
    [{ priceMin: '1000', priceMax: '2000' }, ['b']],
    [{ available: 'true' }, ['a']],
    [{ available: 'false', sort: 'price_asc' }, ['b', 'c']],
    [{ sort: 'price_desc' }, ['c', 'b', 'a']],
    [{ q: 'bench', category: 'Kitchen' }, []],
  ])('%j finds %j', async (query, found) => {
    await shop()
    expect(await ids(query)).toEqual(found)
  })

  test('facets count what matches', async () => {
    await shop()
    const { facets, total, totalIsExact } = await find({})
    expect({ total, totalIsExact }).toEqual({ total: 3, totalIsExact: true })
    expect(facets.category).toEqual([
      { value: 'Garden', count: 2 },
      { value: 'Kitchen', count: 1 },
    ])
    expect(facets.tag[0]).toEqual({ value: 'new', count: 2 })
    expect(facets.price).toEqual([
      { min: 0, max: 1000, count: 1 },
      { min: 1000, max: 2500, count: 1 },
      { min: 100000, max: null, count: 1 },
    ])
    expect(facets.available).toEqual([
      { value: false, count: 2 },
      { value: true, count: 1 },
    ])
  })

  test.each([
    'relevance',
    'price_asc',
    'price_desc',
    'newest',
    'title',
  ])('pages by %s show every product once', async (sort) => {
    await apply(
      ...Array.from({ length: 23 }, (_, n) =>
        productEvent(`p${n}`, 1, {
          title: `Thing ${'x '.repeat(n % 3)}`,
          createdAt: `2026-01-0${1 + (n % 3)}T00:00:00.${n % 2}Z`,
          ...(n % 5 === 0 ? { variants: [] } : priced(100 * (n % 4), `S${n}`)),
        }),
      ),
    )
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await find({ q: 'thing', sort, limit: 5, ...(cursor && { cursor }) })
      seen.push(...page.items.map((item) => item.id))
      cursor = page.next
    } while (cursor)
    expect(seen).toHaveLength(23)
    expect(new Set(seen).size).toBe(23)
    expect(seen).toEqual(await ids({ q: 'thing', sort, limit: 100 }))
  })

  test.each([
    'x',
    Buffer.from('["title","a","b"]').toString('base64url'),
    Buffer.from('["newest","now()","b"]').toString('base64url'),
  ])('a cursor of nobody is refused by name: %s', async (cursor) => {
    await expect(find({ cursor })).rejects.toMatchObject({ code: 'invalid-request' })
  })
})

describe('the projection', () => {
  test('an older or repeated version changes nothing', async () => {
    await apply(productEvent('a', 3, { title: 'Third' }), stockEvent('a', 2, 5))
    await apply(productEvent('a', 2, { title: 'Second' }), stockEvent('a', 1, 0))
    await apply(productEvent('a', 3, { title: 'Third' }), stockEvent('a', 2, 5))
    expect((await find()).items).toMatchObject([{ title: 'Third', available: true }])
    await apply(productDeleted('a', 4))
    await apply(productEvent('a', 3, { title: 'Third' }))
    expect(await ids()).toEqual([])
  })

  test('stock known before its product is not lost', async () => {
    await apply(stockEvent('a', 1, 5))
    await apply(productEvent('a', 1))
    expect((await find()).items).toMatchObject([{ id: 'a', available: true }])
  })

  test('availability follows stock over all SKUs, their deactivation, and the vendor', async () => {
    const available = async () => (await find()).items[0]?.available
    await apply(productEvent('a', 1), stockEvent('a', 1, 5, { sku: 'x' }), stockEvent('a', 1, 0, { sku: 'y' }))
    expect(await available()).toBe(true)
    await apply(stockEvent('a', 2, 0, { sku: 'x', type: 'stock.reserved' }))
    expect(await available()).toBe(false)
    await apply(stockEvent('a', 2, 1, { sku: 'y', type: 'stock.back' }))
    expect(await available()).toBe(true)
    await apply(productEvent('a', 2, { isAvailable: false }))
    expect(await available()).toBe(false)
    await apply(productEvent('a', 3))
    await apply(stockEvent('a', 3, 1, { sku: 'y', active: false }))
    expect(await available()).toBe(false)
  })

  test('a SKU that another product has now counts for that one alone', async () => {
    const available = async () => (await find({ sort: 'title' })).items.map((item) => item.available)
    await apply(productEvent('a', 1), productEvent('b', 1), stockEvent('a', 1, 5, { sku: 'x' }))
    expect(await available()).toEqual([true, false])
    await apply(stockEvent('b', 2, 5, { sku: 'x' }))
    expect(await available()).toEqual([false, true])
    await apply(stockEvent('a', 1, 1, { sku: 'y' }), stockEvent('b', 3, 0, { sku: 'x' }))
    expect(await available()).toEqual([true, false])
  })

  test('after any changes of stock, in any batches, a product is in stock while one of its SKUs is', async () => {
    const change = fc.record({
      product: fc.constantFrom('a', 'b'),
      sku: fc.constantFrom('x', 'y', 'z'),
      available: fc.constantFrom(0, 0, 3),
      telling: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 6 }),
        async (batches) => {
          await db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
          const stock = new Map<string, { product: string; available: number }>()
          for (const [n, batch] of batches.entries()) {
            const latest = new Map(batch.map((one) => [one.sku, one]))
            for (const { sku, product, available } of latest.values()) stock.set(sku, { product, available })
            const told = new Set(batch.filter((one) => one.telling).map((one) => one.product))
            await apply(
              ...[...told].map((id) => productEvent(id, n + 1)),
              ...[...latest.values()].map(({ product, sku, available }) =>
                stockEvent(product, n + 1, available, { sku }),
              ),
            )
          }
          for (const { id, available } of (await find()).items)
            expect(available).toBe([...stock.values()].some((of) => of.product === id && of.available > 0))
        },
      ),
      { numRuns: 60 },
    )
  })

  test.each([
    ['prices', (id: string) => priceEvent(id, 1, 100)],
    ['stock', (id: string) => stockEvent(id, 1, 5)],
  ])('no index hears of %s, however many change at once', async (_, change) => {
    const many = Array.from({ length: 200 }, (_, n) => `p${n}`)
    await apply(...many.map((id) => productEvent(id, 1)))
    const [before, , after] = await db.begin((tx) =>
      Promise.all([rewritten(tx), projection.apply(many.map(change), tx), rewritten(tx)]),
    )
    expect(after).toEqual({ updated: before.updated + 200, hot: before.hot + 200 })
  })

  test('an update that leaves the text alone keeps its words', async () => {
    await apply(productEvent('a', 1))
    const [before] = await db`select words::text from search.products`
    await apply(productEvent('a', 2, priced(7, 'a-1')))
    const [after] = await db`select words::text, price_min from search.products`
    expect(after).toMatchObject({ words: before?.words, price_min: 7 })
  })
})
