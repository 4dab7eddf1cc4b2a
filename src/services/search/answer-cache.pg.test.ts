import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { applySchema, madeEvent, productDeleted, productEvent, stockEvent } from '../../../test/made-events.ts'
import { startRedis, type TestRedis } from '../../../test/redis.ts'
import type { Cache } from '../../engine/cache/cache.ts'
import { Caches } from '../../engine/cache/caches.ts'
import { type Database, openDatabase, type Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Product } from '../catalog/events.ts'
import { keyOf } from './answer-cache.ts'
import { SearchGenerations } from './generations.ts'
import { searchQuery } from './query.ts'
import { search } from './search.ts'
import { searchProjection } from './search-projection.ts'
import { writeSynonyms } from './synonyms.ts'

const log = pino({ level: 'silent' })
const projection = searchProjection()
let db: Database
let redis: TestRedis
let cache: Cache
let never: Cache
const open: Caches[] = []

/** As one process has it. */
async function processCache(redisUrl?: string): Promise<Cache> {
  const caches = new Caches(log, redisUrl)
  open.push(caches)
  await caches.ready()
  return caches.open('search', { generations: new SearchGenerations(db) })
}

beforeAll(async () => {
  db = openDatabase((await createTestDatabase()).url)
  await applySchema(db, new URL('./schema/', import.meta.url))
  redis = await startRedis()
  const unknown = () => Promise.reject(new Error('not known'))
  never = new Caches(log).open('never', { generations: { read: unknown, renew: unknown } })
}, 120_000)
beforeEach(async () => {
  await db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
  cache = await processCache()
})
afterAll(async () => {
  for (const caches of open) await caches.close()
  await db.close()
})

const apply = (...changes: LoggedEvent[]) => db.begin((tx) => projection.apply(changes, tx))
const find = (query: Record<string, unknown>, by = cache) => search(db, by, searchQuery.parse(query))
const titles = async (query: Record<string, unknown>, by = cache) =>
  (await find(query, by)).items.map(({ title }) => title)
const priced = (amount: number, sku: string): Partial<Product> => ({
  variants: [{ sku, options: {}, price: { amount, currency: 'EUR' } }],
})

/** Asks, changes, asks again: whether every part of the second answer came from the cache. */
async function survives(query: Record<string, unknown>, ...changes: LoggedEvent[]): Promise<boolean> {
  await find(query)
  await apply(...changes)
  const { misses } = await cache.stats()
  expect(await find(query)).toEqual(await find(query, never))
  return (await cache.stats()).misses === misses
}

describe('keys', () => {
  const key = (query: Record<string, unknown>) => keyOf('page', searchQuery.parse(query))

  test('the same search has the same key, whatever the order of its parameters and the way they are written', () => {
    const one = key({ q: 'Red  Lamp', vendor: 'Acme', tag: 'b,a', priceMin: '5', available: '1' })
    expect(key({ available: 'true', priceMin: '05', tag: ['a', 'b', 'A'], vendor: 'Acme', q: 'red lamp ' })).toBe(one)
    for (const other of [
      { q: 'red lamps' },
      { vendor: 'Acme2' },
      { tag: 'a' },
      { priceMax: '5' },
      { sort: 'title' },
      { limit: '5' },
    ])
      expect(key({ q: 'Red Lamp', vendor: 'Acme', tag: 'a,b', priceMin: '5', available: '1', ...other })).not.toBe(one)
  })

  test.each([
    [{ vendor: 'acme', category: 'Lamps' }, 'vendor:products:acme:'],
    [{ category: 'Lamps', q: 'red' }, 'search:cache:category:Lamps:'],
    [{ priceMin: '100', priceMax: '200' }, 'search:cache:price:100-200:'],
    [{ q: 'red' }, 'search:cache:'],
    [{}, 'products:list:'],
    [{ available: 'true' }, 'products:filter:'],
  ])('%j is kept under %s as documents B and D name it', (query, prefix) => {
    expect(key(query)).toMatch(new RegExp(`^${prefix}[\\w-]{27}$`))
  })
})

