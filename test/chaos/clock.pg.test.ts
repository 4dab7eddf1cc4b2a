/** Two processes whose clocks are hours apart, and are set back and forth meanwhile: what is due is decided by the database's clock. */
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { verifyInventory } from '../../src/services/inventory/verify.ts'
import { createTestDatabase } from '../database.ts'
import { delivered, logIsSound } from './checker.ts'
import { caughtUp, owns, until } from './ownership.ts'
import { type Host, startHost } from './supervisor.ts'

const hour = 3_600_000

async function startPair() {
  const { url } = await createTestDatabase()
  const shop = { inventory: true, consume: true, poison: true }
  const ahead = await startHost(url, { ...shop, clockShiftsMs: [hour, -hour / 6] })
  const behind = await startHost(url, { ...shop, clockShiftsMs: [-hour, hour] })
  return { db: openDatabase(url), ahead, behind, hosts: [ahead, behind] as const }
}

const outcome = (done: Promise<unknown>) =>
  done.then(
    () => 'done',
    (error) => error.code as string,
  )
const order = (host: Host, orderId: string, quantity: number) =>
  outcome(host.execute({ type: 'order', orderId, lines: [{ sku: 'KIT', quantity }] }))
const reserve = (host: Host, reservationId: string, ttlSeconds: number) =>
  outcome(host.execute({ type: 'reserve', reservationId, lines: [{ sku: 'KIT', quantity: 5 }], ttlSeconds }))

test('a reservation ends by the database’s clock, whatever the processes’ own say: never early, and at once when it is over', async () => {
  const { db, ahead, behind, hosts } = await startPair()
  await ahead.execute({ type: 'set-initial', sku: 'KIT', productId: 'p', warehouseId: 'main', quantity: 10 })
  expect([await reserve(ahead, 'a-long', 600), await reserve(behind, 'b-long', 600)]).toEqual(['done', 'done'])
  const held = await db<{ seconds: number }>`
    select extract(epoch from expires_at - created_at)::float8 as seconds from inventory.reservations`
  for (const { seconds } of held) expect([seconds > 570, seconds <= 600]).toEqual([true, true])
  const reservationIds = ['a-long', 'b-long']
  for (const round of ['first', 'set']) {
    for (const [n, host] of hosts.entries()) {
      await host.execute({ type: 'expire', reservationIds })
      expect(await order(host, `${round}-${n}`, 1)).toBe('insufficient-stock')
      host.jump()
    }
  }
  expect(await db`select on_hand, reserved from inventory.levels`).toEqual([{ on_hand: 10, reserved: 10 }])

  for (const reservationId of reservationIds) await ahead.execute({ type: 'release', reservationId })
  expect([await reserve(ahead, 'a-short', 1), await reserve(behind, 'b-short', 1)]).toEqual(['done', 'done'])
  await until(async () => {
    const open = await db`select from inventory.reservations where status = 'held' and expires_at > clock_timestamp()`
    return open.count === 0
  })
  expect([await order(behind, 'late-a', 5), await order(ahead, 'late-b', 5)]).toEqual(['done', 'done'])
  expect(await db`select on_hand, reserved from inventory.levels`).toEqual([{ on_hand: 0, reserved: 0 }])
  expect(await verifyInventory(db)).toEqual([])
  for (const host of hosts) expect(host.unhandled).toEqual([])
  for (const host of hosts) await host.close()
  await db.close()
}, 120_000)

test('a failure is tried again when it is due, though the process that goes on has another clock; everything else arrives', async () => {
  const { db, ahead, behind } = await startPair()
  await owns(db, ahead.name, ['copies', 'diary', 'eaten', 'tasted'])
  await ahead.execute({ id: 'bad', text: 'throws' }, { key: 'bad' })
  await until(async () => (await db`select from lockstep.failures where attempts > 0`).count === 2)
  await ahead.kill()
  for (let n = 0; n < 20; n++) {
    await behind.execute({ id: `good-${n}`, text: 'good' }, { key: `good-${n}` })
    if (n === 10) behind.jump()
  }
  await caughtUp(db, ['copies', 'diary', 'eaten', 'tasted'])
  await until(async () => (await db`select from lockstep.failures where state = 'dead' and attempts = 3`).count === 2)
  // Ids of events carry their process's clock: it was wrong indeed, both ways, and the time of no event is.
  const [row] = await db<{ early: number; eaten: number; slow: boolean; fast: boolean }>`
    select (select count(*)::int from lockstep.events where at > clock_timestamp()) as early, (select count(*)::int from eaten) as eaten,
           bool_or(uuid_extract_timestamp(id) < at - interval '50 minutes') as slow, bool_or(uuid_extract_timestamp(id) > at + interval '50 minutes') as fast
    from   lockstep.events`
  expect(row).toEqual({ early: 0, eaten: 20, slow: true, fast: true })
  expect([...(await delivered(db)), ...(await logIsSound(db))]).toEqual([])
  expect(behind.unhandled).toEqual([])
  await behind.close()
  await db.close()
}, 120_000)
