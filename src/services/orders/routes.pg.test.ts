import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingServices } from '../../../test/selling.ts'
import { type TestServer, testServer } from '../../app/http/server-testing.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { InventoryService } from '../inventory/service.ts'
import type { PricingService } from '../pricing/service.ts'
import type { OrdersService } from './service.ts'

let engine: TestEngine
let inventory: InventoryService
let orders: OrdersService
let pricing: PricingService
let server: TestServer
let authorization: string

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(url, sellingServices)
  engine = made.engine
  ;[, inventory, orders, pricing] = made.services
  server = await testServer({
    shop: false,
    routes: (app) => made.services.forEach((service) => void service.routes?.(app)),
  })
  authorization = `Bearer ${await server.token()}`
})
afterAll(async () => {
  await server.app.close()
  await engine.close()
})
// Whatever a test did: orders, ledger, counters and log agree.
afterEach(async () => expect([...(await orders.verify(engine.db)), ...(await inventory.verify(engine.db))]).toEqual([]))

async function call(method: 'GET' | 'POST' | 'PATCH', url: string, body?: object, headers: object = {}) {
  const reply = await server.app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization, ...headers },
    ...(body && { payload: body }),
  })
  return { status: reply.statusCode, headers: reply.headers, body: reply.json() }
}

let made = 0
/** A product at 1.00 EUR, with so many of each of its SKUs on hand. */
async function product(...onHand: number[]): Promise<{ id: string; skus: string[] }> {
  const id = `p${++made}`
  const skus = onHand.map((_, n) => `${id}-${n + 1}`)
  const variants = skus.map((sku) => ({ sku, price: { amount: 100, currency: 'EUR' } }))
  expect((await call('POST', '/products', { id, title: 'Kit', variants })).status).toBe(201)
  for (const [n, quantity] of onHand.entries()) {
    expect((await call('PATCH', `/products/${id}/inventory`, { sku: skus[n], quantity })).status).toBe(200)
  }
  await engine.settle()
  return { id, skus }
}
const available = async (id: string) =>
  (await call('GET', `/products/${id}/inventory`)).body.items.map((item: { available: number }) => item.available)
const eventsOf = async (entity: string) =>
  (await engine.db`select type from lockstep.events where entity = ${entity} order by version`).map((row) => row.type)
const main = (quantity: number) => [{ warehouseId: 'main', quantity }]
const price = { amount: 100, currency: 'EUR' }

test('an order takes all lines or none, its repeated lines summed', async () => {
  const { id, skus } = await product(5, 1)
  const [many, one] = skus as [string, string]
  const short = await call('POST', '/orders', {
    orderId: `short-${id}`,
    lines: [
      { sku: many, quantity: 1 },
      { sku: one, quantity: 2 },
    ],
  })
  expect(short.status).toBe(409)
  expect(short.body).toMatchObject({
    type: '/problems/insufficient-stock',
    orderId: `short-${id}`,
    lines: [{ sku: one, requested: 2, available: 1 }],
  })
  expect(await available(id)).toEqual([5, 1])
  expect(await eventsOf(`stock/${one}`)).toEqual(['stock.updated', 'stock.updated', 'stock.update.failed'])
  expect(await eventsOf(`order/short-${id}`)).toEqual([])

  const lines = [
    { sku: many, quantity: 2 },
    { sku: one, quantity: 1 },
    { sku: many, quantity: 3 },
  ]
  const orderId = `o-${id}`
  const placed = await call('POST', '/orders', { orderId, customerId: 'c1', lines })
  expect(placed.status).toBe(201)
  expect(placed.headers.location).toBe(`/v1/orders/${orderId}`)
  expect(placed.body).toEqual({
    orderId,
    status: 'confirmed',
    customerId: 'c1',
    lines: [
      { sku: many, productId: id, quantity: 5, unitPrice: price, allocations: main(5) },
      { sku: one, productId: id, quantity: 1, unitPrice: price, allocations: main(1) },
    ],
    totals: [{ amount: 600, currency: 'EUR' }],
    shipments: [
      {
        warehouseId: 'main',
        lines: [
          { sku: many, quantity: 5 },
          { sku: one, quantity: 1 },
        ],
      },
    ],
    version: 1,
    syncToken: `order/${orderId}@1`,
  })
  expect(await available(id)).toEqual([0, 0])
})

