/**
 * A warehouse's counts against orders that go on, while the processes that apply them are killed. The truth is kept beside: units that are really there,
 * less what was sold, whatever the books say.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { feedInput } from '../../src/app/feeds/definition.ts'
import { createFeed, deleteFeed } from '../../src/app/feeds/feeds.ts'
import { getRun, type Run, resting, startRun } from '../../src/app/feeds/runs.ts'
import { feedsService } from '../../src/app/feeds/service.ts'
import { Engine } from '../../src/engine/engine.ts'
import { normalProduct } from '../../src/services/catalog/product.ts'
import { verifyInventory } from '../../src/services/inventory/verify.ts'
import { createTestDatabase } from '../database.ts'
import { sellingServices } from '../selling.ts'
import { until } from './ownership.ts'
import { type Random, randomOf, seededTest } from './seed.ts'

const PRODUCTS = 90
const EACH = 10
/** More than are ever sold. */
const UNITS = 1_000
const skus = Array.from({ length: PRODUCTS * EACH }, (_, n) => `S-${n}`)

let url: string
let engine: Engine
let inventory: ReturnType<typeof sellingServices>[1]
/** Units that are really there. */
const truth = new Map(skus.map((sku) => [sku, UNITS]))
let answer: () => Promise<string>
const warehouse = createServer(async (_, response) => response.end(await answer()))
const hosts = new Set<ChildProcess>()
const folder = mkdtempSync(join(tmpdir(), 'lockstep-fire-'))
const failpointLog = join(folder, 'failpoints')

beforeAll(async () => {
  ;({ url } = await createTestDatabase())
  engine = new Engine({ url, log: pino({ level: 'silent' }) })
  const services = sellingServices(engine)
  const [catalog] = services
  inventory = services[1]
  await engine.install([...services, feedsService(engine, { catalog, inventory })])
  const ofProduct = (n: number) => skus.slice(n * EACH, (n + 1) * EACH)
  await Promise.all(
    Array.from({ length: PRODUCTS }, async (_, n) => {
      const productId = `p-${n}`
      const variants = ofProduct(n).map((sku) => ({ sku, price: { amount: 900, currency: 'EUR' } }))
      await catalog.execute({ type: 'create', product: normalProduct({ id: productId, title: productId, variants }) })
      const stocked = { type: 'set-initial', productId, warehouseId: 'main', quantity: UNITS } as const
      await Promise.all(ofProduct(n).map((sku) => inventory.execute({ ...stocked, sku })))
    }),
  )
  warehouse.listen(0, '127.0.0.1')
  await once(warehouse, 'listening')
})
afterAll(async () => {
  for (const host of hosts) host.kill('SIGKILL')
  warehouse.close()
  await engine.close()
  rmSync(folder, { recursive: true })
})

/** Another process that works on feeds; resolves with how it ended. */
function startHost(failpoints = ''): { ended: Promise<NodeJS.Signals | number>; kill(): void } {
  const child = fork(fileURLToPath(new URL('./feed-host.ts', import.meta.url)), {
    execArgv: [],
    env: {
      PATH: process.env.PATH,
      CHAOS_LOG: process.env.CHAOS_LOG,
      FEED_HOST: url,
      LOCKSTEP_FAILPOINTS: failpoints,
      LOCKSTEP_FAILPOINT_LOG: failpointLog,
    },
  })
  hosts.add(child)
  const ended = once(child, 'exit').then(([code, signal]) => {
    hosts.delete(child)
    return signal ?? code
  })
  return { ended, kill: () => void child.kill('SIGKILL') }
}

/** Callers who order until told to stop; what they got is really gone. */
function startOrders(random: Random) {
  let stopped = false
  let placed = 0
  const caller = async (n: number) => {
    while (!stopped) {
      const sku = random.pick(skus)
      const quantity = random.between(1, 2)
      const order = { type: 'order' as const, orderId: `${expect.getState().currentTestName}-${n}-${++placed}` }
      await inventory.execute({ ...order, lines: [{ sku, quantity }] })
      truth.set(sku, (truth.get(sku) ?? 0) - quantity)
      await pause(random.between(0, 10))
    }
  }
  const all = Promise.all(Array.from({ length: 4 }, (_, n) => caller(n)))
  all.catch(() => {})
  return {
    more: async (count: number) => {
      const from = placed
      await until(() => placed >= from + count)
    },
    async [Symbol.asyncDispose]() {
      stopped = true
      await all
    },
  }
}

/** What a count finds that the books don't know: broken, stolen, never entered. For most SKUs, so that it takes two pages to put right. */
function surprises(random: Random): Map<string, number> {
  const found = skus.flatMap((sku): [string, number][] => {
    const difference = random.between(-3, 5)
    return random() < 0.8 && difference !== 0 ? [[sku, difference]] : []
  })
  for (const [sku, difference] of found) truth.set(sku, (truth.get(sku) ?? 0) + difference)
  return new Map(found)
}

/** What was really there at one moment, and that moment: every order before it is in the ledger once the lock is ours, none after it. */
async function count(found: Map<string, number>): Promise<{ asOf: string; units: Map<string, number> }> {
  return engine.db.begin(async (tx) => {
    const [row] = await tx<{ at: Date }>`select date_trunc('milliseconds', clock_timestamp()) as at`
    const at = row?.at ?? new Date(0)
    await tx`lock table inventory.stock in exclusive mode`
    const rows = await tx<{ sku: string; units: number }>`
      select sku, sum(on_hand_delta)::int as units from inventory.ledger where at <= ${at} group by sku`
    return {
      asOf: at.toISOString(),
      units: new Map(rows.map(({ sku, units }) => [sku, units + (found.get(sku) ?? 0)])),
    }
  })
}

