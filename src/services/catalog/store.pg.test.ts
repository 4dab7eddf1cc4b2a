import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { append } from '../../engine/log.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { CatalogCommand } from './decider.ts'
import { normalProduct } from './product.ts'
import { readProduct } from './read.ts'
import { type CatalogService, catalogService } from './service.ts'

interface Shop {
  engine: TestEngine
  catalog: CatalogService
}

let shops: Shop[]
let url: string

/** One more process on the same database. */
async function open(): Promise<Shop> {
  const { engine, services } = await testEngine(url, (engine) => [catalogService(engine)] as [CatalogService])
  const shop = { engine, catalog: services[0] }
  shops.push(shop)
  return shop
}

let shop: Shop
beforeEach(async () => {
  shops = []
  url = (await createTestDatabase()).url
  shop = await open()
})
afterEach(() => Promise.all(shops.map(({ engine }) => engine.close())))

const price = { amount: 1999, currency: 'EUR' }
const product = (id: string, ...skus: string[]) =>
  normalProduct({ id, title: `Product ${id}`, variants: skus.map((sku) => ({ sku, price })) })
const create = (id: string, ...skus: string[]): CatalogCommand => ({ type: 'create', product: product(id, ...skus) })
const run = (command: CatalogCommand, { catalog } = shop) => catalog.execute(command)
const kept = async (id: string) => {
  const row = await readProduct(shop.engine.db, id)
  return row && { version: row.version, ...JSON.parse(row.product) }
}
const owners = async () => {
  const rows = await shop.engine.db<{
    sku: string
    product_id: string
  }>`select sku, product_id from catalog.skus order by sku`
  return Object.fromEntries(rows.map(({ sku, product_id }) => [sku, product_id]))
}
const log = () =>
  shop.engine.db<{ type: string; entity: string; version: number; transaction: string }>`
    select type, entity, version, xmin::text as transaction from lockstep.events order by position`
const codes = (outcomes: PromiseSettledResult<unknown>[]) =>
  outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'done' : outcome.reason.code))

describe('products', () => {
  test('are read as they were written, whatever is in their text', async () => {
    const odd = { ...product('odd', 'A'), description: '\u001e"\\{},NULL\n\u2028é😀', tags: ['"', '\\', 'null', '{}'] }
    await run({ type: 'create', product: odd })
    await run({ type: 'create', product: { ...product('plain', 'B'), vendorId: 'NULL', category: '' } })
    expect(await kept('odd')).toMatchObject({ ...odd, version: 1 })
    expect(await kept('plain')).toMatchObject({ vendorId: 'NULL', category: '' })
  })

  test('created, changed, deleted and created again in one batch are one row and four versions', async () => {
    await Promise.all([
      run(create('kit', 'A')),
      run({ type: 'update', productId: 'kit', fields: { title: 'Case' } }),
      run({ type: 'delete', productId: 'kit' }),
      run(create('kit', 'B')),
    ])
    expect(await kept('kit')).toMatchObject({ version: 4, title: 'Product kit' })
    expect(await owners()).toEqual({ B: 'kit' })
    expect(new Set((await log()).map(({ transaction }) => transaction)).size).toBe(1)
  })

  test('two processes that create the same id at once make one product', async () => {
    const second = await open()
    const ids = Array.from({ length: 20 }, (_, n) => `p${n}`)
    const outcomes = await Promise.allSettled(
      ids.flatMap((id) => [run(create(id, `${id}-a`)), run(create(id, `${id}-b`), second)]),
    )
    expect(codes(outcomes).sort()).toEqual([...Array(20).fill('already-exists'), ...Array(20).fill('done')])
    expect((await log()).map(({ version }) => version)).toEqual(Array(20).fill(1))
    expect(Object.keys(await owners())).toHaveLength(20)
  })

  test('a product held by somebody else does not hold up its neighbours', async () => {
    await run(create('held', 'A'))
    await run(create('free', 'B'))
    const holder = await shop.engine.db.reserve()
    try {
      await holder`begin`
      await holder`select from catalog.products where id = 'held' for update`
      const waiting = run({ type: 'update', productId: 'held', fields: { title: 'Late' } })
      await run({ type: 'update', productId: 'free', fields: { title: 'Early' } })
      expect((await kept('free')).title).toBe('Early')
      await holder`rollback`
      expect((await waiting).answer).toEqual({ id: 'held', version: 2 })
    } finally {
      holder.release()
    }
  })
})

