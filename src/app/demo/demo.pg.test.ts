import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { BUSY_MS } from '../../../test/chaos/ownership.ts'
import { createTestDatabase } from '../../../test/database.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { readConfig } from '../config.ts'
import { type Services, serviceNames, wire } from '../services.ts'
import { Demo } from './demo.ts'
import { demoProducts } from './products.ts'
import { isDemo, seedDemo } from './seed.ts'
import type { DemoShop } from './shop.ts'

let engine: TestEngine
let shop: DemoShop

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-demo-'))
  const config = readConfig({ DATABASE_URL: url, LOCKSTEP_DATA: directory, LOCKSTEP_JWT_SECRET: 'x'.repeat(32) })
  let services: Services | undefined
  const made = await testEngine(url, (to) => {
    const all = (services = wire(to, config))
    return serviceNames.map((name) => all[name])
  })
  engine = made.engine
  shop = { ...(services as unknown as Services), db: engine.db }
  return async () => {
    await engine[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  }
})

test('an empty shop is filled within a second and a half, and only once', async () => {
  const begun = performance.now()
  expect(await seedDemo(shop)).toBe(true)
  expect(performance.now() - begun).toBeLessThan(1_500 + BUSY_MS)
  expect(await seedDemo(shop)).toBe(false)
  expect(await isDemo(engine.db)).toBe(true)
  const [counts] = await engine.db`
    select (select count(*)::int from catalog.products) as products,
           (select count(distinct category)::int from catalog.products) as categories,
           (select count(*)::int from inventory.warehouses) as warehouses,
           (select count(*)::int from collections.collections) as collections,
           (select count(*)::int from customers.customers) as customers`
  expect(counts).toEqual({ products: 60, categories: 6, warehouses: 3, collections: 6, customers: 20 })
})

test('ids and SKUs of the demo are each one of a kind, and the same at every call', () => {
  const products = demoProducts()
  const skus = products.flatMap(({ product }) => product.variants.map(({ sku }) => sku))
  expect(new Set(products.map(({ product }) => product.id)).size).toBe(60)
  expect(new Set(skus).size).toBe(skus.length)
  expect(demoProducts()).toEqual(products)
})

test('while one process moves the shop, a standby leaves it alone', async () => {
  const show = await engine.db.reserve()
  await show`select pg_advisory_lock(hashtext('lockstep.demo'))`
  const stop = new AbortController()
  const end = async () => (await engine.db`select position from lockstep.head`)[0].position
  const before = await end()
  const running = new Demo({ shop, everyMs: 1, seed: 7 }).run(stop.signal)
  for (let n = 0; n < 20; n++) await engine.db`select 1`
  expect(await end()).toBe(before)
  show.release('and its lock with it')
  await expect.poll(end).toBeGreaterThan(before)
  stop.abort()
  await running
})

test('the demo stops with its signal', async () => {
  const stop = new AbortController()
  const running = new Demo({ shop, everyMs: 1 }).run(stop.signal)
  stop.abort()
  await expect(running).resolves.toBeUndefined()
})

test('the demo moves everything there is, and never oversells', async () => {
  await engine.settle() // carts know what can be bought
  const demo = new Demo({ shop, seed: 7 })
  const happened = new Set<string>()
  for (let n = 0; n < 300; n++) happened.add((await demo.runOnce()) ?? 'refused')
  expect([...happened].filter((one) => one !== 'refused').sort()).toEqual([
    'announce',
    'buy',
    'changeMind',
    'closeReservation',
    'edit',
    'giveBack',
    'order',
    'photograph',
    'promote',
    'receive',
    'reprice',
    'reserve',
    'restock',
    'send',
    'settle',
    'transfer',
  ])
  const types = (await engine.db`select distinct type from lockstep.events`).map((row) => row.type)
  expect(types).toEqual(
    expect.arrayContaining(['product.updated', 'stock.updated', 'stock.reserved', 'stock.released']),
  )
  const [worst] = await engine.db`select min(on_hand - reserved)::int as available from inventory.levels`
  expect(worst.available).toBeGreaterThanOrEqual(0)
})
