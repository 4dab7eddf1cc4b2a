import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { applySchema, productEvent, stockEvent } from '../../../test/made-events.ts'
import { Caches } from '../../engine/cache/caches.ts'
import { type Database, openDatabase } from '../../engine/database.ts'
import { SearchGenerations } from './generations.ts'
import { searchQuery } from './query.ts'
import { search } from './search.ts'
import { searchProjection } from './search-projection.ts'
import { suggest } from './suggest.ts'
import { readSynonyms, type Synonym, synonyms, writeSynonyms } from './synonyms.ts'

const projection = searchProjection()
let db: Database

beforeAll(async () => {
  db = openDatabase((await createTestDatabase()).url)
  await applySchema(db, new URL('./schema/', import.meta.url))
})
beforeEach(async () => {
  await db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
  await writeSynonyms(db, [])
})
afterAll(() => db.close())

/** Products named by their titles. */
const sell = (...titles: string[]) =>
  db.begin((tx) =>
    projection.apply(
      titles.map((title) => productEvent(title, 1, { title })),
      tx,
    ),
  )
const find = (query: Record<string, unknown>) => {
  const cache = new Caches(pino({ level: 'silent' })).open('search', { generations: new SearchGenerations(db) })
  return search(db, cache, searchQuery.parse(query))
}
const titles = async (q: string) => (await find({ q })).items.map((item) => item.title)

describe('relevance', () => {
  test('an exact title comes before one that has the words too, and a short one before a long', async () => {
    await sell('Oak lamp shade for the desk', 'Oak Lamp', 'Lamp, oak, large', 'Oak')
    expect(await titles('oak lamp')).toEqual(['Oak Lamp', 'Lamp, oak, large', 'Oak lamp shade for the desk'])
  })

  test('among equals what can be bought comes first', async () => {
    await sell('Lamp one', 'Lamp two')
    await db.begin((tx) => projection.apply([stockEvent('Lamp two', 1, 3)], tx))
    expect(await titles('lamp')).toEqual(['Lamp two', 'Lamp one'])
  })

  test('it is told how a question was understood: as asked, corrected, or in part', async () => {
    await sell('Oak Lamp', 'Brass Lamp', 'Oak Desk')
    expect(await find({ q: 'oak lamp' })).toMatchObject({ match: 'asked', total: 1 })
    expect(await find({ q: 'oka lmap' })).toMatchObject({ match: 'corrected', total: 1 })
    const some = await find({ q: 'brass desk' })
    expect(some).toMatchObject({ match: 'some', total: 2 })
    expect(await find({ q: 'oak lamp', vendor: 'nobody' })).toMatchObject({ match: 'asked', total: 0 })
    expect(await find({ q: 'zzzzzz' })).toMatchObject({ match: 'some', total: 0 })
  })
})

describe('any script', () => {
  test.each([
    ['手机', '透明手机壳'],
    ['壳', '透明手机壳'],
    ['ラップトップ', '高性能ラップトップ'],
    ['노트북', '노트북을'],
    ['шкаф', 'Шкаф белый'],
    ['shkaf', 'Шкаф белый'],
    ['елка', 'Ёлка'],
    ['مكتبة', 'مَكتبه صغيرة'],
    ['psygeio', 'Ψυγείο'],
    ['हिन्दी', 'हिन्दी किताब'],
    ['กระเป๋า', 'ซื้อกระเป๋าสวย'],
    ['muller', 'Müller'],
  ])('%s finds %s', async (q, title) => {
    await sell(title, 'Something else 机手', 'हनद')
    expect(await titles(q)).toEqual([title])
  })

  test('a misspelling in another alphabet is understood', async () => {
    await sell('Холодильник', 'Шкаф')
    expect(await titles('халодильник')).toEqual(['Холодильник'])
  })
})

