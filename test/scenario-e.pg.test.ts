/** The diagrams of "Real-Time Data Synchronization" (document E), each told on the running shop: what changes in one place, and who follows. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caughtUp } from './chaos/ownership.ts'
import { createTestDatabase } from './database.ts'
import { openTestShop, type TestShop } from './shop.ts'

let shop: TestShop
let headers: Record<string, string>

beforeAll(async () => {
  shop = await openTestShop((await createTestDatabase()).url)
  headers = await shop.as('ADMIN')
  await send('POST', '/warehouses', { id: 'main', name: 'Main' })
})
afterAll(() => shop[Symbol.asyncDispose]())

// biome-ignore lint/suspicious/noExplicitAny: whatever the API answers
async function send(method: 'POST' | 'PATCH' | 'PUT' | 'GET', url: string, payload?: object): Promise<any> {
  const response = await shop.app.inject({ method, url: `/v1${url}`, headers, ...(payload && { payload }) })
  return response.json()
}
const get = (url: string) => send('GET', url)

/** Everything written so far has reached every consumer. */
const followed = () =>
  caughtUp(
    shop.engine.db,
    shop.engine.runners.map((runner) => runner.consumer.name),
  )

const typesOf = async (key: string) => (await get(`/events?key=${key}`)).items.map(({ type }: { type: string }) => type)

let made = 0
/** A product of its own for a story, with stock. */
async function product(fields: object = {}, quantity = 20) {
  const id = `thing-${++made}`
  const sku = `THING-${made}`
  const variants = [{ sku, price: { amount: 2_000, currency: 'EUR' } }]
  await send('POST', '/products', { id, title: `Thing ${made}`, status: 'active', variants, ...fields })
  await followed()
  await send('PATCH', `/products/${id}/inventory`, { sku, quantity, reason: 'first count' })
  await followed()
  return { id, sku }
}

const found = async (query: string) => (await get(`/search?${query}`)).items.map(({ id }: { id: string }) => id)
const sku = (lines: { sku: string }[], wanted: string) => lines.find((line) => line.sku === wanted)

test('Product Creation & Updates: search, analytics and the storefront follow, and each confirms', async () => {
  const { id } = await product({ title: 'Quillwork basket' })
  const { version } = await send('PATCH', `/products/${id}`, { title: 'Quillwork hamper' })
  await expect
    .poll(() => get(`/products/${id}/sync-status?version=${version}&wait=5s`))
    .toMatchObject({ overallStatus: 'completed' })
  expect(await found('q=quillwork+hamper')).toEqual([id])
  expect((await get(`/storefront/products/${id}`)).title).toBe('Quillwork hamper')
  await followed()
  const { series } = await get('/analytics/events')
  expect(series.map(({ item }: { item: string }) => item)).toEqual(
    expect.arrayContaining(['product.created', 'product.updated']),
  )
})

test('Product Attribute Synchronization: one change goes to each owner by its kind, and each tells it by an event of its own', async () => {
  const { id, sku } = await product()
  const before = await typesOf(id)
  await send('PATCH', `/products/${id}`, {
    description: 'Turned by hand',
    variants: [{ sku, price: { amount: 2_500, currency: 'EUR' } }],
    stock: [{ sku, quantity: 3, reason: 'counted' }],
  })
  await followed()
  const after = (await typesOf(id)).slice(before.length)
  expect(after).toEqual(expect.arrayContaining(['product.updated', 'stock.updated', 'price.updated', 'stock.low']))
  const [hit] = (await get('/search?q=turned')).items
  expect(hit).toMatchObject({ id, price: { min: 2_500, max: 2_500 } })
})

test('a change by kind of which one part can not be is refused as a whole', async () => {
  const { id, sku } = await product()
  const before = await typesOf(id)
  const refused = await send('PATCH', `/products/${id}`, {
    description: 'never to be seen',
    stock: [{ sku, warehouseId: 'atlantis', quantity: 3, reason: 'counted' }],
  })
  expect(refused.status).toBeGreaterThanOrEqual(400)
  expect(await typesOf(id)).toEqual(before)
  expect((await get(`/products/${id}`)).description).not.toBe('never to be seen')
})

