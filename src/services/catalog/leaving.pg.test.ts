import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingServices } from '../../../test/selling.ts'
import { type TestServer, testServer } from '../../app/http/server-testing.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { InventoryService } from '../inventory/service.ts'
import { normalProduct } from './product.ts'
import type { CatalogService } from './service.ts'

let engine: TestEngine
let catalog: CatalogService
let inventory: InventoryService
let server: TestServer
let authorization: string

beforeAll(async () => {
  const made = await testEngine((await createTestDatabase()).url, sellingServices)
  engine = made.engine
  ;[catalog, inventory] = made.services
  server = await testServer({
    shop: false,
    routes: (app) => made.services.forEach((service) => void service.routes?.(app)),
  })
  authorization = `Bearer ${await server.token()}`
})
afterAll(async () => {
  await engine.settle()
  expect(await inventory.verify(engine.db)).toEqual([])
  await server.app.close()
  await engine.close()
})

async function call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, body?: object, headers: object = {}) {
  const more = { headers: { authorization, ...headers }, ...(body && { payload: body }) }
  const reply = await server.app.inject({ method, url: `/v1${url}`, ...more })
  return { status: reply.statusCode, body: reply.body === '' ? undefined : reply.json() }
}

const price = { amount: 1000, currency: 'EUR' }
let made = 0
let id: string
let [a, b]: [string, string] = ['', '']
/** A product with two variants, five of each on hand, known to all. From here on nobody hears of anything until `settle`. */
beforeEach(async () => {
  id = `p${++made}`
  ;[a, b] = [`${id}-a`, `${id}-b`]
  const variants = [a, b].map((sku) => ({ sku, price }))
  await call('POST', '/products', { id, title: 'Kit', variants })
  await engine.settle()
  for (const sku of [a, b]) await call('PATCH', `/products/${id}/inventory`, { sku, quantity: 5 })
  await engine.settle()
})
const order = (sku: string, more: object = {}, headers: object = {}) =>
  call('POST', '/orders', { lines: [{ sku, quantity: 1, ...more }] }, headers)
const reserve = (sku: string) => call('POST', '/reservations', { lines: [{ sku, quantity: 1 }] })
const quote = (sku: string) => call('POST', '/pricing/quote', { lines: [{ sku, quantity: 1 }] })
const inactive = (sku: string) => ({ status: 409, body: { type: '/problems/inactive-sku', lines: [{ sku }] } })
const stockEvents = async () =>
  (await engine.db`select entity from lockstep.events where key = ${id} and type = 'stock.updated' order by position`)
    .length

test('right behind its deletion a product is neither sold nor reserved, though inventory is yet to hear of it', async () => {
  expect((await call('DELETE', `/products/${id}`)).status).toBe(204)
  for (const sku of [a, b]) {
    expect(await order(sku)).toMatchObject(inactive(sku))
    expect(await order(sku, { unitPrice: price })).toMatchObject(inactive(sku))
    expect(await reserve(sku)).toMatchObject(inactive(sku))
  }
  const told = await stockEvents()
  await engine.settle()
  expect(await stockEvents()).toBe(told) // hearing of it, inventory finds it done
})

test('a variant that its product loses is sold no more from then on, the others are', async () => {
  const lost = { variants: [{ sku: a, price }], stock: [{ sku: a, quantity: 3 }] }
  expect((await call('PATCH', `/products/${id}`, lost)).status).toBe(200)
  expect(await order(b)).toMatchObject(inactive(b))
  expect(await reserve(b)).toMatchObject(inactive(b))
  expect((await order(a)).status).toBe(201)
  await call('PATCH', `/products/${id}`, { variants: [{ sku: b, price }] })
  expect(await reserve(a)).toMatchObject(inactive(a))
  await engine.settle()
  expect((await order(b)).status).toBe(201)
})

test('a variant that is not in what an import puts is sold no more from then on, and a product may get it in the same file', async () => {
  const put = (productId: string, ...skus: string[]) =>
    catalog.execute({
      type: 'put',
      product: normalProduct({ id: productId, title: 'Kit', variants: skus.map((sku) => ({ sku, price })) }),
    })
  expect((await put(id, a)).answer.outcome).toBe('updated')
  expect(await order(b)).toMatchObject(inactive(b))
  expect(await reserve(b)).toMatchObject(inactive(b))
  expect((await order(a)).status).toBe(201)
  const told = await stockEvents()
  await engine.settle()
  expect(await stockEvents()).toBe(told)
  await put(id, a, b)
  await engine.settle()
  expect((await order(b)).status).toBe(201)
  // One loses it and another gets it, both under way at once: carried out in their order.
  const outcomes = await Promise.all([put(id, a), put(`other-${id}`, b)])
  expect(outcomes.map(({ answer }) => answer.outcome)).toEqual(['updated', 'created'])
})

test.each([
  'archived',
  'draft',
])('what is %s is not for sale at once: not ordered, at whatever price, not reserved, not quoted', async (status) => {
  const key = { 'idempotency-key': `before-${id}` }
  const before = await order(a, {}, key)
  expect(before.status).toBe(201)
  expect((await call('PATCH', `/products/${id}`, { status })).status).toBe(200)
  for (const refused of [await order(a), await order(a, { unitPrice: price }), await reserve(a), await quote(a)])
    expect(refused).toMatchObject(inactive(a))
  // What was sold before is answered as then, and who brings an order of old says so.
  expect(await order(a, {}, key)).toEqual(before)
  const old = { lines: [{ sku: a, quantity: 1, unitPrice: price }], imported: true }
  expect((await call('POST', '/orders', old)).status).toBe(201)
  await call('PATCH', `/products/${id}`, { status: 'active' })
  expect([(await order(a)).status, (await reserve(a)).status]).toEqual([201, 201])
})

test('deleted while it is being ordered, it is sold to those before and refused to those behind, never to more', async () => {
  const orders = Array.from({ length: 12 }, () => order(a))
  const [deleted, ...answers] = await Promise.all([call('DELETE', `/products/${id}`), ...orders])
  expect(deleted.status).toBe(204)
  const sold = answers.filter(({ status }) => status === 201).length
  expect(sold).toBeLessThanOrEqual(5)
  for (const { status } of answers) expect([201, 409]).toContain(status)
  const [level] = await engine.db<{ onHand: number }>`select on_hand as "onHand" from inventory.levels where sku = ${a}`
  expect(level?.onHand).toBe(5 - sold)
})

test('a deletion that is refused leaves its stock as it is; said again under its key it is the same one', async () => {
  const stale = await call('DELETE', `/products/${id}`, undefined, { 'if-match': '"99"' })
  expect(stale).toMatchObject({ status: 412, body: { type: '/problems/version-mismatch' } })
  expect((await order(a)).status).toBe(201)
  const key = { 'idempotency-key': `delete-${id}` }
  const twice = [
    await call('DELETE', `/products/${id}`, undefined, key),
    await call('DELETE', `/products/${id}`, undefined, key),
  ]
  expect(twice.map(({ status }) => status)).toEqual([204, 204])
  expect((await call('DELETE', `/products/${id}`)).status).toBe(404)
})