test('an order and the stock it takes are one transaction, each told by its owner', async () => {
  const { skus } = await product(5)
  const { orderId } = (await call('POST', '/orders', { lines: [{ sku: skus[0], quantity: 2 }] })).body
  const rows = await engine.db`
    select e.type, e.source, e.at = min(e.at) over () as together
    from   lockstep.events e
    where  e.entity = ${`order/${orderId}`} or e.data ->> 'reference' = ${orderId}
    order  by position`
  expect(rows).toEqual([
    { type: 'stock.updated', source: 'inventory', together: true },
    { type: 'order.created', source: 'orders', together: true },
  ])
})

test('of two orders for the last unit one wins and the other is told so', async () => {
  const { skus } = await product(1)
  const lines = [{ sku: skus[0], quantity: 1 }]
  const both = await Promise.all([call('POST', '/orders', { lines }), call('POST', '/orders', { lines })])
  expect(both.map((reply) => reply.status).sort()).toEqual([201, 409])
  expect(both.find((reply) => reply.status === 409)?.body.lines).toEqual([{ sku: skus[0], requested: 1, available: 0 }])
})

test('an order id is taken once: again it is the same order, under another key or with other lines it is none', async () => {
  const { id, skus } = await product(10)
  const body = { orderId: `o-${id}`, lines: [{ sku: skus[0], quantity: 1 }] }
  const first = await call('POST', '/orders', body)
  expect((await call('POST', '/orders', body)).body).toEqual(first.body)
  const more = { ...body, lines: [{ sku: skus[0], quantity: 2 }] }
  expect((await call('POST', '/orders', more)).body.type).toBe('/problems/idempotency-key-reused')
  expect((await call('POST', '/orders', body, { 'idempotency-key': 'k' })).body.type).toBe('/problems/already-exists')
  expect(await available(id)).toEqual([9])
})

test('an order without an id, sent again under its key, is the same order', async () => {
  const { id, skus } = await product(10)
  const body = { lines: [{ sku: skus[0], quantity: 1 }] }
  const key = { 'idempotency-key': `key-${id}` }
  const [first, again] = [await call('POST', '/orders', body, key), await call('POST', '/orders', body, key)]
  expect(again.body).toEqual(first.body)
  expect(await available(id)).toEqual([9])
})

test('an order taken by inventory alone before there were orders is the same order under its key', async () => {
  const { id, skus } = await product(10)
  const lines = [{ sku: skus[0] as string, quantity: 1 }]
  const body = { orderId: `old-${id}`, lines }
  const options = { key: `order:old-${id}`, actor: 'tester', fingerprint: `order ${JSON.stringify(body)}` }
  await inventory.execute({ type: 'order', orderId: `old-${id}`, lines }, options)
  expect(await call('POST', '/orders', body)).toMatchObject({ status: 201, body: { orderId: `old-${id}` } })
  expect(await available(id)).toEqual([9])
  const cancelled = await call('POST', `/orders/old-${id}/cancel`)
  expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled', lines: [{ quantity: 1 }] } })
  expect(await available(id)).toEqual([10])
})

