import { readFile } from 'node:fs/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { stockEvent } from '../../test/made-events.ts'
import { openDatabase } from '../engine/database.ts'
import { append } from '../engine/log.ts'
import { normalProduct } from '../services/catalog/product.ts'
import { readConfig } from './config.ts'
import { openAuth } from './http/auth.ts'
import { buildServer, httpDefaults } from './http/server.ts'
import { createMetrics, successOf } from './metrics.ts'
import { openSystem, type System } from './system.ts'

const metrics = createMetrics()
const log = pino({ level: 'silent' })
let system: System

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const config = readConfig({
    DATABASE_URL: url,
    LOCKSTEP_JWT_SECRET: 'x'.repeat(32),
    LOCKSTEP_LOCK_TIMEOUT_MS: '1000',
  })
  const { applied, committed, turnedAway } = metrics
  system = await openSystem(config, {
    log,
    serve: ['inventory', 'storefront', 'analytics'],
    applied,
    committed,
    turnedAway,
  })
  metrics.follow(system.engine, system.services.storefront)
  await system.engine.db`
    insert into notifications.mails (id, template, data, due_at, state)
    select uuidv7(), 'stock-alert', '{}', now(), 'failed' from generate_series(1, 2)`
  await buildServer({
    settings: httpDefaults,
    auth: openAuth({ secret: 'x'.repeat(32) }),
    log,
    metrics: metrics.registry,
    version: '0',
    services: [],
  })
})
afterAll(() => system.close())

test('every metric that an alert reads is measured', async () => {
  const rules = await readFile(new URL('../../docs/alerts.yml', import.meta.url), 'utf8')
  const text = await metrics.registry.metrics()
  const served = new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name))
  const read = [...rules.matchAll(/^ +expr: (.+)$/gm)].flatMap(
    ([, expr = '']) => expr.match(/\b[a-z]+(?:_[a-z]+)+(?=[ [{])/g) ?? [],
  )
  expect(read.length).toBeGreaterThanOrEqual(8)
  const missing = read.filter((name) => !served.has(name) && !served.has(name.replace(/_(bucket|count)$/, '')))
  expect(missing).toEqual([])
})

test('what is published, handled and failing is told', async () => {
  const { db } = system.engine
  const { type, key, entity, version, source, data } = stockEvent('lamp', 1, 3)
  await db.begin((tx) => append(tx, [{ type, key, entity, version, source, data }]))
  await system.engine.settle()
  const text = await metrics.registry.metrics()
  expect(text).toContain('lockstep_log_position 1')
  expect(text).toContain('lockstep_handled_total{consumer="analytics"} 1')
  expect(text).toMatch(/lockstep_retrying\{consumer="analytics"\} 0/)
  expect(text).toContain('lockstep_live_readers 0')
  expect(text).toContain('lockstep_mails{state="failed"} 2')
  expect(text).toMatch(/lockstep_sync_success_ratio (1|0\.\d+)/)
})

test.each([
  [[], 1],
  [[{ position: 0, retrying: 0, dead: 0 }], 1],
  [
    [
      { position: 1_000, retrying: 1, dead: 0 },
      { position: 1_000, retrying: 0, dead: 1 },
    ],
    0.999,
  ],
  [[{ position: 1, retrying: 5, dead: 5 }], 0],
])('%j is a success rate of %d', (consumers, rate) => {
  expect(successOf(consumers)).toBeCloseTo(rate)
})

test('commands that wait and that are turned away are counted, those that break a rule are not', async () => {
  const { engine, services } = system
  const make = () =>
    services.catalog.execute({
      type: 'create',
      product: normalProduct({
        id: 'held',
        title: 'Held',
        variants: [{ sku: 'HELD', price: { amount: 1, currency: 'EUR' } }],
      }),
    })
  await make()
  await expect(make()).rejects.toThrow('held')
  const stranger = openDatabase(engine.db.url, { idleInTransactionMs: 0, deadlineMs: 0 })
  const session = await stranger.reserve()
  await session`begin`
  await session`select from catalog.products where id = 'held' for update`
  const refused = (error: unknown) => error
  const first = make().catch(refused)
  const waits = async () =>
    (await stranger`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
      .length
  await expect.poll(waits, { interval: 5 }).toBe(1)
  const second = make().catch(refused)
  await expect
    .poll(() => metrics.registry.metrics(), { interval: 5 })
    .toContain('lockstep_commands_waiting{source="products"} 1')
  for (const each of [first, second]) expect(await each).toMatchObject({ name: 'Unavailable', reason: 'lock' })
  await session`rollback`
  session.release()
  await stranger.close()
  const text = await metrics.registry.metrics()
  expect(text.match(/^lockstep_commands_refused_total\{.*/gm)).toEqual([
    'lockstep_commands_refused_total{source="products",reason="lock"} 2',
  ])
  expect(text).toContain('lockstep_commands_waiting{source="products"} 0')
})
