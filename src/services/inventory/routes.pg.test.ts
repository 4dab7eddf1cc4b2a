import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingServices } from '../../../test/selling.ts'
import { type Auth, openAuth, type Role } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { App } from '../../engine/http.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { InventoryService } from './service.ts'
import { itemId } from './state.ts'
import { Sweeper } from './sweeper.ts'

let engine: TestEngine
let inventory: InventoryService
let app: App
let auth: Auth
const tokens: Partial<Record<Role, string>> = {}
const log = pino({ level: 'silent' })

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(url, sellingServices)
  engine = made.engine
  inventory = made.services[1]
  auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  app = await buildServer({
    settings: httpDefaults,
    auth,
    log,
    metrics: new Registry(),
    version: '0',
    services: [...made.services],
  })
  for (const role of ['ADMIN', 'product-service', 'inventory-service'] as const) {
    tokens[role] = await auth.issueToken({ role, subject: `a ${role}`, ttlSeconds: 600 })
  }
})
afterAll(async () => {
  await app.close()
  await engine.close()
})
// Whatever a test did: counters, ledger, reservations and log agree.
afterEach(async () => expect(await inventory.verify(engine.db)).toEqual([]))

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
async function call(method: Method, url: string, body?: object, headers: object = {}, role: Role = 'ADMIN') {
  const reply = await app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization: `Bearer ${tokens[role]}`, ...headers },
    ...(body && { payload: body }),
  })
  return { status: reply.statusCode, headers: reply.headers, body: reply.body === '' ? undefined : reply.json() }
}

let made = 0
/** A product with so many of each of its SKUs on hand. */
async function product(...onHand: number[]): Promise<{ id: string; skus: string[] }> {
  const id = `p${++made}`
  const skus = onHand.map((_, n) => `${id}-${n + 1}`)
  const variants = skus.map((sku) => ({ sku, price: { amount: 100, currency: 'EUR' } }))
  expect((await call('POST', '/products', { id, title: 'Kit', variants })).status).toBe(201)
  for (const [n, quantity] of onHand.entries()) {
    expect((await call('PATCH', `/products/${id}/inventory`, { sku: skus[n], quantity })).status).toBe(200)
  }
  return { id, skus }
}
const available = async (id: string) =>
  (await call('GET', `/products/${id}/inventory`)).body.items.map((item: { available: number }) => item.available)
const eventsOf = async (sku: string) =>
  (await engine.db`select type from lockstep.events where entity = ${`stock/${sku}`} order by version`).map(
    (row) => row.type,
  )

test('the count of a product made a moment ago can be set, before anybody followed it', async () => {
  const { id, skus } = await product(0)
  const [sku] = skus as [string]
  const { status, headers, body } = await call('PATCH', `/products/${id}/inventory`, { quantity: 7, reason: 'count' })
  expect(status).toBe(200)
  expect(body).toEqual({
    productId: id,
    sku,
    warehouseId: 'main',
    previousQuantity: 0,
    newQuantity: 7,
    available: 7,
    version: 2,
    syncToken: `stock/${sku}@2`,
  })
  expect(headers.etag).toBe('"2"')
  const same = await call('PATCH', `/products/${id}/inventory`, { quantity: 7 })
  expect(same.body).toMatchObject({ previousQuantity: 7, newQuantity: 7, version: 2 })
})

test('a count is refused without a role, for what is not there, and for what is no count', async () => {
  const { id, skus } = await product(1, 1)
  const path = `/products/${id}/inventory`
  const [sku] = skus
  expect((await call('PATCH', path, { sku, quantity: 1 }, {}, 'product-service')).status).toBe(403)
  expect((await call('PATCH', path, { sku, quantity: 1 }, { authorization: '' })).status).toBe(401)
  expect((await call('PATCH', '/products/none/inventory', { quantity: 1 })).status).toBe(404)
  expect((await call('PATCH', path, { sku: 'none', quantity: 1 })).status).toBe(404)
  expect((await call('PATCH', path, { sku, quantity: 1, warehouseId: 'none' })).status).toBe(404)
  expect((await call('PATCH', path, { quantity: 1 })).body.errors).toMatchObject([{ field: 'sku' }])
  for (const quantity of [-1, 1.5, 1e20, '1', null]) {
    const refused = await call('PATCH', path, { sku, quantity })
    expect([refused.status, refused.body.errors[0].field]).toEqual([422, 'quantity'])
  }
  expect((await call('PATCH', path, { sku, quantity: 1, colour: 'red' })).status).toBe(422)
  expect((await call('PATCH', path, { sku, quantity: 5 }, { 'if-match': '"1"' })).status).toBe(412)
  expect(await available(id)).toEqual([1, 1])
})

