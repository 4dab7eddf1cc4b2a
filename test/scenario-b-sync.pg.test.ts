/** Document B's third flow, Scheduled Reconciliation, told on the running shop: a feed every six hours from a warehouse's API. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caughtUp, until } from './chaos/ownership.ts'
import { createTestDatabase } from './database.ts'
import { openTestShop, type TestShop } from './shop.ts'

let shop: TestShop
let headers: Record<string, string>
/** The warehouse's API, and how it answers. */
let answer: (response: ServerResponse) => unknown
const warehouse = createServer((_, response) => void answer(response))
/** Every six hours, and not within the next two: each tick of this story is made by hand. */
const hours = [0, 1, 2, 3].map((n) => (((new Date().getUTCHours() + 3) % 6) + 6 * n).toString().padStart(2, '0'))
const isTick = expect.stringMatching(new RegExp(`T(${hours.join('|')}):00:00.000Z$`))
/** What the warehouse has counted: units by SKU. */
const counted = new Map<string, number>()

beforeAll(async () => {
  shop = await openTestShop((await createTestDatabase()).url)
  headers = await shop.as('ADMIN')
  warehouse.listen(0, '127.0.0.1')
  await once(warehouse, 'listening')
  const url = `http://127.0.0.1:${(warehouse.address() as AddressInfo).port}/stock.csv`
  const schedule = { cron: `0 ${hours.join()} * * *` }
  expect(
    (await send('POST', '/feeds', { name: 'warehouse', kind: 'stock', source: { url }, schedule })).body,
  ).toMatchObject({ source: { url }, nextAt: isTick })
})
afterAll(async () => {
  warehouse.close()
  await shop[Symbol.asyncDispose]()
})

async function send(method: 'POST' | 'PATCH' | 'GET', url: string, payload?: object) {
  const response = await shop.app.inject({ method, url: `/v1${url}`, headers, ...(payload && { payload }) })
  return { status: response.statusCode, body: response.json() }
}
const followed = () =>
  caughtUp(
    shop.engine.db,
    shop.engine.runners.map((runner) => runner.consumer.name),
  )
/** The body of the warehouse's answer, as of a time or of when it is asked. */
const listing = (asOf = '') =>
  ['sku,quantity,as of', ...[...counted].map(([sku, quantity]) => `${sku},${quantity},${asOf}`)].join('\n')

let made = 0
/** A product of which shop and warehouse have the same count. */
async function product(quantity: number) {
  const [id, sku] = [`kit-${++made}`, `KIT-${made}`]
  await send('POST', '/products', { id, title: id, variants: [{ sku, price: { amount: 900, currency: 'EUR' } }] })
  await followed()
  expect((await send('PATCH', `/products/${id}/inventory`, { sku, quantity })).status).toBe(200)
  await followed()
  counted.set(sku, quantity)
  return { id, sku }
}
const order = (sku: string, quantity: number) => send('POST', '/orders', { lines: [{ sku, quantity }] })
const head = async () => (await shop.engine.db`select position from lockstep.head`)[0].position as number
const told = async (key: string, after: number) => (await send('GET', `/events?key=${key}&after=${after}`)).body.items
const onHand = async (id: string) => (await send('GET', `/products/${id}/inventory`)).body.items[0].onHand
const alerts = async () =>
  (await send('GET', '/notifications/stock-alerts')).body.items.map(({ sku }: { sku: string }) => sku)
const unsound = () => shop.services.inventory.verify(shop.engine.db)
const feed = async () => (await send('GET', '/feeds/warehouse')).body

/** The schedule's next tick is now; resolves with the run that it was, once it rests. */
async function tick() {
  const before = (await feed()).lastRun?.id ?? 0
  await shop.engine.db`update feeds.feeds set next_at = statement_timestamp()`
  const rests = ['done', 'unchanged', 'held', 'failed']
  await until(async () => {
    const { lastRun } = await feed()
    return lastRun !== null && lastRun.id > before && rests.includes(lastRun.status)
  })
  await followed()
  return (await send('GET', `/feed-runs/${(await feed()).lastRun.id}`)).body
}

