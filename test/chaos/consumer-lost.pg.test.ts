import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { testEngine } from '../../src/testing.ts'
import { createTestDatabase } from '../database.ts'
import { notesService } from '../notes.ts'
import { delivered, expectSound, oneLeader, watch } from './checker.ts'
import { openWire } from './network.ts'
import { BUSY_MS, caughtUp, owns, until } from './ownership.ts'
import { type Random, seededTest } from './seed.ts'
import { failpointsHit, isStopped, startHost } from './supervisor.ts'
import { startWorkload } from './workload.ts'

/** From the moment its owner is lost, a consumer has a new one after so long: a missed beat or three, and the standby's turn. */
const TAKEOVER_MS = 2_000

/** A writer in this process; a leader that owns both consumers and will be lost at a failpoint or by hand; a standby. */
async function scene(random: Random, failpoints: string) {
  const { url } = await createTestDatabase()
  const { engine, services } = await testEngine(url, (engine) => [notesService(engine)])
  const notes = services[0]
  if (!notes) throw new Error('no service')
  const db = openDatabase(url)
  await watch(db)
  const leader = await startHost(url, { consume: true, failpoints })
  await owns(db, leader.name)
  const standby = await startHost(url, { consume: true })
  const workload = startWorkload(() => notes, random, { callers: 4, pauseMs: 5 })
  return {
    db,
    leader,
    standby,
    workload,
    async heal() {
      await workload.finish()
      await caughtUp(db)
      await expectSound(db, workload.calls)
      expect([...(await delivered(db)), ...(await oneLeader(db))]).toEqual([])
      expect([...leader.unhandled, ...standby.unhandled]).toEqual([])
      await leader.close()
      await standby.close()
      await engine.close()
      await db.close()
    },
  }
}

for (const point of ['after-apply', 'consumer-committed']) {
  seededTest(
    `when a consumer's process is killed at ${point}, the standby goes on within two seconds and does nothing twice`,
    async (random) => {
      const { db, leader, standby, heal } = await scene(random, `${point}=kill@${random.between(2, 30)}`)
      expect(await leader.exited).toBe('SIGKILL')
      expect(await owns(db, standby.name)).toBeLessThan(TAKEOVER_MS + BUSY_MS)
      await heal()
    },
  )

  seededTest(
    `when a consumer's process is stopped at ${point} and wakes up after the standby took over, it is fenced off`,
    async (random) => {
      const { db, leader, standby, heal } = await scene(random, `${point}=stop@${random.between(2, 30)}`)
      await until(() => isStopped(leader.pid))
      expect(await owns(db, standby.name)).toBeLessThan(TAKEOVER_MS + BUSY_MS)
      await pause(500) // the standby gets ahead
      leader.wake()
      await pause(1_000)
      expect(leader.isRunning()).toBe(true)
      await heal()
    },
  )
}

seededTest(
  'a process frozen at any moment and woken up later, again and again, never shares a consumer',
  async (random) => {
    const { db, leader, standby, heal } = await scene(random, '')
    for (const [frozen, other] of [
      [leader, standby],
      [standby, leader],
      [leader, standby],
    ] as const) {
      await pause(random.between(0, 200))
      frozen.freeze()
      expect(await owns(db, other.name)).toBeLessThan(TAKEOVER_MS + BUSY_MS)
      await pause(random.between(0, 300))
      frozen.wake()
    }
    await heal()
  },
)

seededTest('a step that was committed but whose answer was lost on the way is not done again', async (random) => {
  const { url } = await createTestDatabase()
  const { engine, services } = await testEngine(url, (engine) => [notesService(engine)])
  const notes = services[0]
  if (!notes) throw new Error('no service')
  const db = openDatabase(url)
  await watch(db)
  const wire = await openWire(url)
  const host = await startHost(wire.url, { consume: true })
  await owns(db, host.name)
  const workload = startWorkload(() => notes, random, { callers: 4, pauseMs: 5 })
  for (let n = 0; n < 10; n++) {
    await wire.loseAnswer('COMMIT\0')
    await pause(random.between(20, 80))
  }
  await workload.finish()
  await caughtUp(db)
  await expectSound(db, workload.calls)
  expect([...(await delivered(db)), ...(await oneLeader(db))]).toEqual([])
  expect(host.unhandled).toEqual([])
  await host.close()
  await engine.close()
  await db.close()
})

test('every point at which a consumer was to be lost was reached', () => {
  expect(Object.keys(failpointsHit()).sort()).toEqual(['after-apply', 'consumer-committed'])
})