test('orders that make no sense are refused with the field, and nothing is taken', async () => {
  const { id, skus } = await product(10)
  const [sku] = skus
  for (const quantity of [0, -1, 1.5, 1e20, '1']) {
    const refused = await call('POST', '/orders', { lines: [{ sku, quantity }] })
    expect([refused.status, refused.body.errors[0].field]).toEqual([422, 'lines.0.quantity'])
  }
  expect((await call('POST', '/orders', { lines: [] })).status).toBe(422)
  expect((await call('POST', '/orders', { lines: [{ sku: '../x', quantity: 1 }] })).status).toBe(422)
  for (const unitPrice of [{ amount: -1, currency: 'EUR' }, { amount: 2 ** 53, currency: 'EUR' }, { amount: 1 }, 5]) {
    expect((await call('POST', '/orders', { lines: [{ sku, quantity: 1, unitPrice }] })).status).toBe(422)
  }
  const two = [1, 2].map((amount) => ({ sku, quantity: 1, unitPrice: { amount, currency: 'EUR' } }))
  expect((await call('POST', '/orders', { lines: two })).body.type).toBe('/problems/price-conflict')
  const unknown = await call('POST', '/orders', {
    lines: [
      { sku, quantity: 1 },
      { sku: 'none', quantity: 1 },
    ],
  })
  expect([unknown.status, unknown.body.lines]).toEqual([422, [{ sku: 'none', quantity: 1 }]])
  expect(await available(id)).toEqual([10])
})

test('an order is sold at the price of the moment, at the one given, or at none', async () => {
  const { id, skus } = await product(10)
  const [sku] = skus
  const effect = { percentOff: 20 }
  const times = { startsAt: '2020-01-01T00:00:00.000Z', endsAt: '2099-01-01T00:00:00.000Z' }
  const promotion = { id: `sale-${id}`, name: 'Sale', scope: { products: [id] }, effect, ...times }
  await pricing.execute({ type: 'create-promotion', promotion })
  const priceOf = async (unitPrice?: object | null) =>
    (await call('POST', '/orders', { lines: [{ sku, quantity: 1, unitPrice }] })).body.lines[0].unitPrice
  expect(await priceOf()).toEqual({ amount: 80, currency: 'EUR' })
  expect(await priceOf({ amount: 5, currency: 'SEK' })).toEqual({ amount: 5, currency: 'SEK' })
  expect(await priceOf(null)).toBe(null)

  await inventory.execute({ type: 'set-initial', sku: 'unpriced', productId: 'x', warehouseId: 'main', quantity: 1 })
  const unpriced = await call('POST', '/orders', { lines: [{ sku: 'unpriced', quantity: 1 }] })
  expect(unpriced.body).toMatchObject({ status: 'confirmed', lines: [{ unitPrice: null }], totals: [] })
})

test('an order can be read, returned in part, never beyond what it has, and cancelled', async () => {
  const { id, skus } = await product(10)
  const [sku] = skus as [string]
  const { orderId } = (await call('POST', '/orders', { lines: [{ sku, quantity: 4 }] })).body
  const path = `/orders/${orderId}`
  expect((await call('GET', path)).body).toMatchObject({ orderId, status: 'confirmed', lines: [{ sku, quantity: 4 }] })

  const part = { returnId: 'r1', lines: [{ sku, quantity: 1 }] }
  const returned = await call('POST', `${path}/returns`, part)
  expect(returned.body).toMatchObject({
    orderId,
    returnId: 'r1',
    status: 'partly-returned',
    lines: [{ sku, quantity: 1 }],
  })
  expect((await call('POST', `${path}/returns`, part)).body).toEqual(returned.body)
  expect(await available(id)).toEqual([7])
  const beyond = await call('POST', `${path}/returns`, { lines: [{ sku, quantity: 4 }] })
  expect([beyond.status, beyond.body.lines]).toEqual([409, [{ sku, requested: 4, returnable: 3 }]])

  const cancel = await call('POST', `${path}/cancel`, { reason: 'changed my mind' })
  expect(cancel.body).toMatchObject({ status: 'cancelled', lines: [{ sku, quantity: 3 }] })
  expect((await call('POST', `${path}/cancel`)).body).toMatchObject({ status: 'cancelled', lines: [] })
  expect(await available(id)).toEqual([10])
  const seen = await call('GET', path)
  expect(seen.headers.etag).toBe('"3"')
  expect(seen.body).toMatchObject({
    status: 'cancelled',
    lines: [{ sku, ordered: 4, returned: 4, quantity: 0 }],
    history: [
      { status: 'confirmed', actor: 'tester', reason: null },
      { status: 'partly-returned' },
      { status: 'cancelled', reason: 'changed my mind' },
    ],
    syncToken: `order/${orderId}@3`,
  })
  expect((await call('GET', '/orders/none')).status).toBe(404)
  expect((await call('POST', '/orders/none/cancel', {})).status).toBe(404)
  expect((await call('POST', '/orders/none/status', { status: 'paid' })).status).toBe(404)
})