describe('synonyms', () => {
  const given: Synonym[] = [
    { words: ['sofa', 'couch', 'three seater'] },
    { from: ['phone', 'mobile phone'], to: ['iPhone'] },
  ]

  test('are kept as they were given', async () => {
    await writeSynonyms(db, given)
    expect(await readSynonyms(db)).toEqual(given)
    await writeSynonyms(db, [{ words: ['a', "b'\\"] }])
    expect(await readSynonyms(db)).toEqual([{ words: ['a', "b'\\"] }])
  })

  test('two-way ones find each other, one-way ones what they stand for alone, of several words too', async () => {
    await sell('Leather Sofa', 'Red Couch', 'Grey Three Seater', 'Apple iPhone', 'Phone case')
    await writeSynonyms(db, given)
    expect((await titles('couch')).sort()).toEqual(['Grey Three Seater', 'Leather Sofa', 'Red Couch'])
    expect(await titles('three seater')).toHaveLength(3)
    expect(await titles('red sofa')).toEqual(['Red Couch'])
    expect((await titles('phone')).sort()).toEqual(['Apple iPhone', 'Phone case'])
    expect(await titles('iphone')).toEqual(['Apple iPhone'])
    expect(await titles('mobile phone')).toEqual(['Apple iPhone'])
    expect(await titles('couch -red -leather')).toEqual(['Grey Three Seater'])
  })

  test.each([
    [{ synonyms: [{ words: ['one'] }] }],
    [{ synonyms: [{ words: ['one', '***'] }] }],
    [{ synonyms: [{ from: ['a'] }] }],
    [{ synonyms: [{ words: ['a', 'b'], from: ['c'], to: ['d'] }] }],
    [{ synonyms: [{ words: ['a', 'b c d e f'] }] }],
    [{ synonyms: [{ words: ['a', 1] }] }],
    [{}],
  ])('%j is refused', (body) => {
    expect(synonyms.safeParse(body).success).toBe(false)
  })
})

describe('suggestions', () => {
  test('titles that begin with what was typed come first, then products with such a word', async () => {
    await sell('Lamp shade', 'Desk lamp', 'Lampion', 'Chair')
    const { words, products } = await suggest(db, 'LAM', 8)
    expect(words).toEqual(['lamp', 'lampion'])
    expect(products.map(({ title }) => title)).toEqual(['Lamp shade', 'Lampion', 'Desk lamp'])
    expect(products[0]?.highlight).toBe('<mark>Lamp</mark> shade')
  })

  test('an unfinished word counts behind finished ones, also where its stem is shorter than what was typed', async () => {
    await sell('Red running shoes', 'Blue running shoes', 'Red chair')
    expect(await suggest(db, 'red runnin', 8)).toMatchObject({
      words: ['red running'],
      products: [{ title: 'Red running shoes', highlight: '<mark>Red</mark> <mark>running</mark> shoes' }],
    })
  })

  test.each(['', '   ', '%', '_', '***', "'", '\\'])('for %j nothing is suggested', async (q) => {
    await sell('Lamp')
    expect(await suggest(db, q, 8)).toEqual({ words: [], products: [] })
  })

  test('at most so many are given, in any script', async () => {
    await sell(...Array.from({ length: 9 }, (_, n) => `Lamp ${n}`), '手机壳')
    expect((await suggest(db, 'la', 3)).products).toHaveLength(3)
    expect((await suggest(db, '手机', 3)).products).toMatchObject([{ title: '手机壳' }])
  })
})

test('a facet that is filtered by keeps its other values, the rest is counted within the filter', async () => {
  const product = (id: string, category: string, vendorId: string) => productEvent(id, 1, { category, vendorId })
  await db.begin((tx) =>
    projection.apply([product('a', 'Lamps', 'acme'), product('b', 'Lamps', 'best'), product('c', 'Desks', 'acme')], tx),
  )
  const { facets, total, facetsAreExact } = await find({ category: 'lamps', vendor: 'acme' })
  expect({ total, facetsAreExact }).toEqual({ total: 1, facetsAreExact: true })
  expect(facets.category).toEqual([
    { value: 'Desks', count: 1 },
    { value: 'Lamps', count: 1 },
  ])
  expect(facets.vendor).toEqual([
    { value: 'acme', count: 1 },
    { value: 'best', count: 1 },
  ])
  expect(facets.available).toEqual([{ value: false, count: 1 }])
})

test('beyond a thousand products totals and facets are estimates, and say so', async () => {
  const vendors = (n: number) => ({ vendorId: n % 4 === 0 ? 'few' : 'many' })
  const all = Array.from({ length: 4_000 }, (_, n) => productEvent(`p${n}`, 1, { title: `Lamp ${n}`, ...vendors(n) }))
  await db.begin((tx) => projection.apply(all, tx))
  await db`analyze search.products`
  const { total, totalIsExact, facetsAreExact, facets } = await find({ q: 'lamp' })
  expect({ totalIsExact, facetsAreExact }).toEqual({ totalIsExact: false, facetsAreExact: false })
  expect(total).toBeGreaterThan(3_500)
  expect(total).toBeLessThan(4_500)
  expect((facets.vendor[0]?.count ?? 0) / (facets.vendor[1]?.count ?? 1)).toBeCloseTo(3, 0)
  expect(await find({ q: 'lamp', vendor: 'few' })).toMatchObject({ total: 1_000, totalIsExact: true })
}, 60_000)