test('a reservation holds, is confirmed once, and can then not be released', async () => {
  const { id, skus } = await product(5)
  const [sku] = skus as [string]
  const held = await call('POST', '/reservations', { lines: [{ sku, quantity: 2 }], ttlSeconds: 60 })
  expect(held.status).toBe(201)
  const { reservationId, expiresAt } = held.body
  expect(held.body).toMatchObject({ status: 'held', lines: [{ sku, quantity: 2 }] })
  expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(50_000)
  expect((await call('GET', `/products/${id}/inventory`)).body.items[0]).toMatchObject({
    onHand: 5,
    reserved: 2,
    available: 3,
  })
  expect((await call('POST', '/orders', { lines: [{ sku, quantity: 4 }] })).status).toBe(409)

  const path = `/reservations/${reservationId}`
  const confirmed = await call('POST', `${path}/confirm`)
  expect(confirmed.body).toMatchObject({ reservationId, status: 'confirmed' })
  expect((await call('POST', `${path}/confirm`)).body).toEqual(confirmed.body)
  expect((await call('POST', `${path}/release`)).body.type).toBe('/problems/reservation-confirmed')
  expect((await call('GET', `/products/${id}/inventory`)).body.items[0]).toMatchObject({
    onHand: 3,
    reserved: 0,
    available: 3,
  })
  expect((await call('GET', path)).body).toMatchObject({ status: 'confirmed', lines: [{ sku, quantity: 2 }] })
})

test('a released reservation gives its units back, once', async () => {
  const { id, skus } = await product(5)
  const { body } = await call('POST', '/reservations', { lines: [{ sku: skus[0], quantity: 2 }] })
  const path = `/reservations/${body.reservationId}`
  for (let n = 0; n < 2; n++) expect((await call('POST', `${path}/release`)).body.status).toBe('released')
  expect(await available(id)).toEqual([5])
  expect((await call('POST', `${path}/confirm`)).body.type).toBe('/problems/reservation-released')
  expect((await call('POST', '/reservations/none/confirm')).status).toBe(404)
})

test('a reservation gives some units back, is held for longer, and sells the rest', async () => {
  const { id, skus } = await product(5, 5)
  const [one, two] = skus as [string, string]
  const lines = [
    { sku: one, quantity: 3 },
    { sku: two, quantity: 2 },
  ]
  const { body } = await call('POST', '/reservations', { lines, ttlSeconds: 60 })
  const path = `/reservations/${body.reservationId}`
  const less = await call('POST', `${path}/release`, { lines: [{ sku: one, quantity: 1 }, lines[1]] })
  expect(less.body).toMatchObject({ status: 'held', lines: [{ sku: one, quantity: 2 }] })
  expect(await available(id)).toEqual([3, 5])
  expect((await call('GET', path)).body.lines).toEqual([{ sku: one, warehouseId: 'main', quantity: 2 }])
  const beyond = await call('POST', `${path}/release`, { lines })
  expect([beyond.status, beyond.body.type]).toEqual([409, '/problems/release-exceeds-reservation'])

  const longer = await call('POST', `${path}/extend`, { ttlSeconds: 600 })
  expect(Date.parse(longer.body.expiresAt) - Date.parse(body.expiresAt)).toBeGreaterThan(500_000)
  expect((await call('POST', `${path}/extend`, { ttlSeconds: 60 })).body).toEqual(longer.body)
  expect((await call('GET', path)).body.expiresAt).toBe(longer.body.expiresAt)
  expect((await call('POST', `${path}/confirm`)).body.status).toBe('confirmed')
  expect(await available(id)).toEqual([3, 5])
})

