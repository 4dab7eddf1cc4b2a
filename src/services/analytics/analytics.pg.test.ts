import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { madeProduct } from '../../../test/made-events.ts'
import { replay } from '../../engine/consumers.ts'
import type { NewEvent } from '../../engine/event.ts'
import { append, read } from '../../engine/log.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { analyticsProjection } from './analytics-projection.ts'

const log = pino({ level: 'silent' })
const settings = { timeZone: 'Asia/Kolkata', hoursKeptDays: 36_500, minutesKeptHours: 876_000 }
const schema = new URL('./schema/', import.meta.url)
const open = (url: string, batch: number) =>
  testEngine(url, () => [{ name: 'analytics', schema, consumers: [{ ...analyticsProjection(log, settings), batch }] }])

let url: string
let engine: TestEngine
beforeAll(async () => {
  url = (await createTestDatabase()).url
  engine = (await open(url, 8_000)).engine
})
afterAll(() => engine.close())

const id = fc.constantFrom('a', 'b', 'c')
const vendor = fc.constantFrom('north', 'south', null)
const amount = fc.integer({ min: 0, max: 9 })
const step = fc.oneof(
  fc.record({ do: fc.constant('product' as const), id, vendor, status: fc.constantFrom('active', 'draft') }),
  fc.record({ do: fc.constant('delete' as const), id }),
  fc.record({
    do: fc.constant('stock' as const),
    type: fc.constantFrom('stock.updated', 'stock.reserved', 'stock.released', 'stock.low', 'stock.update.failed'),
    id,
    sku: fc.constantFrom('s1', 's2', 's3'),
    active: fc.boolean(),
    levels: fc.dictionary(fc.constantFrom('main', 'east'), fc.tuple(amount, amount), { noNullPrototype: true }),
  }),
  fc.record({
    do: fc.constant('order' as const),
    id: fc.constantFrom('o1', 'o2'),
    status: fc.constantFrom('pending', 'confirmed', 'cancelled', 'returned'),
    lines: fc.uniqueArray(fc.record({ sku: fc.constantFrom('s1', 's2'), productId: id, quantity: amount }), {
      selector: ({ sku }) => sku,
    }),
  }),
  fc.record({
    do: fc.constant('customer' as const),
    id: fc.constantFrom('c1', 'c2'),
    erased: fc.boolean(),
    purposes: fc.uniqueArray(fc.constantFrom('mail', 'ads')),
  }),
  fc.record({ do: fc.constant('nonsense' as const) }),
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** What the sources would tell of it. */
function eventsOf(steps: Step[]): NewEvent[] {
  const versions = new Map<string, number>()
  const statuses = new Map<string, string>()
  return steps.map((step): NewEvent => {
    const event = (type: string, key: string, entity: string, data: object): NewEvent => {
      const version = (versions.get(entity) ?? 0) + 1
      versions.set(entity, version)
      return { type, key, entity, version, source: 'test', data }
    }
    switch (step.do) {
      case 'product': {
        const product = madeProduct(step.id, { vendorId: step.vendor, status: step.status as 'active' })
        return event('product.updated', step.id, `product/${step.id}`, { product, changes: [] })
      }
      case 'delete':
        return event('product.deleted', step.id, `product/${step.id}`, { product: madeProduct(step.id) })
      case 'stock': {
        const levels = Object.entries(step.levels).map(([warehouseId, [onHand, reserved]]) => ({
          warehouseId,
          inventoryItemId: warehouseId,
          onHand,
          reserved: Math.min(onHand, reserved),
        }))
        const available = levels.reduce((sum, { onHand, reserved }) => sum + onHand - reserved, 0)
        const stock = {
          sku: step.sku,
          productId: step.id,
          active: step.active,
          onHand: 0,
          reserved: 0,
          available,
          levels,
        }
        const told = { trigger: 'ORDER_CONFIRMED', previousQuantity: 9, newQuantity: 2, quantity: 3, requested: 4 }
        return event(step.type, step.id, `stock/${step.sku}`, { stock, cause: 'expired', ...told })
      }
      case 'order': {
        const entity = `order/${step.id}`
        const previousStatus = statuses.get(entity)
        statuses.set(entity, step.status)
        const unitPrice = { amount: Number.MAX_SAFE_INTEGER, currency: 'EUR' }
        const lines = step.lines.map((line) => ({ ...line, returned: 1, unitPrice, allocations: [] }))
        const order = { id: step.id, status: step.status, customerId: null, lines }
        const changes = lines.map(({ sku }) => ({ field: `lines.${sku}.returned`, oldValue: 0, newValue: 1 }))
        return previousStatus
          ? event('order.status.changed', entity, entity, { order, previousStatus, newStatus: step.status, changes })
          : event('order.created', entity, entity, { order })
      }
      case 'customer': {
        const entity = `customer/${step.id}`
        const granted = Object.fromEntries(step.purposes.map((purpose) => [purpose, { granted: true }]))
        const consents = step.erased ? {} : granted
        const type = step.erased ? 'customer.erased' : 'customer.preferences.updated'
        return event(type, entity, entity, { customer: { id: step.id, preferences: { consents } } })
      }
      default:
        return event('stock.updated', 'a', 'stock/none', { stock: null })
    }
  })
}

/** Everything counted, but how long it took. */
async function counted() {
  const { db } = engine
  const [minutes, hours, days, totals, closings, stock, products, consents] = await Promise.all([
    db`select measure, dimension, at, item, amount from analytics.minutes where amount <> 0 order by 1, 2, 3, 4`,
    db`select measure, dimension, at, item, amount from analytics.hours where amount <> 0 order by 1, 2, 3, 4`,
    db`select measure, dimension, at::text, item, amount from analytics.days where amount <> 0 order by 1, 2, 3, 4`,
    db`select measure, dimension, item, amount from analytics.totals where amount <> 0 order by 1, 2, 3`,
    db`select * from analytics.closings order by product_id, grain, at`,
    db`select sku, product_id, active, available from analytics.stock order by sku`,
    db`select * from analytics.products order by product_id`,
    db`select customer, purposes from analytics.consents order by customer`,
  ])
  return { minutes, hours, days, totals, closings, stock, products, consents }
}

function sums(rows: { measure: string; dimension: string; item: string; amount: string }[]) {
  const all = new Map<string, bigint>()
  for (const { measure, dimension, item, amount } of rows) {
    const key = `${measure}|${dimension}|${item}`
    all.set(key, (all.get(key) ?? 0n) + BigInt(amount))
  }
  return Object.fromEntries([...all].filter(([, sum]) => sum !== 0n).sort(([a], [b]) => (a < b ? -1 : 1)))
}

const scenario = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 40 }),
  /** Minutes between one event and the next: over the ends of hours and of days. */
  gaps: fc.array(fc.constantFrom(0, 0, 1, 7, 61, 700), { minLength: 40, maxLength: 40 }),
  batch: fc.integer({ min: 1, max: 9 }),
  cut: fc.integer({ min: 0, max: 40 }),
})