describe('what a change drops', () => {
  const lamp = { title: 'Lamp', vendorId: 'acme', category: 'Lamps', ...priced(1_500, 'A') }
  beforeEach(() =>
    apply(
      productEvent('lamp', 1, lamp),
      productEvent('desk', 1, { title: 'Desk', vendorId: 'best', category: 'Desks', ...priced(30_000, 'B') }),
      stockEvent('lamp', 1, 5, { sku: 'A' }),
    ),
  )
  const dearer = () => productEvent('lamp', 2, { ...lamp, ...priced(1_600, 'A') })

  test('the answers of its vendor, whatever changed, and not those of another', async () => {
    expect(await survives({ vendor: 'acme' }, dearer())).toBe(false)
    expect(await survives({ vendor: 'acme' }, stockEvent('lamp', 2, 0, { sku: 'A' }))).toBe(false)
    await find({ vendor: 'best' })
    const { misses } = await cache.stats()
    await apply(productEvent('lamp', 3, { ...lamp, title: 'Other' }))
    await find({ vendor: 'best' })
    expect((await cache.stats()).misses - misses).toBe(1) // how many each vendor has was counted anew; its own products were not
  })

  test('the answers of its category, and of the one it left', async () => {
    await find({ category: 'desks' })
    expect(await survives({ category: 'lamps' }, productEvent('lamp', 2, { ...lamp, category: 'Desks' }))).toBe(false)
    expect(await titles({ category: 'desks', sort: 'title' })).toEqual(['Desk', 'Lamp'])
    expect(await titles({ category: 'lamps' })).toEqual([])
  })

  test('the answers whose price bracket its old or new price is in, and no others', async () => {
    const page = async (query: Record<string, unknown>) => {
      await find(query)
      return (await find(query)).items.map((item) => item.id)
    }
    expect(await page({ priceMin: 1_000, priceMax: 2_000 })).toEqual(['lamp'])
    expect(await page({ priceMin: 25_000, priceMax: 40_000 })).toEqual(['desk'])
    await apply(dearer())
    const { misses } = await cache.stats()
    expect(await page({ priceMin: 25_000, priceMax: 40_000 })).toEqual(['desk'])
    expect((await cache.stats()).misses - misses).toBe(1) // the counts of all brackets alone
    await apply(productEvent('lamp', 3, { ...lamp, ...priced(26_000, 'A') }))
    expect((await page({ priceMin: 25_000, priceMax: 40_000 })).sort()).toEqual(['desk', 'lamp'])
    expect(await page({ priceMin: 1_000, priceMax: 2_000 })).toEqual([])
  })

  test('all answers, when a product appears or disappears', async () => {
    for (const query of [{ category: 'desks' }, { priceMin: 25_000 }, { q: 'desk' }, {}]) {
      expect(await survives(query, productEvent(`new-${JSON.stringify(query)}`, 1, { category: 'Mugs' }))).toBe(false)
      expect(await survives(query, productDeleted(`new-${JSON.stringify(query)}`, 2, { category: 'Mugs' }))).toBe(false)
    }
  })

  test('nothing, when nobody can see it: stock that stays above zero, an older version, a draft', async () => {
    for (const query of [{ vendor: 'acme' }, { q: 'lamp' }, {}]) {
      expect(await survives(query, stockEvent('lamp', 3, 4, { sku: 'A' }))).toBe(true)
      expect(await survives(query, productEvent('lamp', 1, lamp))).toBe(true)
      expect(await survives(query, productEvent('draft', 1, { status: 'draft' }))).toBe(true)
    }
  })

  test('everything, when synonyms change, it is built anew, or it is cleared', async () => {
    expect(await titles({ q: 'lantern' })).toEqual([])
    await writeSynonyms(db, [{ words: ['lantern', 'lamp'] }])
    expect(await titles({ q: 'lantern' })).toEqual(['Lamp'])
    await db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
    expect(await titles({})).toEqual([])
    await writeSynonyms(db, [])
    const { misses } = await cache.stats()
    await cache.clear()
    await find({})
    expect((await cache.stats()).misses).toBeGreaterThan(misses)
  })
})

