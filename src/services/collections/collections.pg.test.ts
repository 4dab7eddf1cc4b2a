import { beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { madeEvent, productDeleted, productEvent, stockEvent } from '../../../test/made-events.ts'
import type { Projection } from '../../engine/consumer.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { read } from '../../engine/log.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { collectionsProjection } from './collections-projection.ts'
import type { CollectionCommand, CollectionFields } from './decider.ts'
import type { MembershipData } from './events.ts'
import { collectionsOf, explain, type Place, placeOf, productsOf, readCollection } from './read.ts'
import type { Rule } from './rule.ts'
import { type CollectionsService, collectionsService } from './service.ts'

let engine: TestEngine
let service: CollectionsService
let projection: Projection

beforeEach(async () => {
  const made = await testEngine((await createTestDatabase()).url, (to) => [collectionsService(to)] as const)
  engine = made.engine
  service = made.services[0]
  projection = collectionsProjection()
  return () => engine.close()
})

const apply = (...changes: LoggedEvent[]) => engine.db.begin((tx) => projection.apply(changes, tx))
const evaluated = async () => {
  while (await service.evaluateOnce());
}
const said = async (command: CollectionCommand, version?: number) => {
  const entity = `collection/${command.id}`
  const { answer } = await service.execute(command, version === undefined ? {} : { expect: { entity, version } })
  return answer
}
const make = async (id: string, fields: CollectionFields) => {
  await said({ type: 'create', id, fields: { title: id, ...fields } })
  await evaluated()
}
const change = async (id: string, fields: CollectionFields) => {
  await said({ type: 'change', id, fields })
  await evaluated()
}
const members = async (id: string, sort?: 'price-asc' | 'price-desc' | 'title-desc' | 'newest' | 'title-asc') => {
  const collection = await readCollection(engine.db, id)
  const ids: string[] = []
  for (let after: Place | undefined, full = true; full; ) {
    const rows = await productsOf(engine.db, collection, sort ?? collection.sort, after, 2)
    ids.push(...rows.map((row) => row.product_id))
    const last = rows.at(-1)
    full = rows.length === 2
    if (last) after = placeOf(last)
  }
  return ids
}
/** What was told of memberships since: `+a summer`, `-a summer`. */
const told = async (after: number) =>
  (await read(engine.db, after, 10_000))
    .filter((event) => event.type.startsWith('collection.product.'))
    .map((event) => `${event.type.endsWith('added') ? '+' : '-'}${event.key} ${event.data.collectionId}`)
const end = async () => (await engine.db`select position from lockstep.head`)[0]?.position as number

const tagged = (tag: string): Rule => ({ match: 'all', conditions: [{ field: 'tag', operator: 'equals', value: tag }] })
const inStock: Rule = { field: 'available', operator: 'equals', value: true }
const cheap: Rule = { field: 'price', operator: 'lt', value: 1000 }
const priceEvent = (id: string, version: number, ...amounts: number[]) => {
  const prices = amounts.map((effective, n) => [`${id}-${n}`, { list: 1000, effective, currency: 'EUR', applied: [] }])
  const data = { productId: id, prices: Object.fromEntries(prices), problems: [], changes: [] }
  return madeEvent('price.updated', id, `price/${id}`, version, data)
}

test('a product enters and leaves a rule collection as it changes, and each time it is told', async () => {
  const start = await end()
  await make('summer', { rule: tagged('summer') })
  await apply(productEvent('a', 1, { tags: ['summer'] }), productEvent('b', 1, { tags: ['winter'] }))
  expect(await members('summer')).toEqual(['a'])
  await apply(productEvent('a', 2, { tags: [] }), productEvent('b', 2, { tags: ['summer'] }))
  expect(await members('summer')).toEqual(['b'])
  await apply(productEvent('b', 3, { tags: ['summer'], status: 'draft' }))
  expect(await members('summer')).toEqual([])
  expect(await told(start)).toEqual(['+a summer', '-a summer', '+b summer', '-b summer'])
})

test('an older or repeated version changes nothing, a deleted product leaves, a re-created one returns', async () => {
  await make('summer', { rule: tagged('summer') })
  await apply(productEvent('a', 3, { tags: ['summer'] }))
  const start = await end()
  await apply(productEvent('a', 2, { tags: [] }))
  await apply(productEvent('a', 3, { tags: ['summer'] }))
  expect(await members('summer')).toEqual(['a'])
  expect(await told(start)).toEqual([])
  await apply(productDeleted('a', 4, { tags: ['summer'] }))
  await apply(productEvent('a', 3, { tags: ['summer'] }))
  expect(await members('summer')).toEqual([])
  await apply(productEvent('a', 5, { tags: ['summer'] }))
  expect(await members('summer')).toEqual(['a'])
})

test('availability rules follow stock, before and after the product is known', async () => {
  await make('there', { rule: inStock })
  await apply(stockEvent('a', 1, 5))
  await apply(productEvent('a', 1), productEvent('b', 1))
  expect(await members('there')).toEqual(['a'])
  await apply(stockEvent('a', 2, 0, { type: 'stock.out' }), stockEvent('b', 1, 1))
  expect(await members('there')).toEqual(['b'])
  await apply(productEvent('b', 2, { isAvailable: false }))
  expect(await members('there')).toEqual([])
})

test('what changes at once is looked at as a whole: price and stock, and a price known before its product', async () => {
  await make('both', { rule: { match: 'all', conditions: [inStock, cheap] } })
  await make('cheap', { rule: cheap })
  await apply(priceEvent('a', 1, 500), stockEvent('a', 1, 5))
  await apply(productEvent('a', 1), productEvent('b', 1))
  expect([await members('both'), await members('cheap')]).toEqual([['a'], ['a']])
  await apply(priceEvent('b', 1, 800), stockEvent('b', 1, 1), priceEvent('a', 2, 2000), stockEvent('a', 2, 0))
  expect([await members('both'), await members('cheap')]).toEqual([['b'], ['b']])
})

test('a new price or stock of no interest to any rule leaves a collection as it is', async () => {
  await make('summer', { rule: tagged('summer'), productIds: ['b'] })
  const start = await end()
  await apply(productEvent('a', 1, { tags: ['summer'] }), productEvent('b', 1))
  await apply(priceEvent('a', 1, 10), stockEvent('a', 1, 5), priceEvent('b', 1, 10), stockEvent('b', 1, 5))
  expect(await members('summer')).toEqual(['b', 'a'])
  expect(await told(start)).toEqual(['+a summer', '+b summer'])
})

test('price rules follow the effective price, and the list price until pricing has spoken', async () => {
  await make('cheap', { rule: cheap })
  const variants = [{ sku: 'a-0', options: {}, price: { amount: 900, currency: 'EUR' } }]
  await apply(productEvent('a', 1, { variants }), productEvent('b', 1))
  expect(await members('cheap')).toEqual(['a'])
  await apply(priceEvent('a', 1, 1200), priceEvent('b', 2, 800, 1500))
  expect(await members('cheap')).toEqual(['b'])
  await apply(priceEvent('b', 1, 5000), productEvent('b', 2, { variants }))
  expect(await members('cheap')).toEqual(['b'])
})

test('the events of a product are versions without a gap, and each says in which collections it is then', async () => {
  const start = await end()
  await make('x', { rule: tagged('x') })
  await make('y', { rule: tagged('y') })
  await apply(productEvent('a', 1, { tags: ['x', 'y'] }))
  await apply(productEvent('a', 2, { tags: ['y'] }))
  await change('y', { rule: tagged('z') })
  const events = (await read(engine.db, start, 100)).filter((event) => event.entity === 'membership/a')
  expect(events.map((event) => [event.version, (event.data as MembershipData).collections])).toEqual([
    [1, ['x']],
    [2, ['x', 'y']],
    [3, ['y']],
    [4, []],
  ])
  expect(events.every((event) => event.key === 'a' && event.source === 'collections')).toBe(true)
})

test('when its transaction fails, neither the membership nor its event has ever been', async () => {
  await make('x', { rule: tagged('x') })
  const start = await end()
  const failed = engine.db.begin(async (tx) => {
    await projection.apply([productEvent('a', 1, { tags: ['x'] })], tx)
    throw new Error('the checkpoint was another’s')
  })
  await expect(failed).rejects.toThrow('another’s')
  expect([await members('x'), await told(start), await end()]).toEqual([[], [], start])
  await apply(productEvent('a', 1, { tags: ['x'] }))
  expect(await told(start)).toEqual(['+a x'])
})

test('a new and a changed rule are evaluated for every product', async () => {
  await apply(
    productEvent('a', 1, { tags: ['x'] }),
    productEvent('b', 1, { tags: ['y'] }),
    productEvent('c', 1, { tags: ['x', 'y'] }),
  )
  const start = await end()
  await make('one', { title: 'One', rule: tagged('x') })
  expect(await members('one')).toEqual(['a', 'c'])
  await change('one', { rule: tagged('y') })
  expect(await members('one')).toEqual(['b', 'c'])
  expect(await told(start)).toEqual(['+a one', '+c one', '-a one', '+b one'])
  await expect(said({ type: 'change', id: 'one', fields: { title: 'Late' } }, 1)).rejects.toMatchObject({
    code: 'version-mismatch',
  })
})

test('a deleted collection is gone at once, and each product is told to have left it; made again, it goes on in versions', async () => {
  await apply(productEvent('a', 1, { tags: ['x'] }))
  await make('one', { rule: tagged('x') })
  const start = await end()
  await said({ type: 'delete', id: 'one' })
  await expect(readCollection(engine.db, 'one')).rejects.toMatchObject({ code: 'not-found' })
  expect(await collectionsOf(engine.db, 'a')).toEqual([])
  await evaluated()
  expect(await told(start)).toEqual(['-a one'])
  await expect(said({ type: 'delete', id: 'one' })).rejects.toMatchObject({ code: 'not-found' })
  await make('one', { productIds: ['a'] })
  expect(await readCollection(engine.db, 'one')).toMatchObject({ version: 3, kind: 'manual' })
  expect(await members('one')).toEqual(['a'])
})

test('a rule and a product that change at the same time do not miss each other', async () => {
  for (let n = 0; n < 20; n++) {
    await Promise.all([make(`c${n}`, { rule: tagged('x') }), apply(productEvent(`p${n}`, 1, { tags: ['x'] }))])
    expect(await members(`c${n}`)).toContain(`p${n}`)
  }
})

test('an evaluation shows how far it is, goes on where it was, and a newer rule begins it anew', async () => {
  const products = Array.from({ length: 2_500 }, (_, n) =>
    productEvent(`p${10_000 + n}`, 1, { tags: [n % 2 ? 'odd' : 'even'] }),
  )
  await apply(...products)
  const start = await end()
  await said({ type: 'create', id: 'c', fields: { title: 'C', rule: tagged('odd') } })
  expect((await readCollection(engine.db, 'c')).evaluating).toEqual({ done: 0, total: 2_500 })
  await service.evaluateOnce()
  expect((await readCollection(engine.db, 'c')).evaluating).toEqual({ done: 1_000, total: 2_500 })
  // Another process goes on from the last commit.
  const other = collectionsService(engine)
  await other.evaluateOnce()
  expect((await readCollection(engine.db, 'c')).evaluating).toEqual({ done: 2_000, total: 2_500 })
  expect(new Set(await told(start)).size).toBe(1_000)

  await said({ type: 'change', id: 'c', fields: { rule: tagged('even') } })
  expect((await readCollection(engine.db, 'c')).evaluating).toEqual({ done: 0, total: 2_500 })
  await evaluated()
  expect((await readCollection(engine.db, 'c')).evaluating).toBeUndefined()
  expect(await engine.db`select 1 from collections.members`).toHaveLength(1_250)
  const all = await told(start)
  expect(all.filter((one) => one.startsWith('-'))).toHaveLength(1_000)
  expect(all.filter((one) => one.startsWith('+'))).toHaveLength(1_000 + 1_250)
  expect(new Set(all).size).toBe(all.length)
})

test('a picked collection keeps its order, shows what is live, and has no rule', async () => {
  await apply(productEvent('a', 1), productEvent('b', 1), productEvent('c', 1, { status: 'draft' }))
  await make('mine', { productIds: ['b', 'unknown', 'c', 'a'] })
  expect(await members('mine')).toEqual(['b', 'a'])
  await apply(productEvent('c', 2), productEvent('unknown', 1))
  expect(await members('mine')).toEqual(['b', 'unknown', 'c', 'a'])
  await said({ type: 'place', id: 'mine', productId: 'a', place: 1 })
  expect(await members('mine')).toEqual(['b', 'a', 'unknown', 'c'])
  await said({ type: 'place', id: 'mine', productId: 'b' })
  await said({ type: 'unplace', id: 'mine', productId: 'unknown' })
  await evaluated()
  expect(await members('mine')).toEqual(['a', 'c', 'b'])
  await expect(said({ type: 'unplace', id: 'mine', productId: 'unknown' })).rejects.toMatchObject({ code: 'not-found' })
  await expect(said({ type: 'change', id: 'mine', fields: { rule: inStock } })).rejects.toMatchObject({
    code: 'invalid-request',
  })
  await expect(said({ type: 'create', id: 'mine', fields: { title: 'Again', productIds: [] } })).rejects.toMatchObject({
    code: 'already-exists',
  })
})

test('pinned products stand above what the rule takes, whether it takes them or not', async () => {
  const costing = (amount: number, tags: string[], title: string) => ({
    tags,
    title,
    variants: [{ sku: `s${amount}`, options: {}, price: { amount, currency: 'EUR' } }],
  })
  await apply(
    productEvent('a', 1, costing(300, ['x'], 'A')),
    productEvent('b', 1, costing(100, ['x'], 'c')),
    productEvent('c', 1, costing(200, ['x'], 'B')),
    productEvent('d', 1, costing(900, [], 'D')),
    productEvent('e', 1, costing(100, ['x'], 'b')),
  )
  await make('c', { rule: tagged('x'), sort: 'price-asc', productIds: ['d', 'a'] })
  expect(await members('c')).toEqual(['d', 'a', 'b', 'e', 'c'])
  expect(await members('c', 'price-desc')).toEqual(['d', 'a', 'c', 'e', 'b']) // the other way round, equal ones too
  expect(await members('c', 'title-desc')).toEqual(['d', 'a', 'b', 'e', 'c'])
  await change('c', { productIds: [] })
  expect(await members('c')).toEqual(['b', 'e', 'c', 'a'])
  expect(await members('c', 'title-asc')).toEqual(['a', 'c', 'e', 'b'])
})

test('pages of any size, put together, are all members once in their order, whatever is pinned and however many are equal', async () => {
  const products = Array.from({ length: 23 }, (_, n) => ({
    id: `p${String(n).padStart(2, '0')}`,
    amount: 100 * (n % 4),
    title: ['same', 'Same', 'other'][n % 3] as string,
    createdAt: new Date(Date.UTC(2026, 0, 1 + (n % 5), 1, 2, 3, n % 2)).toISOString(),
  }))
  await apply(
    ...products.map(({ id, amount, title, createdAt }) =>
      productEvent(id, 1, {
        tags: ['x'],
        title,
        createdAt,
        variants: [{ sku: `s-${id}`, options: {}, price: { amount, currency: 'EUR' } }],
      }),
    ),
  )
  const pins = ['p07', 'p03', 'p11']
  await make('c', { rule: tagged('x'), productIds: pins })
  const collection = await readCollection(engine.db, 'c')
  const keys = {
    'price-asc': ({ amount }: (typeof products)[number]) => amount,
    newest: ({ createdAt }: (typeof products)[number]) => -Date.parse(createdAt),
    'title-desc': ({ title }: (typeof products)[number]) => (title === 'other' ? 1 : 0),
  }
  for (const [sort, key] of Object.entries(keys)) {
    const way = sort === 'price-asc' ? 1 : -1
    const rest = products.filter(({ id }) => !pins.includes(id))
    rest.sort((a, b) => key(a) - key(b) || way * (a.id < b.id ? -1 : 1))
    const expected = [...pins, ...rest.map(({ id }) => id)]
    for (const size of [1, 2, 3, 7, 23, 50]) {
      const seen: string[] = []
      for (let after: Place | undefined, full = true; full; ) {
        const rows = await productsOf(engine.db, collection, sort as 'newest', after, size)
        seen.push(...rows.map((row) => row.product_id))
        full = rows.length === size
        const last = rows.at(-1)
        if (last) after = placeOf(last)
      }
      expect([sort, size, ...seen]).toEqual([sort, size, ...expected])
    }
  }
})

test('it explains why a product is in or out', async () => {
  await make('c', { rule: { match: 'all', conditions: [tagged('x'), { not: cheap }] }, productIds: ['b'] })
  await apply(productEvent('a', 1, { tags: ['x'] }), productEvent('b', 1), productEvent('d', 1, { status: 'archived' }))
  expect(await explain(engine.db, 'c', 'a')).toMatchObject({ member: true, belongs: true, picked: false })
  expect(await explain(engine.db, 'c', 'b')).toMatchObject({
    member: true,
    belongs: true,
    picked: true,
    rule: { holds: false, of: [{ path: 'rule.conditions.0', holds: false }, { holds: true }] },
  })
  expect(await explain(engine.db, 'c', 'd')).toMatchObject({ member: false, belongs: false, active: false })
  await expect(explain(engine.db, 'c', 'z')).rejects.toMatchObject({ code: 'not-found' })
  expect(await collectionsOf(engine.db, 'b')).toEqual([{ id: 'c', title: 'c', kind: 'rule', picked: true }])
})

test('read again from the start, products stay where they are and nothing is told', async () => {
  await make('x', { rule: tagged('x') })
  const events = [
    productEvent('a', 1, { tags: ['x'] }),
    productEvent('a', 2, { tags: [] }),
    productEvent('a', 3, { tags: ['x'] }),
  ]
  for (const event of events) await apply(event)
  const start = await end()
  await engine.db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
  for (const event of events) await apply(event)
  expect([await members('x'), await told(start)]).toEqual([['a'], []])
})

test('its proof finds a member that does not belong, one that is missing, and a place that nobody was told of', async () => {
  await make('x', { rule: tagged('x'), productIds: ['c'] })
  await apply(productEvent('a', 1, { tags: ['x'] }), productEvent('b', 1), productEvent('c', 1))
  await apply(productEvent('a', 2), productEvent('b', 2, { tags: ['x'] }))
  expect(await service.verify(engine.db)).toEqual([])
  await engine.db`update collections.members set product_id = 'a' where product_id = 'b'`
  const found = await service.verify(engine.db)
  expect(found.map(({ what, detail }) => `${what} ${detail}`).sort()).toEqual([
    expect.stringMatching(/^product a the last event is version 2 and says \[\]; it is at 2 in \["x"\]$/),
    expect.stringMatching(/^product b /),
    'x, product a is in, but does not belong',
    'x, product b belongs, but is not in',
  ])
})
