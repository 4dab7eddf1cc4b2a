/** The flows of "Inventory Sync Event Flow" (document B), each told on the running shop. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caughtUp } from './chaos/ownership.ts'
import { createTestDatabase } from './database.ts'
import { openTestShop, type TestShop } from './shop.ts'

let shop: TestShop
let headers: Record<string, string>

beforeAll(async () => {
  shop = await openTestShop((await createTestDatabase()).url)
  headers = await shop.as('ADMIN')
})
afterAll(() => shop[Symbol.asyncDispose]())

async function send(method: 'POST' | 'PATCH' | 'GET', url: string, payload?: object, as = headers) {
  const response = await shop.app.inject({ method, url: `/v1${url}`, headers: as, ...(payload && { payload }) })
  return { status: response.statusCode, body: response.json() }
}

/** Everything written so far has reached every consumer. */
const followed = () =>
  caughtUp(
    shop.engine.db,
    shop.engine.runners.map((runner) => runner.consumer.name),
  )

let made = 0
async function product(quantity: number) {
  const id = `kit-${++made}`
  const sku = `KIT-${made}`
  await send('POST', '/products', {
    id,
    title: `Kit ${made}`,
    variants: [{ sku, price: { amount: 900, currency: 'EUR' } }],
  })
  await followed()
  expect(await send('PATCH', `/products/${id}/inventory`, { sku, quantity })).toMatchObject({ status: 200 })
  await followed()
  return { id, sku }
}
const head = async () => (await shop.engine.db`select position from lockstep.head`)[0].position as number
const told = async (key: string, after: number) =>
  (await send('GET', `/events?key=${encodeURIComponent(key)}&after=${after}`)).body.items
const onHand = async (id: string) => (await send('GET', `/products/${id}/inventory`)).body.items[0].onHand
const unsound = async () =>
  (
    await Promise.all([shop.services.orders, shop.services.inventory].map(({ verify }) => verify(shop.engine.db)))
  ).flat()

test('Flow 1, 3a: stock is sufficient: order and decrement commit together, and inventory-updated says whose order it was', async () => {
  const { id, sku } = await product(10)
  const before = await head()
  const placed = await send('POST', '/orders', { orderId: `b-${id}`, customerId: 'ida', lines: [{ sku, quantity: 1 }] })
  expect(placed).toMatchObject({
    status: 201,
    body: { status: 'confirmed', totals: [{ amount: 900, currency: 'EUR' }] },
  })
  const [updated, ...others] = await told(id, before)
  expect(others).toEqual([])
  expect(updated).toMatchObject({
    type: 'stock.updated',
    source: 'inventory',
    data: {
      trigger: 'ORDER_CONFIRMED',
      previousQuantity: 10,
      newQuantity: 9,
      referenceType: 'ORDER',
      reference: `b-${id}`,
    },
    meta: { actor: 'test' },
  })
  const [created] = await told(`order/b-${id}`, before)
  expect(created).toMatchObject({
    type: 'order.created',
    at: updated.at,
    data: { order: { lines: [{ sku, quantity: 1 }] } },
  })
  await expect
    .poll(async () => (await send('GET', `/orders/b-${id}/sync-status?version=1&wait=8s`)).body)
    .toMatchObject({ overallStatus: 'completed', services: { analytics: 'done' } })
  expect(await unsound()).toEqual([])
})

test('Flow 1, 3b: stock is insufficient: nothing is written but that it failed, and the order is told what there is', async () => {
  const { id, sku } = await product(2)
  const before = await head()
  const refused = await send('POST', '/orders', { orderId: `b-${id}`, lines: [{ sku, quantity: 3 }] })
  expect(refused).toMatchObject({
    status: 409,
    body: { type: '/problems/insufficient-stock', orderId: `b-${id}`, lines: [{ sku, requested: 3, available: 2 }] },
  })
  expect(await told(id, before)).toMatchObject([
    { type: 'stock.update.failed', data: { requested: 3, available: 2, reference: `b-${id}` } },
  ])
  expect(await told(`order/b-${id}`, before)).toEqual([])
  expect((await send('GET', `/orders/b-${id}`)).status).toBe(404)
  expect(await onHand(id)).toBe(2)
})

test('Flow 1, 4: low stock goes to the administrator, and of nothing left the product is no longer available', async () => {
  const { id, sku } = await product(5)
  const before = await head()
  await send('POST', '/orders', { lines: [{ sku, quantity: 5 }] })
  await followed()
  const types = (await told(id, before)).map(({ type }: { type: string }) => type)
  expect(types).toEqual(['stock.updated', 'stock.low', 'stock.out', 'product.updated'])
  expect((await send('GET', `/products/${id}`)).body.isAvailable).toBe(false)
  const { series } = (await send('GET', '/analytics/events')).body
  expect(series.map(({ item }: { item: string }) => item)).toContain('order.created')
})

test('Flow 2: only an ADMIN sets the count; what is no count changes nothing; the storefront shows it at once', async () => {
  const { id, sku } = await product(4)
  const path = `/products/${id}/inventory`
  expect((await send('PATCH', path, { sku, quantity: 9 }, await shop.as('product-service'))).status).toBe(403)
  expect((await send('PATCH', path, { sku, quantity: -1 })).status).toBe(422)
  expect(await onHand(id)).toBe(4)
  await send('GET', `/storefront/products/${id}`)
  const before = await head()
  expect((await send('PATCH', path, { sku, quantity: 0, reason: 'broken' })).status).toBe(200)
  const [updated] = await told(id, before)
  expect(updated).toMatchObject({
    type: 'stock.updated',
    data: { trigger: 'ADMIN_UPDATE', reason: 'broken', previousQuantity: 4, newQuantity: 0 },
  })
  await followed()
  expect((await send('GET', `/storefront/products/${id}`)).body).toMatchObject({ availability: { isAvailable: false } })
})

test('Concurrent Order Race Condition: of twenty orders for the last three units three win, and each other is told so', async () => {
  const { id, sku } = await product(3)
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      send('POST', '/orders', { orderId: `race-${id}-${n}`, lines: [{ sku, quantity: 1 }] }),
    ),
  )
  const won = all.filter(({ status }) => status === 201)
  expect(won.length).toBe(3)
  for (const { status, body } of all) {
    if (status !== 201) expect([status, body.lines]).toEqual([409, [{ sku, requested: 1, available: 0 }]])
  }
  const rows = await shop.engine.db`select id from orders.orders where id like ${`race-${id}-%`}`
  expect(rows.map((row) => row.id).sort()).toEqual(won.map(({ body }) => body.orderId).sort())
  expect(await onHand(id)).toBe(0)
  expect(await unsound()).toEqual([])
})
