import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingServices } from '../../../test/selling.ts'
import { type TestServer, testServer } from '../../app/http/server-testing.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { InventoryService } from './service.ts'

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
})
afterAll(async () => {
  await server.app.close()
  await engine.close()
})
afterEach(async () => expect(await inventory.verify(engine.db)).toEqual([]))

async function call(method: 'GET' | 'POST', url: string, body?: object, headers: object = {}) {
  const reply = await server.app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization, ...headers },
    ...(body && { payload: body }),
  })
  return { status: reply.statusCode, body: reply.json() }
}

let made = 0
let sku: string
beforeEach(async () => {
  sku = `S${++made}`
  await inventory.execute({ type: 'set-initial', sku, productId: `p-${sku}`, warehouseId: 'main', quantity: 20 })
})
const onHand = async () => (await call('GET', `/products/p-${sku}/inventory`)).body.items[0].onHand
const order = (quantity: number) => call('POST', '/orders', { lines: [{ sku, quantity }] })
/** By the clock the ledger goes by. */
const clock = async () => {
  const [row] = await engine.db<{ at: Date }>`select clock_timestamp() + interval '1 ms' as at`
  await engine.db`select pg_sleep(0.002)` // the time is told in whole milliseconds: what comes next is after it
  return (row as { at: Date }).at.toISOString()
}
const count = (countedAt: string, quantity: number, more: object = {}, headers: object = {}) =>
  call('POST', '/stocktakes', { warehouseId: 'main', countedAt, lines: [{ sku, quantity }], ...more }, headers)
const real = { dryRun: false }

test('a count is a dry run first; taken for real, what was sold since is not forgotten', async () => {
  await order(2)
  const countedAt = await clock()
  await order(5)
  const line = { sku, counted: 17, expected: 18, difference: -1, onHand: 12 }
  const dry = await count(countedAt, 17)
  expect(dry).toMatchObject({ status: 200, body: { dryRun: true, warehouseId: 'main', countedAt, lines: [line] } })
  expect(await onHand()).toBe(13)

  const taken = await count(countedAt, 17, { ...real, trigger: 'SCHEDULED_SYNC', reason: 'yearly' })
  expect(taken.body).toMatchObject({ dryRun: false, lines: [line] })
  expect(await onHand()).toBe(12)
  expect((await call('GET', `/stocktakes/${taken.body.stocktakeId}`)).body).toMatchObject({
    countedAt,
    lines: [{ sku, counted: 17, expected: 18, difference: -1 }],
  })
  expect((await call('GET', `/stocktakes/${dry.body.stocktakeId}`)).status).toBe(404)
  expect((await call('GET', `/products/p-${sku}/ledger`)).body.items[0]).toMatchObject({
    trigger: 'SCHEDULED_SYNC',
    referenceType: 'STOCKTAKE',
    reference: taken.body.stocktakeId,
    reason: 'yearly',
    onHandDelta: -1,
  })
})

test('a later count takes an earlier one’s correction into account, however late that was entered', async () => {
  const first = await clock()
  await order(5)
  const second = await clock()
  await count(first, 18, real)
  expect((await count(second, 13)).body.lines).toMatchObject([{ expected: 13, difference: 0 }])
  await count(second, 12, real)
  expect(await onHand()).toBe(12)
})

test('a count is taken once: with its key the answer comes again, without it, or with an older one, it is refused', async () => {
  const older = await clock()
  const countedAt = await clock()
  const key = { 'idempotency-key': `count-${sku}` }
  const taken = await count(countedAt, 15, real, key)
  expect((await count(countedAt, 15, real, key)).body).toEqual(taken.body)
  for (const at of [countedAt, older]) {
    const refused = await count(at, 15, real)
    expect([refused.status, refused.body.type, refused.body.lines]).toEqual([409, '/problems/counted-since', [{ sku }]])
  }
  expect(await onHand()).toBe(15)
})

test('two counts sent at once are not both made up for', async () => {
  const times = [await clock(), await clock()]
  const replies = await Promise.all(times.map((at) => count(at, 15, real)))
  expect(replies.some((reply) => reply.status === 200)).toBe(true)
  expect(await onHand()).toBe(15)
})

test('a count is refused below what is reserved, in the future, of unknown SKUs and warehouses, and of one SKU twice', async () => {
  const at = await clock()
  await call('POST', '/reservations', { lines: [{ sku, quantity: 8 }] })
  const refused = async (status: number, type: string, reply: Promise<{ status: number; body: { type: string } }>) => {
    const { status: is, body } = await reply
    expect([is, body.type]).toEqual([status, `/problems/${type}`])
  }
  await refused(409, 'below-reserved', count(at, 7))
  await refused(422, 'counted-in-the-future', count(new Date(Date.now() + 60_000).toISOString(), 9))
  await refused(422, 'unknown-sku', count(at, 9, { lines: [{ sku: 'none', quantity: 1 }] }))
  await refused(404, 'not-found', count(at, 9, { warehouseId: 'nowhere' }))
  const twice = [
    { sku, quantity: 9 },
    { sku, quantity: 9 },
  ]
  await refused(422, 'invalid-request', count(at, 9, { lines: twice }))
  expect(await onHand()).toBe(20)
})

test('what is found in a warehouse that had none of it opens its level there', async () => {
  await call('POST', '/warehouses', { id: `w-${sku}` })
  const found = await count(await clock(), 3, { ...real, warehouseId: `w-${sku}` })
  expect(found.body.lines).toEqual([{ sku, counted: 3, expected: 0, difference: 3, onHand: 3 }])
  expect(await onHand()).toBe(23)
})
