import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { applySchema, stockEvent } from '../../../test/made-events.ts'
import { type Database, openDatabase } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { listNotifications } from './routes.ts'
import { stockAlerts } from './stock-alerts.ts'

let db: Database
let logged: Record<string, unknown>[]
const log = pino({ level: 'warn' }, { write: (line: string) => void logged.push(JSON.parse(line)) })
const alerts = stockAlerts(log)

beforeAll(async () => {
  db = openDatabase((await createTestDatabase()).url)
  await applySchema(db, new URL('./schema/', import.meta.url))
})
beforeEach(async () => {
  logged = []
  await db`truncate notifications.sent`
})
afterAll(() => db.close())

const { signal } = new AbortController()
const handle = (event: LoggedEvent) =>
  db.begin((tx) => alerts.handle(event, { tx, idempotencyKey: event.id, attempt: 1, signal }))

test('low and out of stock are told once each, however often the event comes', async () => {
  const low = stockEvent('a', 1, 3, { type: 'stock.low', trigger: 'ORDER_CONFIRMED' })
  const out = stockEvent('a', 2, 0, { type: 'stock.out', trigger: 'ORDER_CONFIRMED' })
  for (const event of [low, low, out, low]) await handle(event)
  expect(logged).toMatchObject([
    { msg: 'low stock', productId: 'a', sku: 'a-1', available: 3, eventId: low.id },
    { msg: 'out of stock', available: 0, eventId: out.id },
  ])
  expect(await listNotifications(db, Number.MAX_SAFE_INTEGER, 10)).toMatchObject([
    { eventId: out.id, type: 'stock.out' },
    { eventId: low.id, type: 'stock.low' },
  ])
})

test('a scheduled sync tells nobody', async () => {
  await handle(stockEvent('a', 1, 0, { type: 'stock.out', trigger: 'SCHEDULED_SYNC' }))
  expect([logged, await listNotifications(db, Number.MAX_SAFE_INTEGER, 10)]).toEqual([[], []])
})
