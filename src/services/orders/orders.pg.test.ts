import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingServices } from '../../../test/selling.ts'
import { Rejected } from '../../engine/decider.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { InventoryService } from '../inventory/service.ts'
import type { OrdersCommand } from './commands.ts'
import type { Order } from './events.ts'
import type { OrdersService } from './service.ts'

let engines: TestEngine[]
let shops: { inventory: InventoryService; orders: OrdersService }[]
beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = [await testEngine(url, sellingServices), await testEngine(url, sellingServices)]
  engines = made.map(({ engine }) => engine)
  shops = made.map(({ services: [, inventory, orders] }) => ({ inventory, orders }))
})
afterAll(() => Promise.all(engines.map((engine) => engine.close())))

const db = () => (engines[0] as TestEngine).db
const shop = (n: number) => shops[n % shops.length] as (typeof shops)[number]

let made = 0
async function stocked(quantity: number, skus: number): Promise<string[]> {
  const run = ++made
  const names = Array.from({ length: skus }, (_, n) => `S${run}-${n}`)
  await Promise.all(
    names.map((sku) =>
      shop(0).inventory.execute({ type: 'set-initial', sku, productId: `p${run}`, warehouseId: 'main', quantity }),
    ),
  )
  return names
}
const orderOf = async (id: string) =>
  (await db()<{ state: string }>`select state from orders.orders where id = ${id}`).map(
    ({ state }) => JSON.parse(state) as Order,
  )[0]

/** Refusals are answers. */
async function attempt(n: number, command: OrdersCommand): Promise<string> {
  return shop(n)
    .orders.execute(command)
    .then(
      () => 'done',
      (error) => {
        if (error instanceof Rejected) return error.code
        throw error
      },
    )
}

const line = fc.record({ sku: fc.nat(2), quantity: fc.integer({ min: 1, max: 3 }) })
const step = fc.record({
  order: fc.nat(3),
  type: fc.constantFrom('place', 'place', 'return', 'return all', 'cancel', 'paid', 'fulfilled'),
  lines: fc.array(line, { minLength: 1, maxLength: 3 }),
})

test('whatever two processes do to the same orders at once, orders, ledger, counters and log agree, and nothing comes back twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), async (steps) => {
      const skus = await stocked(12, 3)
      const run = made
      const commands = steps.map(({ order, type, lines: given }): OrdersCommand => {
        const orderId = `o${run}-${order}`
        const lines = given.map(({ sku, quantity }) => ({ sku: skus[sku] as string, quantity }))
        switch (type) {
          case 'place':
            return { type, orderId, lines }
          case 'return':
            return { type, orderId, lines }
          case 'return all':
            return { type: 'return', orderId }
          case 'cancel':
            return { type, orderId }
          default:
            return { type: 'mark', orderId, status: type as 'paid' | 'fulfilled' }
        }
      })
      const half = Math.ceil(commands.length / 2)
      for (const some of [commands.slice(0, half), commands.slice(half)])
        await Promise.all(some.map((command, n) => attempt(n, command)))

      for (let n = 0; n < 4; n++) {
        const order = await orderOf(`o${run}-${n}`)
        for (const { returned, quantity, allocations } of order?.lines ?? []) {
          expect(returned).toBeLessThanOrEqual(quantity)
          expect(allocations.reduce((sum, one) => sum + one.quantity, 0)).toBe(quantity - returned)
        }
      }
      const rows = await db()<{ left: number }>`
        select (select sum(on_hand) from inventory.levels where sku = any(${skus}::text[]))::int
             + coalesce((select sum((l ->> 'quantity')::int - (l ->> 'returned')::int)
                           from orders.orders o, json_array_elements(o.state -> 'lines') l
                          where o.id like ${`o${run}-%`}), 0)::int as left`
      expect(rows).toEqual([{ left: 36 }])
    }),
    { numRuns: 15 },
  )
  const { inventory, orders } = shop(0)
  expect([...(await orders.verify(db())), ...(await inventory.verify(db()))]).toEqual([])
})

test('the last unit, asked for by orders of two processes at once, is sold once, and the other is told so', async () => {
  for (let n = 0; n < 10; n++) {
    const [sku] = (await stocked(1, 1)) as [string]
    const both = await Promise.all(
      [0, 1].map((at) => attempt(at, { type: 'place', orderId: `${sku}-${at}`, lines: [{ sku, quantity: 1 }] })),
    )
    expect(both.sort()).toEqual(['done', 'insufficient-stock'])
  }
})

test('one order sent to two processes at once under its key is one order, and both are told the same', async () => {
  for (let n = 0; n < 10; n++) {
    const [sku] = (await stocked(5, 1)) as [string]
    const command: OrdersCommand = { type: 'place', orderId: `twin-${sku}`, lines: [{ sku, quantity: 2 }] }
    const [here, there] = await Promise.all(
      shops.map(({ orders }) => orders.execute(command, { key: `twin-${sku}`, actor: 'x' })),
    )
    expect(here?.answer).toEqual(there?.answer)
    const [level] = await db()`select on_hand from inventory.levels where sku = ${sku}`
    expect(level).toEqual({ on_hand: 3 })
  }
})

test('an order somebody else holds waits, while others go on', async () => {
  const [sku] = (await stocked(9, 1)) as [string]
  for (const orderId of ['held', 'free'])
    await shop(0).orders.execute({ type: 'place', orderId, lines: [{ sku, quantity: 1 }] })
  const held = await db().reserve()
  await held`begin`
  await held`select from orders.orders where id = 'held' for update`
  let done = false
  const waiting = attempt(0, { type: 'mark', orderId: 'held', status: 'paid' }).then((outcome) => {
    done = true
    return outcome
  })
  expect(await attempt(0, { type: 'mark', orderId: 'free', status: 'paid' })).toBe('done')
  expect(await attempt(0, { type: 'place', orderId: 'new', lines: [{ sku, quantity: 1 }] })).toBe('done')
  expect(done).toBe(false)
  await held`commit`
  held.release()
  expect(await waiting).toBe('done')
  expect((await orderOf('held'))?.status).toBe('paid')
})
