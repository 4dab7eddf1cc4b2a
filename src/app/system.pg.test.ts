import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { listConsumers } from '../engine/consumers.ts'
import { openDatabase, type Sql } from '../engine/database.ts'
import type { Service } from '../engine/service.ts'
import { normalProduct } from '../services/catalog/product.ts'
import { type Config, readConfig } from './config.ts'
import { createMetrics } from './metrics.ts'
import { openSystem, type System } from './system.ts'
import { rules, verify } from './verify.ts'

let config: Config
let system: System
const log = pino({ level: 'silent' })
const metrics = createMetrics()

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-system-'))
  config = readConfig({ DATABASE_URL: url, LOCKSTEP_JWT_SECRET: 'x'.repeat(32), LOCKSTEP_DATA: folder })
  const { applied, committed } = metrics
  system = await openSystem(config, { log, serve: ['catalog', 'inventory', 'search'], applied, committed })
  metrics.follow(system.engine)
  return () => rm(folder, { recursive: true })
})

afterAll(() => system.close())

test('a process that serves some makes only their consumers known, and a command beside it none', async () => {
  const names = async () => (await listConsumers(system.engine.db)).map(({ name }) => name)
  expect(await names()).toEqual(['catalog', 'inventory', 'search'])
  const beside = await openSystem(config, { log })
  await beside.close()
  expect(await names()).toEqual(['catalog', 'inventory', 'search'])
})

test('in a database that nobody served yet, a command makes all consumers known', async () => {
  const { url } = await createTestDatabase()
  const first = await openSystem({ ...config, databaseUrl: url }, { log })
  const known = await listConsumers(first.engine.db)
  const all: Service[] = Object.values(first.services)
  const consumers = all.flatMap((service) => service.consumers ?? []).map(({ name }) => name)
  expect(known.map(({ name }) => name)).toEqual(consumers.sort())
  await first.close()
})

test('metrics have document B’s names and tell of commands, application and lag', async () => {
  const { catalog, inventory } = system.services
  const variants = [{ sku: 'L1', price: { amount: 100, currency: 'EUR' } }]
  await catalog.execute({ type: 'create', product: normalProduct({ id: 'lamp', title: 'Lamp', variants }) })
  await system.engine.settle()
  const order = inventory.execute({ type: 'order', orderId: 'o1', lines: [{ sku: 'L1', quantity: 1 }] })
  await expect(order).rejects.toThrow('0 available')
  await system.engine.settle()
  const text = await metrics.registry.metrics()
  expect(text).toContain('lockstep_commands_total{source="products"} 1')
  expect(text).toMatch(/lockstep_consumer_lag_events\{consumer="search"\} [0-9]/)
  expect(text).toContain('inventory_update_failures_total 1')
  expect(text).toContain('out_of_stock_products_total 1')
  expect(text).toContain('dlq_message_count 0')
  expect(text).toMatch(/inventory_update_lag_ms [0-9]/)
  expect(text).toMatch(/lockstep_applied_seconds_count\{consumer="search"\} [1-9]/)
})

test('verify finds a hole in the log, a version left out, and a product that is not as its events', async () => {
  const { db } = system.engine
  const all = rules(Object.values(system.services), ['search'])
  const findings = () => verify(db, all, () => {})
  expect(await findings()).toEqual([])
  await db`update catalog.products set version = version + 1`
  await db`delete from lockstep.events where position = 2`
  const found = await findings()
  expect(found).toContainEqual(expect.objectContaining({ what: 'position 2', detail: 'missing up to 2' }))
  expect(found).toContainEqual(
    expect.objectContaining({ what: 'product/lamp', detail: 'the state is at 2, the log at 1' }),
  )
  expect(found.some(({ rule }) => rule.startsWith('search:'))).toBe(true)
})

test('verify that is told to stop while a rule is being asked cancels its query and ends at once', async () => {
  const { url } = system.engine.db
  const db = openDatabase(url, { deadlineMs: 0, idleInTransactionMs: 0 })
  onTestFinished(() => db.close())
  const asking = async () =>
    (
      await system.engine.db<{ pid: number }>`
      select pid from pg_stat_activity
      where  datname = current_database() and state = 'active' and query like '%pg_sleep(600%' and pid <> pg_backend_pid()`
    ).length
  const endless = { name: 'endless', check: (tx: Sql) => tx`select pg_sleep(600) from (values (1)) v` }
  const stop = new AbortController()
  const told: string[] = []
  const verified = verify(db, [endless as never, endless as never], ({ name }) => told.push(name), stop.signal).catch(
    (error) => error,
  )
  await expect.poll(asking, { timeout: 20_000 }).toBe(1)
  stop.abort()
  expect(await verified).toMatchObject({ name: 'AbortError' })
  expect(await asking()).toBe(0)
  expect(told).toEqual([])
}, 30_000)
