import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingServices } from '../../../test/selling.ts'
import { type TestServer, testServer } from '../../app/http/server-testing.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { InventoryService } from './service.ts'
import { itemId } from './state.ts'

let engine: TestEngine
let inventory: InventoryService
let server: TestServer
let authorization: string

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(url, sellingServices)
  engine = made.engine
  const [, stock, orders] = made.services
  inventory = stock
  server = await testServer({
    shop: false,
    routes: (app) => [stock, orders].forEach((service) => void service.routes?.(app)),
  })
  authorization = `Bearer ${await server.token()}`
  for (const [n, id] of ['north', 'south'].entries()) {
    expect((await call('POST', '/warehouses', { id, priority: n + 1 })).status).toBe(201)
  }
})
afterAll(async () => {
  await server.app.close()
  await engine.close()
})
// Whatever a test did: no unit has vanished.
afterEach(async () => expect(await inventory.verify(engine.db)).toEqual([]))

async function call(method: 'GET' | 'POST' | 'PATCH', url: string, body?: object, headers: object = {}) {
  const reply = await server.app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization, ...headers },
    ...(body && { payload: body }),
  })
  return { status: reply.statusCode, body: reply.json(), headers: reply.headers }
}

let made = 0
let sku: string
let productId: string
beforeEach(async () => {
  sku = `S${++made}`
  productId = `p-${sku}`
  await inventory.execute({ type: 'set-initial', sku, productId, warehouseId: 'north', quantity: 10 })
})
/** Units in each warehouse that has a level. */
const levels = async () => {
  const { body } = await call('GET', `/products/${productId}/inventory`)
  const each = body.items[0].levels.map((one: { warehouseId: string; onHand: number }) => [one.warehouseId, one.onHand])
  return Object.fromEntries(each)
}
const eventsOf = async (of: string) =>
  (await engine.db`select type from lockstep.events where entity = ${`stock/${of}`} order by version`).map(
    (row) => row.type,
  )
const ahead = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()
const ship = (quantity: number, more: object = {}) =>
  call('POST', '/transfers', { from: 'north', to: 'south', lines: [{ sku, quantity }], ...more })

test('a transfer leaves one warehouse at once and reaches the other in parts', async () => {
  const shipped = await ship(7, { reference: 'truck 9' })
  expect(shipped.status).toBe(201)
  const path = `/transfers/${shipped.body.transferId}`
  expect(shipped.headers.location).toBe(`/v1${path}`)
  expect(shipped.body).toEqual({
    transferId: expect.any(String),
    from: 'north',
    to: 'south',
    status: 'shipped',
    reference: 'truck 9',
    lines: [{ sku, quantity: 7, received: 0 }],
  })
  expect(await levels()).toEqual({ north: 3 })
  expect((await call('GET', `/products/${productId}/inventory`)).body.items[0]).toMatchObject({
    available: 3,
    incoming: 7,
    restockExpected: null,
  })
  expect((await call('POST', '/orders', { lines: [{ sku, quantity: 4 }] })).status).toBe(409)

  const some = await call('POST', `${path}/receive`, { lines: [{ sku, quantity: 2 }] })
  expect(some.body).toMatchObject({ status: 'shipped', lines: [{ sku, quantity: 7, received: 2 }] })
  expect(await levels()).toEqual({ north: 3, south: 2 })
  const beyond = await call('POST', `${path}/receive`, { lines: [{ sku, quantity: 6 }] })
  expect([beyond.status, beyond.body.lines]).toEqual([409, [{ sku, requested: 6, underWay: 5 }]])

  const all = await call('POST', `${path}/receive`)
  expect(all.body).toMatchObject({ status: 'received', lines: [{ sku, received: 7 }] })
  expect((await call('POST', `${path}/receive`, {})).body).toEqual(all.body)
  expect((await call('GET', path)).body).toEqual(all.body)
  expect((await call('POST', `${path}/cancel`)).body.type).toBe('/problems/delivery-received')
  expect(await levels()).toEqual({ north: 3, south: 7 })
  expect((await call('GET', `/products/${productId}/ledger`)).body.items[0]).toMatchObject({
    referenceType: 'TRANSFER',
    reference: shipped.body.transferId,
    reason: 'truck 9',
    onHandDelta: 5,
  })
})

test('a cancelled transfer’s goods are back, but those that have arrived', async () => {
  const path = `/transfers/${(await ship(6)).body.transferId}`
  await call('POST', `${path}/receive`, { lines: [{ sku, quantity: 1 }] })
  const cancelled = await call('POST', `${path}/cancel`)
  expect(cancelled.body).toMatchObject({ status: 'cancelled', lines: [{ sku, quantity: 6, received: 1 }] })
  expect((await call('POST', `${path}/cancel`)).body).toEqual(cancelled.body)
  expect((await call('POST', `${path}/receive`)).body.type).toBe('/problems/delivery-cancelled')
  expect(await levels()).toEqual({ north: 9, south: 1 })
})