test('minutes, hours, days and totals are the log’s, however it is cut, repeated, taken over or replayed', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ steps, gaps, batch, cut }) => {
      const { db } = engine
      await db`truncate lockstep.events`
      await db`update lockstep.head set position = 0`
      await replay(db, 'analytics', 0, engine.runners[0]?.consumer)
      await db`update analytics.state set measured = 0`
      await db`truncate analytics.latencies`
      const events = eventsOf(steps)
      const times = gaps.map((_, n) => 60_000 * gaps.slice(0, n + 1).reduce<number>((sum, gap) => sum + gap, 0))
      const write = async (some: NewEvent[]) => {
        if (some.length > 0) await db.begin((tx) => append(tx, some))
        await db`
          update lockstep.events e set at = to_timestamp(1790000000 + t.ms / 1000)
            from unnest(${times}::bigint[]) with ordinality as t (ms, n) where e.position = t.n`
      }

      // One process counts in small batches, then another takes over.
      await write(events.slice(0, cut))
      const other = await open(url, batch)
      await other.engine.settle()
      await other.engine.close()
      await write(events.slice(cut))
      engine.tail.position = 0
      await engine.settle()
      const first = await counted()

      expect(sums(first.minutes)).toEqual(sums(first.totals))
      expect(sums(first.hours)).toEqual(sums(first.totals))
      expect(sums(first.days)).toEqual(sums(first.totals))
      const types = await db`select type, count(*) from lockstep.events group by type order by type`
      expect(
        first.totals.filter(({ measure }) => measure === 'events').map(({ item, amount }) => [item, Number(amount)]),
      ).toEqual(types.map(({ type, count }) => [type, count]))
      const available = first.totals.find((row) => row.measure === 'stock.available' && row.dimension === 'all')
      const [stock] = await db`select coalesce(sum(available), 0)::text as sum from analytics.stock where active`
      expect(available?.amount ?? '0').toBe(stock?.sum)

      // Everything comes again.
      const projection = analyticsProjection(log, settings)
      await db.begin(async (tx) => projection.apply(await read(tx, 0, 100), tx))
      expect(await counted()).toEqual(first)

      const measured =
        await db`select grain, sum(count) as count from analytics.latencies group by grain order by grain`
      expect(measured.map(({ count }) => Number(count))).toEqual([events.length, events.length, events.length])
      await replay(db, 'analytics', 0, engine.runners[0]?.consumer)
      await engine.settle()
      expect(await counted()).toEqual(first)
      expect(
        await db`select grain, sum(count) as count from analytics.latencies group by grain order by grain`,
      ).toEqual(measured)
    }),
    {
      numRuns: 12,
      examples: [
        // A SKU that moves to another product, in a batch that names its former one nowhere.
        [
          {
            steps: [
              { do: 'product', id: 'c', vendor: 'north', status: 'active' },
              { do: 'stock', type: 'stock.updated', id: 'c', sku: 's2', active: true, levels: {} },
              { do: 'stock', type: 'stock.updated', id: 'a', sku: 's2', active: false, levels: {} },
            ],
            gaps: Array.from({ length: 40 }, () => 0 as const),
            batch: 1,
            cut: 2,
          },
        ],
      ],
    },
  )
}, 240_000)

