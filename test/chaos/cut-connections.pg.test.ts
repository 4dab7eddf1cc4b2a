import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { testEngine } from '../../src/testing.ts'
import { createTestDatabase } from '../database.ts'
import { notesService } from '../notes.ts'
import { delivered, expectSound, keylessAcknowledged, oneLeader, watch } from './checker.ts'
import { openWire } from './network.ts'
import { BUSY_MS, caughtUp, owns } from './ownership.ts'
import { seededTest } from './seed.ts'
import { startHost } from './supervisor.ts'
import { startWorkload } from './workload.ts'

seededTest(
  'with the wire to Postgres cut at any byte again and again, no command is lost or doubled and the process lives on',
  async (random) => {
    const { url } = await createTestDatabase()
    const db = openDatabase(url)
    const wire = await openWire(url)
    const host = await startHost(wire.url, { consume: true, options: { deadlineMs: 3_000, batchMost: 4 } })
    await watch(db)
    await owns(db, host.name)
    const keyed = startWorkload(() => host, random, { callers: 12, pauseMs: 3 })
    const keyless = startWorkload(() => host, random, { callers: 4, pauseMs: 3, keys: false })
    const until = performance.now() + 8_000
    while (performance.now() < until) {
      await pause(random.between(100, 700))
      const how = random.pick(['reset', 'close'] as const)
      wire.slice(random.pick([0, 0, 7, 64]))
      if (random() < 0.3) wire.cut(how)
      else wire.cutAfter(random.between(1, 4_000), how)
    }
    wire.heal()
    await keyed.finish()
    await keyless.finish()
    expect(host.unhandled).toEqual([]) // here already: an engine that ended never catches up
    await caughtUp(db)
    await expectSound(db, keyed.calls)
    expect(await keylessAcknowledged(db, keyless.calls)).toEqual([])
    expect([...(await delivered(db)), ...(await oneLeader(db))]).toEqual([])
    expect(host.unhandled).toEqual([])
    expect(host.isRunning()).toBe(true)
    expect(keyed.repeats + keyless.repeats).toBeLessThan(keyed.calls.length) // most were never noticed by their callers
    await host.close()
    await db.close()
  },
)

seededTest(
  'with Postgres out of reach for five seconds callers are turned away with a reason, and the process comes back by itself without a storm',
  async (random) => {
    const { url } = await createTestDatabase()
    const db = openDatabase(url)
    const wire = await openWire(url)
    const host = await startHost(wire.url, { consume: true, options: { deadlineMs: 1_000 } })
    await watch(db)
    await owns(db, host.name)
    const workload = startWorkload(() => host, random, { callers: 10, pauseMs: 5 })
    await pause(500)
    const before = wire.connections()
    wire.down()
    await pause(5_000)
    const attempts = wire.connections() - before
    const healed = performance.now()
    wire.heal()
    const { executed } = await settled(host)
    expect(executed).toBe(1)
    expect(performance.now() - healed).toBeLessThan(3_000 + BUSY_MS)
    await workload.finish()
    await caughtUp(db)
    expect(workload.repeats).toBeGreaterThan(0)
    expect(attempts).toBeLessThan(250)
    await expectSound(db, workload.calls)
    expect([...(await delivered(db)), ...(await oneLeader(db))]).toEqual([])
    expect(host.unhandled).toEqual([])
    await host.close()
    await db.close()
  },
)

seededTest('a process whose wire is cut while it starts to follow the log follows it all the same', async () => {
  const { url } = await createTestDatabase()
  const { engine, services } = await testEngine(url, (engine) => [notesService(engine)])
  const db = openDatabase(url)
  const wire = await openWire(url)
  const gone = wire.swallowFrom('listen ')
  const host = await startHost(wire.url, { consume: true })
  await gone
  wire.heal()
  await services[0]?.execute({ id: '1', text: 'a' })
  await caughtUp(db)
  expect(host.unhandled).toEqual([])
  await host.close()
  await engine.close()
  await db.close()
})

async function settled(host: Awaited<ReturnType<typeof startHost>>) {
  for (;;) {
    try {
      const { versions } = await host.execute({ id: 'back', text: 'again' }, { key: 'back', correlationId: 'back' })
      return { executed: versions['note/back'] }
    } catch {
      await pause(20)
    }
  }
}