test('a transfer to itself, from or to what is no warehouse or not in use, of unknown or too many units is refused', async () => {
  const refused = async (status: number, type: string, more: object) => {
    const reply = await ship(1, more)
    expect([reply.status, reply.body.type]).toEqual([status, `/problems/${type}`])
  }
  await refused(422, 'transfer-to-itself', { to: 'north' })
  await refused(404, 'not-found', { to: 'nowhere' })
  await refused(404, 'not-found', { from: 'nowhere' })
  await refused(422, 'unknown-sku', { lines: [{ sku: 'none', quantity: 1 }] })
  await refused(409, 'insufficient-stock', { lines: [{ sku, quantity: 11 }] })
  await refused(422, 'invalid-request', { expectedAt: '0000-01-01T00:00:00Z' })
  await call('POST', '/warehouses', { id: `closed-${sku}` })
  await call('PATCH', `/warehouses/closed-${sku}`, { active: false })
  await refused(409, 'inactive-warehouse', { to: `closed-${sku}` })
  await call('POST', '/reservations', { lines: [{ sku, quantity: 8 }] })
  await refused(409, 'insufficient-stock', { lines: [{ sku, quantity: 3 }] })
  expect(await levels()).toEqual({ north: 10 })
})

test('a transfer sent again with its key ships once', async () => {
  const key = { 'idempotency-key': `ship-${sku}` }
  const send = () => call('POST', '/transfers', { from: 'north', to: 'south', lines: [{ sku, quantity: 4 }] }, key)
  const first = await send()
  expect((await send()).body).toEqual(first.body)
  expect(await levels()).toEqual({ north: 6 })
})

test('a warehouse that goods are under way to stays in use', async () => {
  const id = `w-${sku}`
  await call('POST', '/warehouses', { id })
  const path = `/transfers/${(await ship(1, { to: id })).body.transferId}`
  const refused = await call('PATCH', `/warehouses/${id}`, { active: false })
  expect([refused.status, refused.body.type]).toEqual([409, '/problems/warehouse-not-empty'])
  await call('POST', `${path}/cancel`)
  expect((await call('PATCH', `/warehouses/${id}`, { active: false })).status).toBe(200)
})

test('what is expected from a supplier tells when an item is back, and arrives in parts', async () => {
  const availability = async (quantity: number, more = '') =>
    (await call('GET', `/inventory-items/${itemId(sku, 'north')}/availability?quantity=${quantity}${more}`)).body.data
  const receipt = (warehouse: string, days: number) =>
    call('POST', `/warehouses/${warehouse}/receipts`, {
      reference: `PO-${days}`,
      expectedAt: ahead(days),
      lines: [{ sku, quantity: 5 }],
    })
  const late = (await receipt('north', 9)).body
  const soon = (await receipt('south', 4)).body
  await receipt('south', -1) // overdue: it promises nothing
  expect(late).toMatchObject({ warehouseId: 'north', status: 'expected', reference: 'PO-9' })
  expect(await availability(10)).toMatchObject({
    isAvailable: true,
    leadTimeEstimate: '1-2 days',
    restockExpected: null,
  })
  expect(await availability(11)).toMatchObject({ isAvailable: false, restockExpected: soon.expectedAt })
  expect(await availability(11, '&checkAllWarehouses=false')).toMatchObject({ restockExpected: late.expectedAt })
  expect(await inventory.ofProduct(productId)).toMatchObject({ restockExpected: soon.expectedAt })

  const path = `/receipts/${soon.receiptId}`
  expect((await call('POST', `${path}/receive`, { lines: [{ sku, quantity: 2 }] })).body.status).toBe('expected')
  expect((await call('POST', `${path}/cancel`)).body).toMatchObject({
    status: 'cancelled',
    lines: [{ sku, quantity: 5, received: 2 }],
  })
  expect(await levels()).toEqual({ north: 10, south: 2 })
  expect(await availability(13)).toMatchObject({ restockExpected: late.expectedAt })
  expect((await call('POST', `/receipts/${late.receiptId}/receive`)).body.status).toBe('received')
  expect(await availability(18)).toMatchObject({ availableQuantity: 17, restockExpected: null })
  expect((await call('GET', `/products/${productId}/ledger`)).body.items[0]).toMatchObject({
    referenceType: 'PURCHASE_ORDER',
    reference: 'PO-9',
    onHandDelta: 5,
  })
  expect(await eventsOf(sku)).toEqual([
    'stock.updated',
    'stock.expected',
    'stock.expected',
    'stock.expected',
    'stock.updated',
    'stock.expected',
    'stock.updated',
  ])
})

test('a receipt is no transfer, and is refused for what nobody knows', async () => {
  const body = { reference: 'PO-1', expectedAt: ahead(1), lines: [{ sku, quantity: 1 }] }
  const { receiptId } = (await call('POST', '/warehouses/north/receipts', body)).body
  for (const reference of ['', 'PO\u001e1', 'PO\n1']) {
    expect((await call('POST', '/warehouses/north/receipts', { ...body, reference })).status).toBe(422)
  }
  expect((await call('POST', '/warehouses/north/receipts', { ...body, reference: 'PO/2026 #1' })).status).toBe(201)
  expect((await call('GET', `/transfers/${receiptId}`)).status).toBe(404)
  expect((await call('POST', `/transfers/${receiptId}/receive`)).status).toBe(404)
  expect((await call('POST', '/receipts/none/receive')).status).toBe(404)
  expect((await call('POST', '/warehouses/nowhere/receipts', body)).status).toBe(404)
  const unknown = { ...body, lines: [{ sku: 'none', quantity: 1 }] }
  expect((await call('POST', '/warehouses/north/receipts', unknown)).status).toBe(422)
})

test('a delivery received from many sides at once is received once', async () => {
  const path = `/transfers/${(await ship(10)).body.transferId}`
  const lines = [{ sku, quantity: 1 }]
  const replies = await Promise.all([
    ...Array.from({ length: 12 }, () => call('POST', `${path}/receive`, { lines })),
    call('POST', `${path}/cancel`),
  ])
  expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([200, 409]))
  const { north = 0, south = 0 } = await levels()
  expect(north + south).toBe(10)
})
