import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Database, openDatabase } from '../../src/engine/database.ts'
import { headHolder } from '../../src/engine/log.ts'
import { createTestDatabase } from '../database.ts'
import { expectSound } from './checker.ts'
import { openWire } from './network.ts'
import { BUSY_MS, until } from './ownership.ts'
import { seededTest } from './seed.ts'
import { isStopped, startHost } from './supervisor.ts'
import { quantile, startWorkload } from './workload.ts'

/** Whoever stalls between append and commit is ended by Postgres after a second, and after another one what stood behind it in the same process. */
const OTHERS_MS = 3_000
/** So long a dead wire stays dead: somebody who waited for it would show. */
const DEAD_MS = OTHERS_MS + BUSY_MS + 1_000

async function pidOf(db: Database, application: string): Promise<number[]> {
  const rows = await db<{ pid: number }>`select pid from pg_stat_activity where application_name = ${application}`
  return rows.map((row) => row.pid)
}

seededTest(
  'a process stopped between append and commit holds up nobody for long, and commits nothing when it wakes up',
  async (random) => {
    const { url } = await createTestDatabase()
    const db = openDatabase(url)
    const stalled = await startHost(url, { failpoints: `after-append=stop@${random.between(2, 10)}` })
    const other = await startHost(url)
    const its = startWorkload(() => stalled, random, { callers: 10, each: 20, entities: 10 })
    const others = startWorkload(() => other, random, { callers: 10, entities: 10 })
    await until(() => isStopped(stalled.pid))

    const holder = await headHolder(db)
    expect(await pidOf(db, stalled.name)).toContain(holder?.pid)
    expect(holder?.application).toBe(stalled.name)
    await until(async () => (await headHolder(db))?.pid !== holder?.pid, OTHERS_MS + BUSY_MS)
    const before = others.calls.length
    await until(() => others.calls.length > before + 50) // they go on while it is still stopped
    stalled.wake()
    await its.finish()
    await others.finish()

    expect(quantile(others.latenciesMs, 0.99)).toBeLessThan(OTHERS_MS + BUSY_MS)
    await expectSound(db, [...its.calls, ...others.calls])
    expect([...stalled.unhandled, ...other.unhandled]).toEqual([])
    await Promise.all([stalled.close(), other.close()])
    await db.close()
  },
)

for (const { where, text } of [
  { where: 'between append and commit', text: '\0commit\0' },
  { where: 'before the append', text: 'update lockstep.head' },
]) {
  seededTest(
    `a wire that dies ${where} holds up other writers for at most three seconds, and its callers get their outcome through their keys`,
    async (random) => {
      const { url } = await createTestDatabase()
      const db = openDatabase(url)
      const wire = await openWire(url)
      const cutOff = await startHost(wire.url)
      const other = await startHost(url)
      const gone = wire.swallowFrom(text)
      const its = startWorkload(() => cutOff, random, { callers: 10, each: 10, entities: 10 })
      const others = startWorkload(() => other, random, { callers: 10, entities: 10 })
      await gone
      await pause(DEAD_MS)
      wire.heal()
      await its.finish()
      await others.finish()
      expect(quantile(others.latenciesMs, 0.99)).toBeLessThan(OTHERS_MS + BUSY_MS)
      expect(Math.max(...others.latenciesMs)).toBeLessThan(OTHERS_MS + BUSY_MS)
      await expectSound(db, [...its.calls, ...others.calls])
      expect([...cutOff.unhandled, ...other.unhandled]).toEqual([])
      await Promise.all([cutOff.close(), other.close()])
      await db.close()
    },
  )
}

seededTest(
  'a commit that arrived but whose answer is lost is found again through the key, not carried out twice',
  async (random) => {
    const { url } = await createTestDatabase()
    const db = openDatabase(url)
    const wire = await openWire(url)
    const host = await startHost(wire.url)
    const workload = startWorkload(() => host, random, { callers: 10, each: 20, entities: 5 })
    for (let n = 0; n < 5; n++) await wire.loseAnswer('COMMIT\0')
    await workload.finish()
    await expectSound(db, workload.calls)
    expect(host.unhandled).toEqual([])
    await host.close()
    await db.close()
  },
)
