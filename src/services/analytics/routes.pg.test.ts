import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { madeProduct } from '../../../test/made-events.ts'
import { openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { NewEvent } from '../../engine/event.ts'
import type { App } from '../../engine/http.ts'
import { append } from '../../engine/log.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { letGo } from './retention.ts'
import { analyticsService } from './service.ts'
import { analyticsDefaults } from './settings.ts'
import { verifyAnalytics } from './verify.ts'

let engine: TestEngine
let app: App
let headers: Record<string, string>

beforeAll(async () => {
  const made = await testEngine((await createTestDatabase()).url, (engine) => [analyticsService(engine)])
  engine = made.engine
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  headers = { authorization: `Bearer ${await auth.issueToken({ role: 'ADMIN', subject: 'test', ttlSeconds: 600 })}` }
  app = await buildServer({
    settings: httpDefaults,
    auth,
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    version: '0',
    services: made.services,
  })
  await happened([...yesterday, ...today])
})
afterAll(async () => {
  await app.close()
  await engine.close()
})

const now = Date.now()
const hour = 3_600_000
const hoursAgo = (hours: number) => new Date(Math.floor(now / hour) * hour - hours * hour + 60_000)

/** The hour that the test began in, and the 23 before. */
const range = `from=${hoursAgo(23).toISOString()}&to=${hoursAgo(-0.5).toISOString()}`

type Told = [hoursAgo: number, event: NewEvent]
const versions = new Map<string, number>()
function event(type: string, key: string, entity: string, data: object): NewEvent {
  const version = (versions.get(entity) ?? 0) + 1
  versions.set(entity, version)
  return { type, key, entity, version, source: 'test', data }
}
const product = (id: string, vendorId: string, category: string) =>
  event('product.created', id, `product/${id}`, {
    product: madeProduct(id, { title: `The ${id}`, vendorId, category }),
  })
const stock = (id: string, main: number, east: number, reserved = 0) => {
  const levels = [
    { warehouseId: 'main', inventoryItemId: 'm', onHand: main, reserved },
    { warehouseId: 'east', inventoryItemId: 'e', onHand: east, reserved: 0 },
  ]
  const sums = { onHand: main + east, reserved, available: main + east - reserved }
  const told = { stock: { sku: `${id}-1`, productId: id, active: true, ...sums, levels }, trigger: 'ADMIN_UPDATE' }
  return event('stock.updated', id, `stock/${id}-1`, { ...told, previousQuantity: 0, newQuantity: main, changes: [] })
}
const sale = (orderId: string, ...lines: [productId: string, quantity: number, amount: number, currency: string][]) => {
  const sold = lines.map(([productId, quantity, amount, currency]) => ({
    sku: `${productId}-1`,
    productId,
    quantity,
    returned: 0,
    unitPrice: { amount, currency },
    allocations: [],
  }))
  const order = { id: orderId, status: 'confirmed', lines: sold }
  return event('order.created', `order/${orderId}`, `order/${orderId}`, { order })
}

const yesterday: Told[] = [
  [40, product('lamp', 'north', 'light')],
  [40, product('bulb', 'north', 'light')],
  [40, product('=rug', 'south', 'floor')],
  [40, stock('lamp', 10, 5)],
  [40, stock('bulb', 1, 1)],
  [30, sale('o1', ['lamp', 1, 1000, 'EUR'])],
]
const today: Told[] = [
  [3, stock('lamp', 2, 0, 1)],
  [2, stock('bulb', 0, 0)],
  [2, sale('o2', ['lamp', 2, 1000, 'EUR'], ['bulb', 1, 250, 'EUR'])],
  [1, sale('o3', ['=rug', 1, 9_000, 'SEK'])],
]

async function happened(told: Told[]) {
  await engine.db.begin((tx) =>
    append(
      tx,
      told.map(([, event]) => event),
    ),
  )
  await engine.db`
    update lockstep.events e set at = to_timestamp(t.ms / 1000)
      from unnest(${told.map(([hours]) => hoursAgo(hours).getTime())}::float8[]) with ordinality as t (ms, n) where e.position = t.n`
  engine.tail.position = 0
  await engine.settle()
}

const get = async (url: string, as = headers) => {
  const response = await app.inject({ url: `/analytics/${url}`, headers: as })
  return { code: response.statusCode, body: response.body, json: () => response.json() }
}
const ok = async (url: string) => {
  const { code, json } = await get(url)
  expect(code).toBe(200)
  return json()
}

test('sales are told by bucket and compared with as long before', async () => {
  const { buckets, series, ...told } = await ok(`sales?${range}`)
  expect(told).toMatchObject({ by: 'hour', group: null, timeZone: 'UTC', position: 10, more: false })
  expect([buckets.length, buckets.at(-1)]).toEqual([24, hoursAgo(0).toISOString().replace(':01:00', ':00:00')])
  expect(series).toMatchObject([
    {
      item: null,
      orders: { total: 2, previous: 1, change: 1 },
      units: { total: 4, previous: 1, change: 3 },
      revenue: [
        { currency: 'EUR', total: 2250, previous: 1000, change: 1.25 },
        { currency: 'SEK', total: 9000, previous: 0, change: null },
      ],
    },
  ])
  expect(series[0].orders.values.slice(-4)).toEqual([0, 1, 1, 0])
})

test('an order counts once for each product, category and vendor it is of', async () => {
  const by = async (group: string) =>
    (await ok(`sales?group=${group}&${range}`)).series.map(
      (each: { item: string; orders: object; units: object }) => each,
    )
  expect(await by('vendor')).toMatchObject([
    { item: 'north', orders: { total: 1 }, units: { total: 3 } },
    { item: 'south', orders: { total: 1 }, units: { total: 1 } },
  ])
  expect(await by('category')).toMatchObject([{ item: 'light', orders: { total: 1 } }, { item: 'floor' }])
  expect(await by('product')).toMatchObject([{ item: 'lamp', title: 'The lamp' }, { item: '=rug' }, { item: 'bulb' }])
  expect(await ok('sales?group=product&limit=1')).toMatchObject({ series: [{ item: 'lamp' }], more: true })
})

test('what comes back is counted when it does', async () => {
  const refund = event('order.status.changed', 'order/o2', 'order/o2', {
    order: (today[2]?.[1].data as { order: object }).order,
    previousStatus: 'confirmed',
    newStatus: 'partly-returned',
    changes: [{ field: 'lines.lamp-1.returned', oldValue: 0, newValue: 1 }],
  })
  Object.assign((refund.data as { order: object }).order, { status: 'partly-returned' })
  await engine.db.begin((tx) => append(tx, [refund]))
  await engine.settle()
  const { series } = await ok('sales?group=product')
  expect(series[0]).toMatchObject({ units: { total: 2 }, returnedUnits: { total: 1 }, refunds: [{ total: 1000 }] })
  expect((await ok('orders')).now).toEqual({ confirmed: 2, 'partly-returned': 1 })
})

test('stock levels go back in time, and name what is low and out', async () => {
  const { levels, scarce, vendors, warehouses } = await ok(`stock?${range}`)
  expect(levels.available.values.slice(-5)).toEqual([17, 3, 1, 1, 1])
  expect(levels.out).toMatchObject({ value: 1, previous: 0, change: null })
  expect(levels.low).toMatchObject({ value: 1, previous: 1, change: 0 })
  expect(scarce).toMatchObject([
    { sku: 'bulb-1', state: 'out', available: 0 },
    { sku: 'lamp-1', state: 'low', available: 1, title: 'The lamp', vendorId: 'north' },
  ])
  expect(vendors).toEqual([{ item: 'north', onHand: 2, reserved: 1, available: 1, skus: 2, low: 1, out: 1 }])
  expect(warehouses).toMatchObject([
    { item: 'east', onHand: 0, out: 2 },
    { item: 'main', onHand: 2, reserved: 1, low: 1, out: 1 },
  ])
})

test('of one warehouse, vendor or product too', async () => {
  expect((await ok('stock?warehouse=east')).levels.onHand).toMatchObject({ value: 0, previous: 6 })
  expect((await ok('stock?vendor=north')).levels.onHand).toMatchObject({ value: 2, previous: 17 })
  const lamp = await ok(`stock?product=lamp&${range}`)
  expect(lamp).toMatchObject({ of: 'product', item: 'lamp', title: 'The lamp' })
  expect(lamp.levels.available.values.slice(-5)).toEqual([15, 1, 1, 1, 1])
  expect((await ok('stock?product=lamp&by=day')).levels.available).toMatchObject({ value: 1, previous: 0 })
  expect((await get('stock?product=none')).code).toBe(404)
})

test('events and latencies are told by bucket', async () => {
  const { series } = await ok('events?by=day')
  expect(series.map(({ item, total }: { item: string; total: number }) => [item, total])).toEqual([
    ['stock.updated', 4],
    ['order.created', 3],
    ['product.created', 3],
    ['order.status.changed', 1],
  ])
  const { overall } = await ok('latency?by=day')
  expect(overall.count).toBe(11)
  expect(overall.p50).toBeLessThanOrEqual(overall.p99)
})

test('an overview has every number beside what it was', async () => {
  const glance = await ok('overview')
  expect(glance).toMatchObject({
    window: 'day',
    products: 3,
    stock: { available: { value: 1, previous: 17 } },
    sales: { units: { value: 4, previous: 1, change: 3 } },
    orders: { confirmed: 2, 'partly-returned': 1 },
    customers: { now: 0 },
  })
  for (const window of ['hour', 'week', 'month']) await ok(`overview?window=${window}`)
})

test('a table is safe to open in a spreadsheet', async () => {
  const { body } = await get('sales?group=product&format=csv')
  const rows = body.trimEnd().split('\r\n')
  expect(rows[0]).toBe('at,item,measure,value')
  expect(rows.filter((row) => row.endsWith(',revenue SEK,9000'))).toHaveLength(1)
  expect(rows.some((row) => row.includes(",'=rug,"))).toBe(true)
  expect((await get('overview?format=csv')).body).toContain('sales.revenue.EUR,2250,1000,1.25')
  for (const name of ['stock', 'events', 'latency', 'reservations', 'orders', 'customers'])
    expect((await get(`${name}?format=csv`)).body).toMatch(/^at,/)
})

test.each([
  ['sales?by=week', 'by', 'must be minute, hour or day'],
  ['sales?from=2026-11-20&to=2026-11-19', 'from', 'must be before to'],
  ['events?by=minute&from=1999-01-01', 'by', 'at most 1500 are answered: ask by=hour'],
  ['events?by=minute&from=1999-01-01&to=1999-01-01T01:00:00Z', 'by', 'is too fine: minutes go back to'],
  ['stock?from=yesterday', 'from', 'must be a day or a time such as'],
  ['stock?vendor=a&product=b', 'vendor', "can't be combined with product"],
  ['stock?product=lamp&by=minute', 'by', 'must be hour or day'],
  ['latency?format=xml', 'format', 'must be json or csv'],
])('%s is refused with what to ask instead', async (url, field, message) => {
  const { code, json } = await get(url)
  expect(code).toBe(400)
  expect(json().errors).toMatchObject([{ field, message: expect.stringContaining(message) }])
})

test('nobody reads it without a role', async () => {
  for (const name of ['overview', 'sales', 'stock', 'events', 'latency', 'customers'])
    expect((await get(name, {})).code).toBe(401)
})

test('what was counted is proved against the log, and a wrong count is found', async () => {
  expect(await verifyAnalytics(engine.db)).toEqual([])
  await engine.db`update analytics.totals set amount = amount + 1 where measure = 'events' and item = 'order.created'`
  const found = { what: 'order.created', detail: '4, and should be 3' }
  expect(await verifyAnalytics(engine.db)).toMatchObject([{ what: 'events type order.created' }, found])
  await engine.db`update analytics.totals set amount = amount - 1 where measure = 'events' and item = 'order.created'`
})

test('minutes and hours go when they are old, the days stay', async () => {
  await engine.db`update analytics.hours set at = at - interval '91 days'`
  await letGo(engine.db, analyticsDefaults)
  const [left] = await engine.db`
    select (select count(*) from analytics.hours) as hours, (select count(*) from analytics.days) > 0 as days`
  expect(left).toEqual({ hours: 0, days: true })
})
