import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingServices } from '../../../test/selling.ts'
import { type TestServer, testServer } from '../../app/http/server-testing.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { InventoryService } from '../inventory/service.ts'

let engine: TestEngine
let inventory: InventoryService
let server: TestServer
let authorization: string

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(url, sellingServices)
  engine = made.engine
  inventory = made.services[1]
  server = await testServer({
    shop: false,
    routes: (app) => made.services.forEach((service) => void service.routes?.(app)),
  })
  authorization = `Bearer ${await server.token()}`
  expect((await call('POST', '/warehouses', { id: 'north', priority: 2 })).status).toBe(201)
})
afterAll(async () => {
  await server.app.close()
  await engine.close()
})
afterEach(async () => {
  await engine.settle()
  expect(await inventory.verify(engine.db)).toEqual([])
})

async function call(method: 'GET' | 'POST' | 'PATCH', url: string, body?: object, headers: object = {}) {
  const reply = await server.app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization, ...headers },
    ...(body && { payload: body }),
  })
  return { status: reply.statusCode, headers: reply.headers, body: reply.json() }
}

const price = (amount: number) => ({ amount, currency: 'EUR' })
const position = async () => (await engine.db`select position from lockstep.head`)[0].position as number
const eventsAfter = (after: number) =>
  engine.db`select type, entity, source from lockstep.events where position > ${after} order by position`
const onHand = async (sku: string) =>
  (await engine.db`select warehouse_id, on_hand from inventory.levels where sku = ${sku} order by 1`).map((row) => [
    row.warehouse_id,
    row.on_hand,
  ])

let made = 0
async function product(...suffixes: string[]) {
  const id = `c${++made}`
  const variants = suffixes.map((suffix) => ({ sku: `${id}-${suffix}`, price: price(100) }))
  expect((await call('POST', '/products', { id, title: 'Kit', variants })).status).toBe(201)
  return { id, skus: variants.map(({ sku }) => sku) }
}

test('text, media, price and stock of one change go to their owners, each with an event of its own, in one commit', async () => {
  const { id, skus } = await product('a', 'b')
  const [a, b] = skus as [string, string]
  await engine.settle()
  const before = await position()
  const answer = await call('PATCH', `/products/${id}`, {
    title: 'Better kit',
    media: [{ url: '/kit.jpg' }],
    variants: [
      { sku: a, price: price(90) },
      { sku: b, price: price(110) },
    ],
    stock: [
      { sku: a, quantity: 7, reason: 'counted' },
      { sku: a, warehouseId: 'north', quantity: 2 },
      { sku: b, quantity: 0 },
    ],
  })
  expect(answer.status).toBe(200)
  expect(answer.headers.etag).toBe('"2"')
  expect(answer.body).toMatchObject({ id, title: 'Better kit', version: 2, syncToken: `product/${id}@2` })
  expect(answer.body.changes).toEqual([
    { entity: `product/${id}`, version: 2, syncToken: `product/${id}@2` },
    { entity: `stock/${a}`, version: 3, syncToken: `stock/${a}@3` },
    { entity: `stock/${b}`, version: 1, syncToken: `stock/${b}@1` },
  ])
  expect(await eventsAfter(before)).toEqual([
    { type: 'product.updated', entity: `product/${id}`, source: 'catalog' },
    { type: 'stock.updated', entity: `stock/${a}`, source: 'inventory' },
    { type: 'stock.updated', entity: `stock/${a}`, source: 'inventory' },
  ])
  expect(await onHand(a)).toEqual([
    ['main', 7],
    ['north', 2],
  ])
  await engine.settle()
  const priced = (await eventsAfter(before)).at(-1)
  expect(priced).toMatchObject({ type: 'price.updated', entity: `price/${id}`, source: 'pricing' })
})