test('an order is paid, fulfilled and returned; what it can’t become is refused, and who saw an older version too', async () => {
  const { id, skus } = await product(2)
  const { orderId } = (await call('POST', '/orders', { lines: [{ sku: skus[0], quantity: 2 }] })).body
  const path = `/orders/${orderId}`
  expect((await call('POST', `${path}/status`, { status: 'shipped' })).status).toBe(422)
  expect((await call('POST', `${path}/status`, { status: 'paid' })).body).toMatchObject({ status: 'paid', version: 2 })
  const stale = await call('POST', `${path}/status`, { status: 'fulfilled' }, { 'if-match': '"1"' })
  expect(stale.status).toBe(412)
  expect((await call('POST', `${path}/status`, { status: 'fulfilled' })).body.status).toBe('fulfilled')
  const late = await call('POST', `${path}/cancel`)
  expect(late.body).toMatchObject({ status: 409, type: '/problems/order-status', orderStatus: expect.any(String) })
  expect(await available(id)).toEqual([0])
  expect((await call('POST', `${path}/returns`, {})).body.status).toBe('returned')
  expect(await available(id)).toEqual([2])
  expect(await eventsOf(`order/${orderId}`)).toEqual(['order.created', ...Array(3).fill('order.status.changed')])
})

test('a reservation becomes an order at the prices given, once, and only as the order it was made for', async () => {
  const { id, skus } = await product(5)
  const [sku] = skus as [string]
  const reserve = (reservationId: string, orderId?: string) =>
    inventory.execute({
      type: 'reserve',
      reservationId,
      ...(orderId && { orderId }),
      lines: [{ sku, quantity: 2 }],
      ttlSeconds: 60,
    })
  await reserve(`r-${id}`, `o-${id}`)
  await reserve(`r2-${id}`, 'another')
  const lines = [{ sku, quantity: 2, unitPrice: { amount: 90, currency: 'EUR' } }]
  const confirm = (reservationId: string) =>
    orders.execute({ type: 'confirm', orderId: `o-${id}`, reservationId, customerId: 'c', lines })
  await expect(confirm(`r2-${id}`)).rejects.toMatchObject({ code: 'reservation-mismatch' })
  const { answer } = await confirm(`r-${id}`)
  expect(answer).toMatchObject({
    status: 'confirmed',
    lines: [{ sku, productId: id, quantity: 2, unitPrice: { amount: 90 } }],
    totals: [{ amount: 180, currency: 'EUR' }],
  })
  expect((await confirm(`r-${id}`)).answer).toEqual(answer)
  const [item] = (await call('GET', `/products/${id}/inventory`)).body.items
  expect(item).toMatchObject({ onHand: 3, reserved: 2, available: 1 })
  await inventory.execute({ type: 'release', reservationId: `r2-${id}` })
})

test('a reservation made for an order and confirmed is that order, whoever confirms it', async () => {
  const { id, skus } = await product(5)
  const reserve = async () =>
    (await call('POST', '/reservations', { orderId: `o-${id}`, lines: [{ sku: skus[0], quantity: 2 }] })).body
  const { reservationId } = await reserve()
  const confirmed = await call('POST', `/reservations/${reservationId}/confirm`)
  expect(confirmed).toMatchObject({
    status: 200,
    body: { reservationId, orderId: `o-${id}`, status: 'confirmed', lines: [{ sku: skus[0], allocations: main(2) }] },
  })
  expect((await call('POST', `/reservations/${reservationId}/confirm`)).body).toEqual(confirmed.body)
  expect((await call('GET', `/orders/o-${id}`)).body).toMatchObject({
    status: 'confirmed',
    reservationId,
    totals: [{ amount: 200, currency: 'EUR' }],
  })
  const second = await reserve()
  const again = await call('POST', `/reservations/${second.reservationId}/confirm`)
  expect([again.status, again.body.type]).toEqual([409, '/problems/already-exists'])
  await call('POST', `/reservations/${second.reservationId}/release`)
  expect((await call('POST', `/orders/o-${id}/cancel`)).body.status).toBe('cancelled')
  expect(await available(id)).toEqual([5])
})