describe('SKUs', () => {
  test('of two creations with one SKU in the same batch the second is refused and leaves nothing', async () => {
    const outcomes = await Promise.allSettled([run(create('first', 'A')), run(create('second', 'B', 'A'))])
    expect(codes(outcomes)).toEqual(['done', 'sku-taken'])
    expect(await owners()).toEqual({ A: 'first' })
    expect(await kept('second')).toBeUndefined()
  })

  test('two processes that claim the same SKUs at once, in whatever order, leave each with one owner', async () => {
    const second = await open()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => [
        run(create(`x${n}`, `A${n}`, `B${n}`)),
        run(create(`y${n}`, `B${n}`, `A${n}`), second),
      ]).flat(),
    )
    expect(codes(outcomes).sort()).toEqual([...Array(20).fill('done'), ...Array(20).fill('sku-taken')])
    expect(Object.keys(await owners())).toHaveLength(40)
  })

  test('pass from one product to another, within a batch as well', async () => {
    await run(create('first', 'A', 'B'))
    await Promise.all([
      run({ type: 'update', productId: 'first', fields: { variants: product('first', 'A').variants } }),
      run(create('second', 'B')),
    ])
    expect(await owners()).toEqual({ A: 'first', B: 'second' })
    await run({ type: 'delete', productId: 'first' })
    await run(create('third', 'A'))
    expect(await owners()).toEqual({ A: 'third', B: 'second' })
  })
})

describe('availability', () => {
  test('of 1,000 products at once is an event each and one transaction', async () => {
    const ids = Array.from({ length: 1_000 }, (_, n) => `p${n}`)
    await Promise.all(ids.map((id) => run(create(id, `sku-${id}`))))
    const updates = ids.map((productId) => ({ productId, isAvailable: false }))
    const { versions } = await run({ type: 'set-availability', by: 'vendor', updates })
    expect(Object.keys(versions)).toHaveLength(1_000)
    const events = (await log()).filter(({ type }) => type === 'product.updated')
    expect(events).toHaveLength(1_000)
    expect(new Set(events.map(({ transaction }) => transaction)).size).toBe(1)
  })

  test('follows stock: gone with the last SKU, back with the first, and not against a vendor', async () => {
    await run(create('kit', 'A', 'B'))
    await Promise.all([stocked('kit', 'A', 5), stocked('kit', 'B', 5)])
    await stocked('kit', 'A', 0)
    await shop.engine.settle()
    expect(await kept('kit')).toMatchObject({ isAvailable: true, version: 1 })

    await stocked('kit', 'B', 0)
    await shop.engine.settle()
    expect(await kept('kit')).toMatchObject({ isAvailable: false, version: 2 })

    await stocked('kit', 'A', 1)
    await shop.engine.settle()
    expect(await kept('kit')).toMatchObject({ isAvailable: true, version: 3 })

    await run({ type: 'update', productId: 'kit', fields: { isAvailable: false } })
    await stocked('kit', 'A', 0)
    await stocked('kit', 'A', 9)
    await shop.engine.settle()
    expect(await kept('kit')).toMatchObject({ isAvailable: false, version: 4 })
  })

  test('stock of products that are gone or never were is passed over', async () => {
    await run(create('kit', 'A'))
    await run({ type: 'delete', productId: 'kit' })
    await Promise.all([stocked('kit', 'A', 0), stocked('nobody', 'N', 0)])
    await shop.engine.settle()
    const failures = await shop.engine.db`select from lockstep.failures`
    expect([(await log()).length, failures.length]).toEqual([4, 0])
  })
})

const versions = new Map<string, number>()
/** What inventory would tell of a stock that crossed its threshold. */
function stocked(productId: string, sku: string, available: number) {
  const version = (versions.get(sku) ?? 0) + 1
  versions.set(sku, version)
  const type = available > 0 ? 'stock.back' : 'stock.out'
  const data = { stock: { sku, productId, available }, threshold: 0, trigger: 'ADMIN_UPDATE' }
  const event = { type, key: productId, entity: `stock/${sku}`, version, source: 'inventory', data }
  return shop.engine.db.begin((tx) => append(tx, [event]))
}