const header = 'sku,quantity,as of'
const rowsOf = ({ asOf, units }: Awaited<ReturnType<typeof count>>) =>
  [...units].map(([sku, quantity]) => `${sku},${quantity},${asOf}`)
const listing = (rows: string[], head = header) => [head, ...rows].join('\n')

async function feed(name: string): Promise<void> {
  const source = { url: `http://127.0.0.1:${(warehouse.address() as AddressInfo).port}/` }
  await createFeed(engine.db, feedInput.parse({ name, kind: 'stock', warehouse: 'main', absent: 'zero', source }))
}
async function rested(id: number): Promise<Run> {
  await until(async () => resting.includes((await getRun(engine.db, id)).status))
  return getRun(engine.db, id)
}

/** I3, and the books are what is really there. */
async function expectTrue(): Promise<void> {
  const rows = await engine.db<{ sku: string; on_hand: number }>`select sku, on_hand from inventory.levels`
  const wrong = rows.filter((row) => row.on_hand !== truth.get(row.sku))
  expect(wrong.map((row) => `${row.sku}: ${row.on_hand}, really ${truth.get(row.sku)}`)).toEqual([])
  expect(rows).toHaveLength(skus.length)
  expect(await verifyInventory(engine.db)).toEqual([])
}

const points = ['committed', 'feed-applied', 'feed-marked']

for (const point of points) {
  seededTest(
    `a count is applied while orders go on and a process that applies it is killed at ${point}: each row once, no order forgotten`,
    async (random, seed) => {
      const name = `${point}-${seed}`
      await feed(name)
      let found = new Map<string, number>()
      let run: Run
      {
        await using orders = startOrders(random)
        await orders.more(50)
        answer = async () => {
          found = surprises(random)
          const counted = await count(found)
          await orders.more(50)
          return listing(rowsOf(counted))
        }
        run = await startRun(engine.db, { feed: name, origin: 'request' })
        expect(await startHost(`${point}=kill@1`).ended).toBe('SIGKILL')
        await orders.more(50)
        const heir = startHost()
        run = await rested(run.id)
        heir.kill()
        await heir.ended
      }
      const { status, rows, changed, unchanged, applied, failed } = run
      expect({ status, rows, changed, unchanged, applied, failed }).toEqual({
        status: 'done',
        rows: skus.length,
        changed: found.size,
        unchanged: skus.length - found.size,
        applied: found.size,
        failed: 0,
      })
      const told = await engine.db<{ entity: string; delta: number }>`
        select entity, (data ->> 'newQuantity')::int - (data ->> 'previousQuantity')::int as delta
        from   lockstep.events
        where  meta ->> 'correlationId' = ${`feed-run-${run.id}`} and data ->> 'trigger' = 'SCHEDULED_SYNC' and type = 'stock.updated'`
      expect(told.map(({ entity, delta }) => [entity.replace('stock/', ''), delta]).sort()).toEqual([...found].sort())
      await expectTrue()
    },
  )
}

test('every point at which the process was to be killed was reached', () => {
  expect([...new Set(readFileSync(failpointLog, 'utf8').trim().split('\n'))].sort()).toEqual([...points].sort())
})

test('a feed cut to 5 %, doubled, or without its header is held with the reasons while orders go on, and moves nothing; the whole one is done', async () => {
  const random = randomOf(7)
  await feed('hurt')
  const host = startHost()
  {
    await using orders = startOrders(random)
    const next = async (damage: (rows: string[]) => string, found = new Map<string, number>()) => {
      answer = async () => damage(rowsOf(await count(found)))
      const { id } = await startRun(engine.db, { feed: 'hurt', origin: 'request', forced: true })
      const { status, reasons, applied } = await rested(id)
      return { id, status, applied, reasons: reasons.map(({ code }) => code) }
    }
    const whole = await next(listing)
    expect(whole).toMatchObject({ status: 'done', reasons: [] })
    const held = { status: 'held', applied: 0 }
    const found = surprises(random)
    const cut = await next((rows) => listing(rows.slice(0, rows.length / 20)), found)
    expect(cut).toMatchObject({ ...held, reasons: ['rows-lost', 'much-removed'] })
    const doubled = await next((rows) => listing([...rows, ...rows]), found)
    expect(doubled).toMatchObject({ ...held, reasons: ['repeated-keys', 'rows-refused'] })
    const headless = await next((rows) => rows.join('\n'), found)
    expect(headless).toMatchObject({ ...held, reasons: ['unreadable'] })
    await orders.more(50)
    const moved = await engine.db`
      select from lockstep.events where meta ->> 'correlationId' = any(${[cut, doubled, headless].map(({ id }) => `feed-run-${id}`)}::text[])`
    expect(moved.count).toBe(0)
    expect(await next(listing, found)).toMatchObject({ status: 'done', applied: found.size, reasons: [] })
    expect((await getRun(engine.db, headless.id)).status).toBe('superseded')
  }
  host.kill()
  await host.ended
  await expectTrue()
  await deleteFeed(engine.db, 'hurt')
}, 180_000)