test('Dynamic Price Updates: a rule makes a new price, and search, the product and the storefront show it', async () => {
  const { id, sku: ours } = await product({ category: 'Dynamic' })
  const effect = { percentOff: 25 }
  await send('POST', '/pricing/rules', { id: 'dynamic', name: 'Dynamic', scope: { categories: ['Dynamic'] }, effect })
  await expect.poll(() => found('category=Dynamic&priceMax=1500')).toEqual([id])
  await followed()
  const { variants } = await get(`/storefront/products/${id}`)
  expect(sku(variants, ours)).toMatchObject({ effectivePrice: { amount: 1_500, currency: 'EUR' } })
  expect((await get(`/products/${id}/prices`)).variants[0]).toMatchObject({ list: 2_000, effective: 1_500 })
})

test('Promotion Price Synchronization: it begins and ends by itself, and search follows both', async () => {
  const { id } = await product({ tags: ['flash'] })
  const [startsAt, endsAt] = [Date.now() - 1_000, Date.now() + 3_600_000].map((at) => new Date(at).toISOString())
  const scope = { tags: ['flash'] }
  const effect = { percentOff: 50 }
  const { id: flash } = await send('POST', '/promotions', { name: 'Flash', scope, effect, startsAt, endsAt })
  await expect.poll(() => found('tag=flash&priceMax=1000')).toEqual([id])
  await shop.engine.db`update pricing.promotions set ends_at = clock_timestamp() where id = ${flash}` // its hour is over
  await expect.poll(() => found('tag=flash&priceMin=2000')).toEqual([id])
  const types = await typesOf(id)
  expect(types.indexOf('price.promotion.applied')).toBeGreaterThan(0)
  expect(types.indexOf('price.promotion.ended')).toBeGreaterThan(types.indexOf('price.promotion.applied'))
})

test('Real-time Stock Updates: search, the catalog, carts and the storefront follow a level', async () => {
  const { id, sku } = await product({ title: 'Ebb gauge' })
  const cart = await send('POST', '/carts', { anonymousId: 'browser-1' })
  await send('PUT', `/carts/${cart.id}/lines/${sku}`, { quantity: 2 })
  await send('PATCH', `/products/${id}/inventory`, { sku, quantity: 0, reason: 'flooded' })
  await followed()
  expect(await found('q=ebb&available=true')).toEqual([])
  expect((await get(`/products/${id}`)).isAvailable).toBe(false)
  expect((await get(`/storefront/products/${id}/availability`)).displayStatus).toBe('OUT_OF_STOCK')
  const told = await get(`/carts/${cart.id}`)
  expect(told).toMatchObject({ buyable: false, lines: [{ sku, notices: [{ kind: 'out-of-stock' }] }] })
  await send('PATCH', `/products/${id}/inventory`, { sku, quantity: 9, reason: 'dried' })
  await followed()
  expect(await found('q=ebb&available=true')).toEqual([id])
  expect((await get(`/products/${id}`)).isAvailable).toBe(true)
})

test('Stock Reservation Synchronization: what is held is gone for everybody else, and comes back when it is released', async () => {
  const { id, sku } = await product({ title: 'Held bell' }, 2)
  const { reservationId } = await send('POST', '/reservations', { lines: [{ sku, quantity: 2 }] })
  await followed()
  expect(await typesOf(id)).toContain('stock.reserved')
  expect(await found('q=held+bell&available=true')).toEqual([])
  const refused = await send('POST', '/orders', { lines: [{ sku, quantity: 1 }] })
  expect(refused).toMatchObject({ status: 409, type: '/problems/insufficient-stock' })
  const { series } = await get('/analytics/reservations')
  expect(series.length).toBeGreaterThan(0)
  await send('POST', `/reservations/${reservationId}/release`, {})
  await followed()
  expect(await found('q=held+bell&available=true')).toEqual([id])
})