test('a reservation whose time is over can not be held for longer', async () => {
  const { skus } = await product(5)
  const { body } = await call('POST', '/reservations', { lines: [{ sku: skus[0], quantity: 5 }] })
  await lapse(body.reservationId)
  const refused = await call('POST', `/reservations/${body.reservationId}/extend`, { ttlSeconds: 60 })
  expect(refused.body.type).toBe('/problems/reservation-expired')
})

/** As if its time had passed. */
const lapse = (reservationId: string) =>
  engine.db`update inventory.reservations set expires_at = now() - interval '1 second' where id = ${reservationId}`

test('an expired reservation counts no more, though nobody swept it', async () => {
  const { id, skus } = await product(5)
  const [sku] = skus as [string]
  const { body } = await call('POST', '/reservations', { lines: [{ sku, quantity: 5 }] })
  await lapse(body.reservationId)
  expect(await available(id)).toEqual([5])
  expect((await call('GET', `/reservations/${body.reservationId}`)).body.status).toBe('expired')
  expect((await call('POST', '/orders', { lines: [{ sku, quantity: 5 }] })).status).toBe(201)
  expect((await call('POST', `/reservations/${body.reservationId}/confirm`)).body.type).toBe(
    '/problems/reservation-expired',
  )
  expect(await available(id)).toEqual([0])
})

test('the sweeper gives back what forgotten reservations hold, in every SKU, and says so', async () => {
  const sweeper = new Sweeper(engine.db, inventory.execute, log)
  await sweeper.runOnce() // what other tests left
  const { id, skus } = await product(5, 5)
  const lines = skus.map((sku) => ({ sku, quantity: 5 }))
  const { body } = await call('POST', '/reservations', { lines })
  await lapse(body.reservationId)
  expect(await sweeper.runOnce()).toBe(1)
  expect(await sweeper.runOnce()).toBe(0)
  const levels = await engine.db`select reserved from inventory.levels where sku = any(${skus}::text[])`
  expect(levels.map((row) => row.reserved)).toEqual([0, 0])
  expect(await eventsOf(skus[1] as string)).toEqual([
    'stock.updated',
    'stock.updated',
    'stock.reserved',
    'stock.low',
    'stock.out',
    'stock.released',
    'stock.back',
  ])
  expect(await available(id)).toEqual([5, 5])
})

test('what is sold beyond the stock is shown, waits for goods, and is held to its limit by the table itself', async () => {
  const { id, skus } = await product(2)
  const [sku] = skus as [string]
  const path = `/inventory-items/${itemId(sku, 'main')}`
  expect((await call('PATCH', path, { backorderLimit: 3 })).body).toMatchObject({ backorderLimit: 3, available: 5 })
  expect((await call('POST', '/orders', { lines: [{ sku, quantity: 6 }] })).status).toBe(409)
  const orders = await Promise.all(
    [1, 2, 3, 4, 5, 6].map(() => call('POST', '/orders', { lines: [{ sku, quantity: 1 }] })),
  )
  expect(orders.filter(({ status }) => status === 201)).toHaveLength(5)
  const item = async () => (await call('GET', `/products/${id}/inventory`)).body.items[0]
  expect(await item()).toMatchObject({
    onHand: 0,
    backordered: 3,
    available: 0,
    levels: [{ onHand: 0, backordered: 3, backorderLimit: 3, available: 0 }],
  })
  expect((await call('PATCH', path, { backorderLimit: 2 })).body).toMatchObject({ status: 409, promised: 3 })
  await expect(engine.db`update inventory.levels set backordered = 4 where sku = ${sku}`).rejects.toThrow(
    /check constraint/,
  )
  await expect(engine.db`update inventory.levels set backorder = 2 where sku = ${sku}`).rejects.toThrow(
    /check constraint/,
  )

  // In one batch: the limit rises and is used, then the goods come and it falls.
  const limit = (backorderLimit: number) =>
    inventory.execute({ type: 'plan', sku, warehouseId: 'main', backorderLimit })
  const deliveryId = `to ${sku}`
  await Promise.all([
    limit(5),
    inventory.execute({ type: 'order', orderId: `of ${sku}`, lines: [{ sku, quantity: 2 }] }),
    inventory.execute({ type: 'announce', deliveryId, to: 'main', lines: [{ sku, quantity: 9 }] }),
  ])
  const asked = async (quantity: number) => (await call('GET', `${path}/availability?quantity=${quantity}`)).body.data
  expect(await asked(1)).toMatchObject({ isAvailable: false, availableQuantity: 0, backordered: 5 })
  await Promise.all([inventory.execute({ type: 'receive', deliveryId, kind: 'receipt' }), limit(1)])
  expect(await item()).toMatchObject({ onHand: 4, backordered: 0, available: 5, levels: [{ backorderLimit: 1 }] })
  expect(await asked(4)).toMatchObject({ isAvailable: true, leadTimeEstimate: '1-2 days' })
  expect(await asked(5)).toMatchObject({ isAvailable: true, leadTimeEstimate: null })
})