test('a change of which one owner refuses a part changes nothing anywhere', async () => {
  const { id, skus } = await product('a')
  const [sku] = skus as [string]
  const other = await product('x')
  await engine.settle()
  const before = await position()
  const title = 'Never'
  const good = { sku, quantity: 3 }
  const refusals: [object, number, string][] = [
    [{ title, stock: [good, { sku: 'none', quantity: 1 }] }, 422, '/problems/unknown-sku'],
    [{ title, stock: [good, { sku: other.skus[0], quantity: 1 }] }, 422, '/problems/unknown-sku'],
    [{ title, stock: [good, { sku, warehouseId: 'nowhere', quantity: 1 }] }, 404, '/problems/not-found'],
    [{ title, stock: [good], variants: [{ sku, price: price(-1) }] }, 422, '/problems/invalid-request'],
    [{ title, stock: [good], variants: [{ sku: other.skus[0], price: price(1) }] }, 422, '/problems/unknown-sku'],
    [
      { stock: [good], variants: [sku, other.skus[0]].map((one) => ({ sku: one, price: price(1) })) },
      409,
      '/problems/sku-taken',
    ],
    [{ title, stock: [{ sku, quantity: -1 }] }, 422, '/problems/invalid-request'],
    [{ title, stock: [good, good] }, 422, '/problems/invalid-request'],
    [{ title, stock: [] }, 422, '/problems/invalid-request'],
  ]
  for (const [body, status, type] of refusals) {
    const refused = await call('PATCH', `/products/${id}`, body)
    expect([body, refused.status, refused.body.type]).toEqual([body, status, type])
  }
  const stale = await call('PATCH', `/products/${id}`, { title, stock: [good] }, { 'if-match': '"7"' })
  expect(stale.status).toBe(412)
  expect((await call('PATCH', '/products/none', { title, stock: [good] })).status).toBe(404)
  expect(await position()).toBe(before)
})

test('stock reserved is not counted away, and with it nothing of the change is made', async () => {
  const { id, skus } = await product('a')
  const [sku] = skus as [string]
  await call('PATCH', `/products/${id}`, { stock: [{ sku, quantity: 5 }] })
  await inventory.execute({ type: 'reserve', reservationId: id, lines: [{ sku, quantity: 4 }], ttlSeconds: 60 })
  const before = await position()
  const refused = await call('PATCH', `/products/${id}`, { title: 'Never', stock: [{ sku, quantity: 3 }] })
  expect([refused.status, refused.body.type]).toEqual([409, '/problems/below-reserved'])
  expect(await position()).toBe(before)
})

test('a new variant comes with its stock, before anybody has followed the catalog', async () => {
  const { id, skus } = await product('a')
  const variants = [skus[0], `${id}-new`].map((sku) => ({ sku, price: price(100) }))
  const answer = await call('PATCH', `/products/${id}`, { variants, stock: [{ sku: `${id}-new`, quantity: 4 }] })
  expect(answer.body.changes).toEqual([
    { entity: `product/${id}`, version: 2, syncToken: `product/${id}@2` },
    { entity: `stock/${id}-new`, version: 2, syncToken: `stock/${id}-new@2` },
  ])
  await engine.settle()
  expect(await onHand(`${id}-new`)).toEqual([['main', 4]])
  const order = await call('POST', '/orders', { lines: [{ sku: `${id}-new`, quantity: 4 }] })
  expect(order.status).toBe(201)
})

test('sent again under its key a change for two owners is made once', async () => {
  const { id, skus } = await product('a')
  const body = { title: 'Kit 2', stock: [{ sku: skus[0], quantity: 5 }] }
  const key = { 'idempotency-key': `key-${id}` }
  const first = await call('PATCH', `/products/${id}`, body, key)
  const before = await position()
  expect((await call('PATCH', `/products/${id}`, body, key)).body).toEqual(first.body)
  const other = await call('PATCH', `/products/${id}`, { ...body, title: 'Kit 3' }, key)
  expect(other.body.type).toBe('/problems/idempotency-key-reused')
  expect(await position()).toBe(before)
})