test('after any changes every answer of the cache is what the database answers', async () => {
  const someProduct = fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    title: fc.constantFrom('Red Lamp', 'Blue Lamp', 'Red Desk', 'Lamb'),
    category: fc.constantFrom(null, 'Lamps', 'Desks'),
    vendorId: fc.constantFrom(null, 'acme', 'best'),
    tags: fc.subarray(['new', 'sale']),
    amount: fc.constantFrom(500, 1_000, 1_500, 2_500, 30_000),
    status: fc.constantFrom('active' as const, 'active' as const, 'draft' as const),
    kind: fc.constantFrom('put', 'put', 'delete', 'stock', 'price'),
    available: fc.constantFrom(0, 1, 2),
  })
  const someQuery = fc.record(
    {
      q: fc.constantFrom('lamp', 'red', 'lampp', 'red table'),
      category: fc.constantFrom('lamps', 'desks'),
      vendor: fc.constantFrom('acme', 'best'),
      tag: fc.constantFrom('new', 'new,sale'),
      priceMin: fc.constantFrom('600', '1000'),
      priceMax: fc.constantFrom('1500', '2600'),
      available: fc.constantFrom('true', 'false'),
      sort: fc.constantFrom('relevance', 'price_asc', 'title'),
    },
    { requiredKeys: [] },
  )
  // As the engine hands them over: one change an entity.
  const entityOf = ({ id, kind }: { id: string; kind: string }) => `${kind === 'delete' ? 'put' : kind} ${id}`
  let version = 0
  const eventOf = ({
    id,
    kind,
    amount,
    available,
    ...fields
  }: typeof someProduct extends fc.Arbitrary<infer P> ? P : never) => {
    version += 1
    const product = { ...fields, ...priced(amount, `${id}-1`) }
    if (kind === 'delete') return productDeleted(id, version, product)
    if (kind === 'stock') return stockEvent(id, version, available)
    if (kind === 'put') return { ...productEvent(id, 2, product), version }
    const price = { list: amount, effective: amount, currency: 'EUR', applied: [] }
    return madeEvent('price.updated', id, `price/${id}`, version, { productId: id, prices: { [`${id}-1`]: price } })
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(someQuery, { minLength: 1, maxLength: 4 }),
      fc.array(fc.uniqueArray(someProduct, { minLength: 1, maxLength: 3, selector: entityOf }), { maxLength: 6 }),
      async (queries, batches) => {
        await db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
        for (const batch of batches) {
          await apply(...batch.map(eventOf))
          for (const query of queries) expect(await find(query)).toEqual(await find(query, never))
        }
      },
    ),
    { numRuns: 25 },
  )
}, 60_000)

describe.each(['memory', 'redis'])('a slow reader, with answers in %s', (kind) => {
  test('puts nothing stale back, when the change becomes visible between its reading and its storing', async () => {
    const url = kind === 'redis' ? redis.url : undefined
    const [slow, other] = [await processCache(url), await processCache(url)]
    await apply(productEvent('a', 1, { title: 'Old', vendorId: 'acme' }))
    const query = { vendor: 'acme' }
    // Every statement is answered as ever; the reader then stands still until the change is through.
    let goOn: () => void = () => {}
    const changed = new Promise<void>((resolve) => (goOn = resolve))
    let read = 0
    const slowly = async <Rows>(rows: Promise<Rows>) => {
      await rows
      read++
      await changed
      return rows
    }
    const standing = (sql: Sql) =>
      Object.assign((...values: Parameters<Sql>) => slowly(sql(...values)), {
        text: (...values: Parameters<Sql['text']>) => slowly(sql.text(...values)),
      })
    const reserve = async () => {
      const session = await db.reserve()
      return Object.assign(standing(session), { release: session.release })
    }
    const reading = Object.assign(standing(db), { reserve }) as unknown as Database
    const late = search(reading, slow, searchQuery.parse(query))
    while (read < 2) await new Promise((resolve) => setImmediate(resolve))
    await apply(productEvent('a', 2, { title: 'New', vendorId: 'acme' }))
    goOn()
    expect((await late).items).toMatchObject([{ title: 'Old' }])
    expect(await titles(query, slow)).toEqual(['New'])
    expect(await titles(query, other)).toEqual(['New'])
  })
})

test('a change is seen at once by every process, also by one that applied nothing and whose answers are in its own memory', async () => {
  const others = [await processCache(), await processCache(redis.url), await processCache(redis.url)]
  await apply(productEvent('a', 1, { title: 'Old' }))
  for (const each of others) expect(await titles({}, each)).toEqual(['Old'])
  await apply(productEvent('a', 2, { title: 'New' }))
  for (const each of others) expect(await titles({}, each)).toEqual(['New'])
})

test('a change that is rolled back drops nothing', async () => {
  await apply(productEvent('a', 1, { title: 'Old' }))
  await find({})
  await expect(
    db.begin(async (tx) => {
      await projection.apply([productEvent('a', 2, { title: 'New' })], tx)
      throw new Error('rolled back')
    }),
  ).rejects.toThrow('rolled back')
  const { misses } = await cache.stats()
  expect(await titles({})).toEqual(['Old'])
  expect((await cache.stats()).misses).toBe(misses)
})

test('while Redis is gone answers are right, and nothing stale is given once it is back', async () => {
  const [one, two] = [await processCache(redis.url), await processCache(redis.url)]
  await apply(productEvent('a', 1, { title: 'Old' }))
  await titles({}, one)
  await redis.kill()
  expect(await titles({}, one)).toEqual(['Old'])
  await apply(productEvent('a', 2, { title: 'New' }))
  expect(await titles({}, one)).toEqual(['New'])
  expect((await one.stats()).fallback).toBe(true)
  await redis.start()
  while ((await one.stats()).fallback) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(await titles({}, one)).toEqual(['New'])
  expect(await titles({}, two)).toEqual(['New'])
})