test('counts are compared, each discrepancy is corrected and published as SCHEDULED_SYNC, and what agrees is no event', async () => {
  const [same, less, more] = [await product(10), await product(10), await product(10)]
  counted.set(less.sku, 7)
  counted.set(more.sku, 12)
  answer = (response) => response.end(listing())
  const before = await head()
  const run = await tick()
  const counts = { rows: 3, unchanged: 1, created: 0, changed: 2, removed: 0, refused: 0, applied: 2, failed: 0 }
  expect(run).toMatchObject({ status: 'done', origin: 'schedule', counts })
  expect(await told(same.id, before)).toEqual([])
  for (const [{ id, sku }, newQuantity] of [
    [less, 7],
    [more, 12],
  ] as const) {
    expect(await told(id, before)).toMatchObject([
      {
        type: 'stock.updated',
        source: 'inventory',
        data: { trigger: 'SCHEDULED_SYNC', previousQuantity: 10, newQuantity, stock: { productId: id, sku } },
        meta: { actor: 'feed warehouse', correlationId: `feed-run-${run.id}` },
      },
    ])
    const [movement] = (await send('GET', `/products/${id}/ledger`)).body.items
    expect(movement).toMatchObject({ trigger: 'SCHEDULED_SYNC', onHandDelta: newQuantity - 10, onHand: newQuantity })
  }
  const report = shop
    .logged()
    .split('\n')
    .find((line) => line.includes('a feed is carried out'))
  expect(JSON.parse(report ?? '{}')).toMatchObject({ feed: 'warehouse', run: run.id, counts })
  const again = await head()
  expect((await tick()).status).toBe('unchanged')
  expect(await head()).toBe(again)
  expect(await unsound()).toEqual([])
})

test('a count that is low or none is no news to the administrator, but a product without stock is no longer available', async () => {
  const [low, none, sold] = [await product(10), await product(10), await product(10)]
  counted.set(low.sku, 2)
  counted.set(none.sku, 0)
  answer = (response) => response.end(listing())
  const before = await head()
  expect((await tick()).counts.applied).toBe(2)
  const types = async (id: string) => (await told(id, before)).map(({ type }: { type: string }) => type)
  expect(await types(low.id)).toEqual(['stock.updated', 'stock.low'])
  expect(await types(none.id)).toEqual(['stock.updated', 'stock.low', 'stock.out', 'product.updated'])
  expect((await send('GET', `/products/${none.id}`)).body.isAvailable).toBe(false)
  await order(sold.sku, 8)
  await followed()
  expect(await alerts()).toEqual([sold.sku])
  counted.set(sold.sku, 2)
  counted.set(none.sku, 6)
  await tick()
  expect((await send('GET', `/products/${none.id}`)).body.isAvailable).toBe(true)
})

test('an order taken between the count and its application is not forgotten: the adjustment is the count’s, at its own time', async () => {
  const { id, sku } = await product(20)
  expect((await order(sku, 1)).status).toBe(201)
  counted.set(sku, 16) // three of nineteen are gone
  answer = async (response) => {
    const [{ asOf }] = await shop.engine.db`select clock_timestamp() as "asOf"`
    expect((await order(sku, 5)).status).toBe(201)
    response.end(listing(asOf.toISOString()))
  }
  const before = await head()
  const run = await tick()
  expect(run.samples.changed).toMatchObject([{ key: `main/${sku}`, changes: [{ oldValue: 19, newValue: 16 }] }])
  const moved = (await told(id, before)).filter(({ type }: { type: string }) => type === 'stock.updated')
  expect(moved).toMatchObject([
    { data: { trigger: 'ORDER_CONFIRMED', previousQuantity: 19, newQuantity: 14 } },
    { data: { trigger: 'SCHEDULED_SYNC', previousQuantity: 14, newQuantity: 11, referenceType: 'STOCKTAKE' } },
  ])
  expect(await onHand(id)).toBe(11)
  counted.set(sku, 11)
  expect(await unsound()).toEqual([])
})

test.each([
  ['answers 503', /answered 503/, (response: ServerResponse) => response.writeHead(503).end('closed')],
  ['ends in the middle', /can't be had/, cutShort],
  ['is gone', /can't be had/, (response: ServerResponse) => response.socket?.destroy()],
])('an API that %s changes nothing, is reported, and is asked again soon until it answers', async (_, why, fault) => {
  const { id, sku } = await product(10)
  counted.set(sku, 8)
  const before = await head()
  answer = fault
  for (const withinSeconds of [30, 60]) {
    const run = await tick()
    expect(run).toMatchObject({ status: 'failed', error: expect.stringMatching(why), counts: { applied: 0 } })
    const said = shop
      .logged()
      .split('\n')
      .findLast((line) => line.includes('a feed could not be read'))
    expect(JSON.parse(said ?? '{}')).toMatchObject({ level: 40, feed: 'warehouse', run: run.id, error: run.error })
    const [{ soon }] = await shop.engine.db`
      select next_at <= clock_timestamp() + ${withinSeconds} * interval '1 second' as soon from feeds.feeds`
    expect(soon).toBe(true)
  }
  expect([await head(), await onHand(id)]).toEqual([before, 10])
  answer = (response) => response.end(listing())
  expect(await tick()).toMatchObject({ status: 'done', counts: { changed: 1, applied: 1, failed: 0 } })
  expect(await onHand(id)).toBe(8)
  expect((await feed()).nextAt).toEqual(isTick)
})

function cutShort(response: ServerResponse) {
  const body = listing()
  response.writeHead(200, { 'content-length': body.length })
  response.write(body.slice(0, -5), () => response.socket?.destroy())
}
