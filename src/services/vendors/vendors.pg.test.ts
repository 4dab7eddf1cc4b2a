import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { type Auth, openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import { Rejected } from '../../engine/decider.ts'
import type { App } from '../../engine/http.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { normalProduct, type ProductInput } from '../catalog/product.ts'
import { type CatalogService, catalogService } from '../catalog/service.ts'
import { type InventoryService, inventoryService } from '../inventory/service.ts'
import { countOnce } from './counting.ts'
import { type InventoryStats, inventoryStatsOf } from './inventory-stats.ts'
import { type VendorsService, vendorsService } from './service.ts'

let engine: TestEngine
let catalog: CatalogService
let inventory: InventoryService
let app: App
let auth: Auth
let vendors: VendorsService

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(
    url,
    (to) => [catalogService(to), inventoryService(to, { reorderThreshold: 10 }), vendorsService(to)] as const,
  )
  engine = made.engine
  ;[catalog, inventory, vendors] = made.services
  auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  const parts = { settings: httpDefaults, auth, log: pino({ level: 'silent' }), metrics: new Registry(), version: '0' }
  app = await buildServer({ ...parts, services: [...made.services] })
})
afterAll(async () => {
  await app.close()
  await engine.close()
})

afterEach(async () => {
  while (!(await countOnce(engine.db)));
  expect(await vendors.verify(engine.db)).toEqual([])
})

async function product(id: string, units: number, fields: Partial<ProductInput> = {}) {
  const variants = [{ sku: `${id}-1`, price: { amount: 100, currency: 'EUR' } }]
  const given = { title: id, vendorId: 'Brew & Sons', category: 'Kettles', variants, ...fields, id }
  await catalog.execute({ type: 'put', product: normalProduct(given) })
  await engine.settle()
  await inventory.execute({ type: 'set-quantity', sku: `${id}-1`, warehouseId: 'main', quantity: units })
  await engine.settle()
}

async function statsOf(vendor: string, role: 'ADMIN' | 'product-service' | 'inventory-service' = 'product-service') {
  const token = await auth.issueToken({ role, subject: 'tester', ttlSeconds: 60 })
  const url = `/v1/vendors/${encodeURIComponent(vendor)}/inventory-stats`
  const reply = await app.inject({ url, headers: { authorization: `Bearer ${token}` } })
  return { status: reply.statusCode, body: reply.json() }
}

test('every product counts once, as available, limited or out of stock', async () => {
  await product('many', 40)
  await product('few', 10)
  await product('none', 0)
  await product('hidden', 40, { isAvailable: false })
  await product('draft', 40, { status: 'draft' })
  await product('other', 40, { vendorId: 'Somebody else' })
  await product('mug', 11, { category: 'Mugs' })
  await inventory.execute({ type: 'order', orderId: 'one', lines: [{ sku: 'many-1', quantity: 5 }] })
  await inventory.execute({
    type: 'reserve',
    reservationId: 'held',
    lines: [{ sku: 'many-1', quantity: 2 }],
    ttlSeconds: 600,
  })
  const { status, body } = await statsOf('Brew & Sons')
  expect(status).toBe(200)
  expect(body).toEqual({
    vendorId: 'Brew & Sons',
    totalProducts: 5,
    availableProducts: 2,
    limitedProducts: 1,
    outOfStockProducts: 2,
    onHand: 35 + 10 + 40 + 11,
    reserved: 2,
    available: 33 + 10 + 40 + 11,
    categories: [
      { category: 'Kettles', products: 4 },
      { category: 'Mugs', products: 1 },
    ],
  })
})

test('what is deleted counts no more, and replaying every consumer changes nothing', async () => {
  await product('gone', 5, { vendorId: 'Fleeting' })
  expect((await statsOf('Fleeting')).body).toMatchObject({ totalProducts: 1, limitedProducts: 1 })
  await catalog.execute({ type: 'delete', productId: 'gone' })
  await engine.settle()
  const before = await statsOf('Fleeting')
  expect(before.body).toMatchObject({ totalProducts: 0, onHand: 0, categories: [] })
  await engine.db`update lockstep.consumers set position = 0`
  await engine.settle()
  expect(await statsOf('Fleeting')).toEqual(before)
})

test('a vendor nobody knows has nothing, and only those who may query stock learn of any', async () => {
  expect((await statsOf('nobody')).body).toMatchObject({ totalProducts: 0, available: 0 })
  expect((await statsOf('nobody', 'inventory-service')).status).toBe(403)
})