const somebody = (name: string, granted: boolean) => ({
  id: name.toLowerCase(),
  name,
  email: `${name.toLowerCase()}@example.com`,
  preferences: {
    channels: { order_status: ['email'], marketing: ['email'] },
    consents: { marketing: { granted, source: 'signup', textVersion: '1' } },
  },
})

test('Customer Profile Updates: orders and marketing lists know the customer as he is now', async () => {
  const { sku } = await product()
  await send('POST', '/customers', { ...somebody('Wilma', true) })
  const { orderId } = await send('POST', '/orders', { customerId: 'wilma', lines: [{ sku, quantity: 1 }] })
  await send('POST', '/marketing/lists', { id: 'everybody', title: 'Everybody' })
  await send('PATCH', '/customers/wilma', { name: 'Wilma Flint' })
  await followed()
  expect(JSON.stringify(await get(`/orders/${orderId}`))).toContain('Wilma Flint')
  const members = await get('/marketing/lists/everybody/members')
  expect(members.items.map(({ customerId }: { customerId: string }) => customerId)).toContain('wilma')
  expect((await get('/analytics/customers')).status).toBeUndefined()
})

test('Customer Preferences Synchronization: who takes his consent back is off the lists, and gets no mail he does not want', async () => {
  const { sku } = await product()
  await send('POST', '/customers', { ...somebody('Fred', true) })
  await followed()
  const listed = async () =>
    (await get('/marketing/lists/everybody/members')).items.map(({ customerId }: { customerId: string }) => customerId)
  expect(await listed()).toContain('fred')
  await send('PUT', '/customers/fred/preferences', { channels: { order_status: 'none', marketing: 'none' } })
  await send('POST', '/orders', { customerId: 'fred', lines: [{ sku, quantity: 1 }] })
  await followed()
  expect(await listed()).not.toContain('fred')
  expect((await get('/notifications?customerId=fred')).items).toEqual([])
})

test('Order Status Updates: history, analytics, mail and the live status follow', async () => {
  const { sku } = await product()
  await send('POST', '/customers', { ...somebody('Betty', true) })
  const { orderId } = await send('POST', '/orders', { customerId: 'betty', lines: [{ sku, quantity: 1 }] })
  await send('POST', `/orders/${orderId}/status`, { status: 'paid' })
  await send('POST', `/orders/${orderId}/status`, { status: 'fulfilled' })
  await followed()
  const [order] = (await get('/customers/betty/orders')).items
  expect(order).toMatchObject({ orderId, status: 'fulfilled' })
  expect(await typesOf(`order/${orderId}`)).toEqual(['order.created', 'order.status.changed', 'order.status.changed'])
  expect(JSON.stringify(await get('/analytics/orders'))).toContain('fulfilled')
  expect((await get('/notifications?customerId=betty')).items.length).toBeGreaterThanOrEqual(2)
})

test('Saga Pattern: a checkout goes through its steps, and one whose payment is declined gives everything back in reverse', async () => {
  const { id, sku } = await product({}, 5)
  const bought = await send('POST', '/checkouts', { lines: [{ sku, quantity: 2 }], payment: { token: 'tok_approve' } })
  expect(bought.status).toBe('completed')
  const declined = await send('POST', '/checkouts', {
    lines: [{ sku, quantity: 3 }],
    payment: { token: 'tok_decline' },
  })
  expect(declined).toMatchObject({ status: 402, type: '/problems/payment-declined' })
  await followed()
  const { data } = await get(`/inventory-items/by-product/${id}`)
  expect(data).toMatchObject({ totalQuantityAvailable: 3, totalQuantityReserved: 0 })
  expect(await typesOf(id)).toEqual(expect.arrayContaining(['stock.reserved', 'stock.released']))
})