test('safety stock is kept back from orders and answers, by version, and thresholds decide what is low', async () => {
  const { id, skus } = await product(5)
  const [sku] = skus as [string]
  const path = `/inventory-items/${itemId(sku, 'main')}`
  const plan = { safetyStock: 2, reorderThreshold: 3, targetLevel: 9 }
  const { status, body, headers } = await call('PATCH', path, plan)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    sku,
    warehouseId: 'main',
    ...plan,
    available: 3,
    syncToken: `stock/${sku}@${body.version}`,
  })
  expect((await call('PATCH', path, plan)).headers.etag).toBe(headers.etag)
  expect((await call('GET', `/products/${id}/inventory`)).body.items[0]).toMatchObject({
    onHand: 5,
    available: 3,
    reorderThreshold: 3,
    targetLevel: 9,
    levels: [{ safetyStock: 2, available: 3 }],
  })
  expect((await call('GET', `/inventory-items/by-product/${id}`)).body.data).toMatchObject({
    totalQuantityAvailable: 3,
    isLowStock: true,
  })
  expect((await call('GET', `${path}/availability?quantity=4`)).body.data).toMatchObject({ isAvailable: false })
  expect((await call('POST', '/orders', { lines: [{ sku, quantity: 4 }] })).status).toBe(409)
  expect((await call('POST', '/orders', { lines: [{ sku, quantity: 3 }] })).status).toBe(201)

  expect((await call('PATCH', path, { safetyStock: 0 }, { 'if-match': '"1"' })).status).toBe(412)
  expect((await call('PATCH', path, { safetyStock: -1 })).status).toBe(422)
  expect((await call('PATCH', path, {})).status).toBe(422)
  expect((await call('PATCH', '/inventory-items/none', plan)).status).toBe(404)
  expect((await call('PATCH', path, plan, {}, 'product-service')).status).toBe(403)
})

test('a count can not go below what is reserved', async () => {
  const { id, skus } = await product(5)
  await call('POST', '/reservations', { lines: [{ sku: skus[0], quantity: 3 }] })
  const refused = await call('PATCH', `/products/${id}/inventory`, { quantity: 2 })
  expect(refused).toMatchObject({ status: 409, body: { type: '/problems/below-reserved', reserved: 3, requested: 2 } })
})

test('orders take from the preferred warehouse first and return to where they took from', async () => {
  expect((await call('POST', '/warehouses', { id: 'north', name: 'North', priority: -1 })).status).toBe(201)
  expect((await call('POST', '/warehouses', { id: 'north' })).status).toBe(409)
  const { id, skus } = await product(10)
  const [sku] = skus as [string]
  await call('PATCH', `/products/${id}/inventory`, { warehouseId: 'north', quantity: 2 })
  const { body } = await call('POST', '/orders', { lines: [{ sku, quantity: 3 }] })
  expect(body.lines[0].allocations).toEqual([
    { warehouseId: 'north', quantity: 2 },
    { warehouseId: 'main', quantity: 1 },
  ])
  await call('POST', `/orders/${body.orderId}/returns`, { lines: [{ sku, quantity: 2 }] })
  const { items } = (await call('GET', `/products/${id}/inventory`)).body
  expect(
    items[0].levels.map((level: { warehouseId: string; onHand: number }) => [level.warehouseId, level.onHand]),
  ).toEqual([
    ['north', 2],
    ['main', 9],
  ])
  expect((await call('PATCH', '/warehouses/north', { active: false })).body.type).toBe('/problems/warehouse-not-empty')
  await call('PATCH', `/products/${id}/inventory`, { warehouseId: 'north', quantity: 0 })
  const renamed = await call('PATCH', '/warehouses/north', {
    active: false,
    name: 'Old north',
    leadTimeDays: { min: 2, max: 5 },
  })
  expect(renamed.body).toMatchObject({
    id: 'north',
    name: 'Old north',
    active: false,
    leadTimeDays: { min: 2, max: 5 },
  })
  const other = await product(1)
  const refused = await call('PATCH', `/products/${other.id}/inventory`, { warehouseId: 'north', quantity: 1 })
  expect(refused.body.type).toBe('/problems/inactive-warehouse')
  expect((await call('GET', '/warehouses', undefined, {}, 'product-service')).body.items[0]).toMatchObject({
    id: 'north',
  })
})