test('what is held past its time is available at once, though nothing has happened', async () => {
  await product('lapsing', 12, { vendorId: 'Patient' })
  const lines = [{ sku: 'lapsing-1', quantity: 5 }]
  await inventory.execute({ type: 'reserve', reservationId: 'lapses', lines, ttlSeconds: 600 })
  expect((await statsOf('Patient')).body).toMatchObject({ limitedProducts: 1, reserved: 5, available: 7 })
  await engine.db`update inventory.reservations set expires_at = now() where id = 'lapses'`
  expect((await statsOf('Patient')).body).toEqual({
    vendorId: 'Patient',
    totalProducts: 1,
    availableProducts: 1,
    limitedProducts: 0,
    outOfStockProducts: 0,
    onHand: 12,
    reserved: 0,
    available: 12,
    categories: [{ category: 'Kettles', products: 1 }],
  })
})

test('an answer counts what was committed before it was asked for, whoever has counted or is counting', async () => {
  await product('prompt', 20, { vendorId: 'Prompt' })
  for (let units = 1; units <= 5; units++) {
    await inventory.execute({ type: 'set-quantity', sku: 'prompt-1', warehouseId: 'main', quantity: units })
    const [one, two] = await Promise.all([statsOf('Prompt'), statsOf('Prompt')])
    expect([one.body.onHand, two.body.onHand]).toEqual([units, units])
  }
})

const step = fc.oneof(
  fc.record({ do: fc.constant('sell' as const), product: fc.nat(3), quantity: fc.integer({ min: 0, max: 15 }) }),
  fc.record({ do: fc.constant('move' as const), product: fc.nat(3), vendor: fc.nat(1), category: fc.nat(1) }),
  fc.record({ do: fc.constant('hide' as const), product: fc.nat(3) }),
  fc.record({ do: fc.constant('delete' as const), product: fc.nat(3) }),
  fc.record({ do: fc.constant('swap SKUs' as const), product: fc.nat(2) }),
  fc.record({ do: fc.constant('count' as const) }),
  fc.record({ do: fc.constant('follow' as const) }),
)
let run = 0
/** As when so much has happened since it was counted that all products are looked at. */
async function lookedThrough(...vendors: string[]) {
  const undone = new Error('only to look')
  let stats: InventoryStats[] = []
  await engine.db
    .begin(async (tx) => {
      await tx`update vendors.counted set position = -1000000`
      stats = await Promise.all(vendors.map((vendor) => inventoryStatsOf(tx, vendor)))
      throw undone
    })
    .catch((error) => {
      if (error !== undone) throw error
    })
  return stats
}

test('counted at whatever moments, the sums are what a look at every product gives', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
      run++
      const vendor = (n: number) => `vendor-${run}-${n}`
      const put = (n: number, vendorId: string, sku: string, rest: Partial<ProductInput> = {}) =>
        catalog.execute({
          type: 'put',
          product: normalProduct({
            title: 'any',
            vendorId,
            category: 'One',
            variants: [{ sku, price: { amount: 100, currency: 'EUR' } }],
            ...rest,
            id: `any-${run}-${n}`,
          }),
        })
      for (let n = 0; n < 4; n++) await put(n, vendor(0), `${run}-${n}`)
      await engine.settle()
      const refused = (error: unknown) => expect(error).toBeInstanceOf(Rejected) // a SKU that is another's, a product that is gone
      const carryOut = async (each: (typeof steps)[number]) => {
        if (each.do === 'count') await countOnce(engine.db)
        else if (each.do === 'follow') await engine.settle()
        else if (each.do === 'move')
          await put(each.product, vendor(each.vendor), `${run}-${each.product}`, {
            category: each.category ? 'Two' : 'One',
          })
        else if (each.do === 'hide')
          await put(each.product, vendor(0), `${run}-${each.product}`, { isAvailable: false })
        else if (each.do === 'delete')
          await catalog.execute({ type: 'delete', productId: `any-${run}-${each.product}` })
        else if (each.do === 'swap SKUs') {
          await put(each.product, vendor(1), `${run}-${each.product}-new`)
          await put(each.product + 1, vendor(0), `${run}-${each.product}`)
        } else
          await inventory.execute({
            type: 'set-quantity',
            sku: `${run}-${each.product}`,
            warehouseId: 'main',
            quantity: each.quantity,
          })
      }
      for (const each of steps) {
        await carryOut(each).catch(refused)
        const both = [vendor(0), vendor(1)] as const
        expect(await Promise.all(both.map((one) => inventoryStatsOf(engine.db, one)))).toEqual(
          await lookedThrough(...both),
        )
      }
      await engine.settle()
      while (!(await countOnce(engine.db)));
      expect(await vendors.verify(engine.db)).toEqual([])
    }),
    { numRuns: 8 },
  )
})