test('the latest orders are listed page by page, newest first, by customer, status and time', async () => {
  const { skus } = await product(100)
  const placed: string[] = []
  const before = new Date().toISOString()
  for (let n = 0; n < 5; n++) {
    const body = { customerId: `lister-${n % 2}`, lines: [{ sku: skus[0], quantity: 1 }] }
    placed.push((await call('POST', '/orders', body)).body.orderId)
  }
  const newest = placed.toReversed()
  const idsOf = (body: { items: { orderId: string }[] }) => body.items.map((order) => order.orderId)
  const first = (await call('GET', '/orders?limit=3')).body
  const second = (await call('GET', `/orders?limit=2&cursor=${first.next}`)).body
  expect([...idsOf(first), ...idsOf(second)]).toEqual(newest)
  expect((await call('GET', '/orders?cursor=nonsense')).status).toBe(400)
  expect((await call('GET', '/orders?status=lost')).status).toBe(400)

  await call('POST', `/orders/${placed[2]}/cancel`)
  expect(idsOf((await call('GET', `/orders?status=cancelled&from=${before}`)).body)).toEqual([placed[2]])
  expect(idsOf((await call('GET', `/orders?to=${before}&customerId=lister-0`)).body)).toEqual([])
  const his = (await call('GET', '/customers/lister-0/orders')).body
  expect(idsOf(his)).toEqual([placed[4], placed[2], placed[0]])
  expect(his.items[1]).toMatchObject({ status: 'cancelled', customerId: 'lister-0' })
})

test('an order shows its customer as last seen, and nothing personal of one that was erased', async () => {
  const { id, skus } = await product(5)
  const customer = { id: `buyer-${id}`, name: 'Ida', email: `${id}@example.com` }
  await call('POST', '/customers', customer)
  const body = { customerId: customer.id, lines: [{ sku: skus[0], quantity: 1 }] }
  const { orderId } = (await call('POST', '/orders', body)).body
  const buyer = async () => (await call('GET', `/orders/${orderId}`)).body.customer
  expect(await buyer()).toBe(null)
  await engine.settle()
  expect(await buyer()).toEqual({ ...customer, phone: null, status: 'active', version: 1 })
  await call('PATCH', `/customers/${customer.id}`, { name: 'Ida Lind' })
  await engine.settle()
  expect(await buyer()).toMatchObject({ name: 'Ida Lind', version: 2 })
  const listed = (await call('GET', `/customers/${customer.id}/orders`)).body.items
  expect(listed).toMatchObject([{ orderId, customer: { name: 'Ida Lind' } }])

  await call('POST', `/customers/${customer.id}/erase`)
  const erased = { id: customer.id, name: null, email: null, phone: null, status: 'erased' }
  expect(await buyer()).toEqual({ ...erased, version: 2 })
  await engine.settle()
  expect(await buyer()).toEqual({ ...erased, version: 3 })
  const [row] = await engine.db`select sealed from orders.customers where id = ${customer.id}`
  expect(row).toEqual({ sealed: null })
})

test('orders are for ADMIN alone', async () => {
  const other = { authorization: `Bearer ${await server.token('product-service')}` }
  expect((await call('GET', '/orders', undefined, other)).status).toBe(403)
  expect((await call('GET', '/customers/c1/orders', undefined, other)).status).toBe(403)
  expect((await call('POST', '/orders', { lines: [{ sku: 'x', quantity: 1 }] }, other)).status).toBe(403)
})