test('document C’s two answers are to the letter, for product-service too', async () => {
  const { id, skus } = await product(90)
  const [sku] = skus as [string]
  await call('POST', '/reservations', { lines: [{ sku, quantity: 5 }] })
  const all = await call('GET', `/inventory-items/by-product/${id}`, undefined, {}, 'product-service')
  const inventoryItemId = all.body.data.warehouseInventory[0].inventoryItemId
  expect(all.body).toEqual({
    success: true,
    data: {
      totalQuantityAvailable: 85,
      totalQuantityReserved: 5,
      isLowStock: false,
      isOutOfStock: false,
      warehouseInventory: [
        {
          inventoryItemId,
          warehouseId: 'main',
          warehouseName: 'Main warehouse',
          quantityAvailable: 85,
          quantityReserved: 5,
        },
      ],
    },
  })
  expect(inventoryItemId).toMatch(/^inv_/)
  const path = `/inventory-items/${inventoryItemId}/availability`
  expect((await call('GET', `${path}?quantity=10`, undefined, {}, 'product-service')).body).toEqual({
    success: true,
    data: {
      isAvailable: true,
      availableQuantity: 85,
      requestedQuantity: 10,
      leadTimeEstimate: '1-2 days',
      restockExpected: null,
    },
  })
  expect((await call('GET', `${path}?quantity=86&checkAllWarehouses=false`)).body.data).toMatchObject({
    isAvailable: false,
    leadTimeEstimate: null,
  })
  expect((await call('GET', path)).body.data.requestedQuantity).toBe(1)
  for (const quantity of ['0', '-1', '1.5', 'x', '1e20'])
    expect((await call('GET', `${path}?quantity=${quantity}`)).status).toBe(400)
  expect((await call('GET', '/inventory-items/none/availability')).status).toBe(404)
  expect((await call('GET', '/inventory-items/by-product/none')).status).toBe(404)
  expect((await call('GET', path, undefined, {}, 'inventory-service')).status).toBe(403)
})

test('the ledger shows every movement with its balance, page by page, over all SKUs', async () => {
  const { id, skus } = await product(5, 3)
  const { orderId } = (await call('POST', '/orders', { lines: [{ sku: skus[0], quantity: 2 }] })).body
  const first = (await call('GET', `/products/${id}/ledger?limit=2`)).body
  expect(first.items[0]).toMatchObject({
    sku: skus[0],
    warehouseId: 'main',
    onHandDelta: -2,
    reservedDelta: 0,
    onHand: 3,
    trigger: 'ORDER_CONFIRMED',
    referenceType: 'ORDER',
    reference: orderId,
    actor: 'a ADMIN',
  })
  const rest = (await call('GET', `/products/${id}/ledger?limit=10&cursor=${first.next}`)).body
  expect(rest.next).toBeUndefined()
  const balances = [...first.items, ...rest.items].filter((row) => row.sku === skus[0]).map((row) => row.onHand)
  expect(balances).toEqual([3, 5, 0])
  expect([...first.items, ...rest.items]).toHaveLength(5)
  expect((await call('GET', `/products/${id}/ledger?sku=${skus[1]}`)).body.items).toHaveLength(2)
})
