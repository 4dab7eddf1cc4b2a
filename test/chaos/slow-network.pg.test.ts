/** Postgres far away: fifty milliseconds each way, so that every batch of commands and every step of a follower takes a third of a second. */
import { expect } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { createTestDatabase } from '../database.ts'
import { openWire } from './network.ts'
import { caughtUp } from './ownership.ts'
import { type Program, runProgram, startProgram } from './program.ts'
import { seededTest } from './seed.ts'

const EACH_WAY_MS = 50
const CALLERS = 10
const ORDERS_EACH = 5
const UNITS = 40

/** Calls until there is an answer that says what became of it; an order's key is its id. */
async function settled(program: Program, path: string, method: string, body: object, key: string) {
  for (;;) {
    const answer = await program.call(path, method, body, { 'idempotency-key': key })
    if (answer.status !== 503) return answer
  }
}

seededTest(
  'with Postgres a tenth of a second away orders are taken once, followers follow, and the status is true',
  async (random) => {
    const { url } = await createTestDatabase()
    const wire = await openWire(url)
    const program = await startProgram({ settings: { DATABASE_URL: wire.url } })
    const db = openDatabase(url)
    const ids = ['lamp', 'shade']
    for (const id of ids) {
      const variants = [{ sku: id, price: { amount: 4_900, currency: 'EUR' } }]
      const made = await program.call('/products', 'POST', { id, title: id, status: 'active', variants })
      expect(made.status, JSON.stringify(made.body)).toBe(201)
    }
    const consumers = (await db<{ name: string }>`select name from lockstep.consumers`).map(({ name }) => name)
    await caughtUp(db, consumers)
    const stocked = await program.call('/products/lamp/inventory', 'PATCH', { quantity: UNITS })
    expect(stocked.status, JSON.stringify(stocked.body)).toBe(200)
    wire.slow(EACH_WAY_MS)

    const order = (orderId: string, sku: string) =>
      settled(program, '/orders', 'POST', { orderId, lines: [{ sku, quantity: 1 }] }, orderId)
    const orders = Array.from({ length: CALLERS * ORDERS_EACH }, (_, n) => ({ id: `o-${n}`, status: 0 }))
    const caller = async (n: number) => {
      for (const each of orders.slice(n * ORDERS_EACH, (n + 1) * ORDERS_EACH)) {
        const { status } = await order(each.id, 'lamp')
        each.status = status
        if (random() < 0.2) expect((await order(each.id, 'lamp')).status).toBe(status)
      }
    }
    /** A version is said to have arrived everywhere when it has, and not while somebody keeps search from it. */
    const strangers = openDatabase(url, { idleInTransactionMs: 0, deadlineMs: 0 })
    const stranger = await strangers.reserve()
    const editor = async () => {
      for (const title of ['warm lamp', 'dim lamp']) {
        await stranger`begin`
        await stranger`select from search.products where product_id = 'lamp' for update`
        const { status, body } = await settled(program, '/products/lamp', 'PATCH', { title }, title)
        expect(status, JSON.stringify(body)).toBe(200)
        const statusNow = async (wait = '') =>
          (await program.call(`/products/lamp/sync-status?version=${body.version}${wait}`)).body
        expect(await statusNow()).toMatchObject({
          overallStatus: 'processing',
          services: { search: expect.not.stringMatching('done') },
        })
        await stranger`rollback`
        await expect
          .poll(async () => (await statusNow('&wait=8s')).overallStatus, { timeout: 60_000 })
          .toBe('completed')
        expect([...(await db`select title from search.products where product_id = 'lamp'`)]).toEqual([{ title }])
      }
    }
    await Promise.all([editor(), ...Array.from({ length: CALLERS }, (_, n) => caller(n))])

    expect(orders.filter(({ status }) => status === 201)).toHaveLength(UNITS)
    expect(orders.filter(({ status }) => status === 409)).toHaveLength(orders.length - UNITS)
    const [stock] = await db`
      select l.on_hand, (select sum(on_hand_delta)::int from inventory.ledger g where g.sku = l.sku) as moved,
             (select count(distinct reference)::int from inventory.ledger g where g.sku = l.sku and g.on_hand_delta = -1) as sold
      from   inventory.levels l where l.sku = 'lamp'`
    expect(stock).toEqual({ on_hand: 0, moved: 0, sold: UNITS })
    await caughtUp(db, consumers)
    for (const id of ids) {
      const { body } = await program.call(`/products/${id}/sync-status?wait=8s`)
      expect(body.overallStatus, JSON.stringify(body)).toBe('completed')
    }
    expect(await db`select from lockstep.failures`).toHaveLength(0)
    expect(await runProgram({ settings: { DATABASE_URL: url } }, ['verify'])).toMatchObject({ ended: 0 })
    expect(program.isRunning()).toBe(true)
    await program.close()
    stranger.release()
    await Promise.all([db.close(), strangers.close()])
  },
  120_000,
)
