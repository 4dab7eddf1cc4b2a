/**
 * Old events leave the log by partition, a million positions at a time, once every consumer is past them. The last event of each type of each entity
 * stays where it was: projections can be rebuilt, sync status and states are as before; what is gone is history.
 */
import { type Database, openDatabase, type Sql } from './database.ts'
import { pause } from './deadline.ts'

const EVERY_MS = 60_000

/** Thins the oldest partition if it may be; answers up to which position, or undefined when all must stay. */
export async function thinOldest(db: Pick<Database, 'reserve'>, days: number, signal?: AbortSignal) {
  const session = await db.reserve()
  const stop = () => session.release('whether it was done or not, all is well')
  signal?.addEventListener('abort', stop)
  try {
    const [row] = await session<{ upTo: number | null }>`
      select lockstep.thin_oldest_partition(${days} * interval '1 day') as "upTo"`
    return row?.upTo ?? undefined
  } finally {
    signal?.removeEventListener('abort', stop)
    session.release()
  }
}

/** Thins what is older than so many days, until the signal. Any number of processes may: one at a time does it. */
export async function retain(
  url: string,
  name: string,
  days: number,
  signal: AbortSignal,
  warn: (error: unknown) => void,
) {
  // Copying what is kept of a million events takes seconds.
  const db = openDatabase(url, { name, max: 1, deadlineMs: 0 })
  try {
    while (!signal.aborted) {
      try {
        while (!signal.aborted && (await thinOldest(db, days, signal)) !== undefined);
      } catch (error) {
        if (!signal.aborted) warn(error)
      }
      await pause(EVERY_MS, signal)
    }
  } finally {
    await db.close()
  }
}

/** Up to this position events may be missing. */
export async function thinnedUpTo(sql: Sql): Promise<number> {
  const [row] = await sql<{ position: number }>`select position from lockstep.thinned`
  return row?.position ?? 0
}