test('a batch that is undone at its end counts nothing, and two that come at once count once', async () => {
  const { db } = engine
  await db`truncate lockstep.events`
  await db`update lockstep.head set position = 0`
  engine.tail.position = 0
  await replay(db, 'analytics', 0, engine.runners[0]?.consumer)
  await engine.settle()
  const before = await counted()
  const events = eventsOf([
    { do: 'product', id: 'a', vendor: 'north', status: 'active' },
    { do: 'stock', type: 'stock.updated', id: 'a', sku: 's1', active: true, levels: { main: [9, 2] } },
  ])
  await db.begin((tx) => append(tx, events))
  const [state] = await db<{ position: number }>`select position from analytics.state`
  const changes = await read(db, state?.position ?? 0, 10)
  const projection = analyticsProjection(log, settings)
  const undone = db.begin(async (tx) => {
    await projection.apply(changes, tx)
    throw new Error('the process ends here')
  })
  await expect(undone).rejects.toThrow('ends here')
  expect(await counted()).toEqual(before)
  await Promise.all([1, 2].map(() => db.begin((tx) => projection.apply(changes, tx))))
  const after = await counted()
  const of = ({ totals }: typeof after) => Number(totals.find(({ item }) => item === 'stock.updated')?.amount ?? 0)
  expect(of(after) - of(before)).toBe(1)
  expect(sums(after.days)).toEqual(sums(after.totals))
})

test('what has left the log can not be counted anew', async () => {
  const { db } = engine
  await db`update lockstep.thinned set position = 1`
  const before = await counted()
  await expect(replay(db, 'analytics', 0, engine.runners[0]?.consumer)).rejects.toMatchObject({ code: 'left-the-log' })
  expect(await counted()).toEqual(before)
})
