import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { type Auth, openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { App } from '../../engine/http.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { normalProduct, type ProductInput } from '../catalog/product.ts'
import { type CatalogService, catalogService } from '../catalog/service.ts'
import { type InventoryService, inventoryService } from '../inventory/service.ts'
import { vendorsService } from './service.ts'

let engine: TestEngine
let catalog: CatalogService
let inventory: InventoryService
let app: App
let auth: Auth

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(
    url,
    (to) => [catalogService(to), inventoryService(to, { reorderThreshold: 10 }), vendorsService(to)] as const,
  )
  engine = made.engine
  ;[catalog, inventory] = made.services
  auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  const parts = { settings: httpDefaults, auth, log: pino({ level: 'silent' }), metrics: new Registry(), version: '0' }
  app = await buildServer({ ...parts, services: [...made.services] })
})
afterAll(async () => {
  await app.close()
  await engine.close()
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
