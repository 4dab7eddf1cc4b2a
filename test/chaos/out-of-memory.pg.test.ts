/**
 * A heap of 96 MB, and more to do than fits into it: either it is done piece by piece, or each death makes the next steps smaller. PROOF has a million
 * events; here it is a log of 5,000, most of them of 12 kB, as two cores are done with them in seconds.
 */
import { expect } from 'vitest'
import { type Database, openDatabase } from '../../src/engine/database.ts'
import { createTestDatabase } from '../database.ts'
import { delivered, expectSound, oneLeader, watch } from './checker.ts'
import { until } from './ownership.ts'
import { seededTest } from './seed.ts'
import { startHost } from './supervisor.ts'

const node = ['--max-old-space-size=96']
/** A step gets sixteen times smaller with each loss, from 8,000 events to one in four; and a process may be lost before it comes to its first step. */
const LOSSES_MOST = 6

/** Consumers that are not at the log's end. */
async function behind(db: Database): Promise<number> {
  const [row] = await db<{ n: number }>`
    select count(*)::int as n from lockstep.consumers where position < (select position from lockstep.head)`
  return row?.n ?? 0
}

seededTest(
  'with a small heap a backlog of small events and then large ones is worked off, in few deaths if any',
  async (random) => {
    const { url } = await createTestDatabase()
    const db = openDatabase(url, { deadlineMs: 60_000 })
    await (await startHost(url)).close() // makes the tables
    await watch(db)
    const small = random.between(1_000, 2_000)
    await db`
      insert into lockstep.events (position, type, key, entity, version, source, at, data, meta)
      select n, 'note.written', n % 2000, 'note/' || n % 2000, (n + 1999) / 2000, 'notes', clock_timestamp(),
             json_build_object('text', n || repeat('x', case when n > ${small} then 12000 else 50 end)), '{}'
      from   generate_series(1, 5_000) n`
    await db`update lockstep.head set position = 5_000`
    await db`insert into notes (id, version, text) select entity, max(version), '' from lockstep.events group by entity`
    await db`update lockstep.consumers set position = 0`

    for (let losses = 0; (await behind(db)) > 0; ) {
      const host = await startHost(url, { consume: true, node })
      await until(async () => !host.isRunning() || (await behind(db)) === 0, 120_000)
      if (host.isRunning()) {
        expect(host.unhandled).toEqual([])
        await host.close()
      } else expect(++losses).toBeLessThanOrEqual(LOSSES_MOST)
    }
    await expectSound(db)
    expect([...(await delivered(db)), ...(await oneLeader(db))]).toEqual([])
    expect(await db`select from lockstep.failures`).toHaveLength(0)
    await db.close()
  },
  300_000,
)
