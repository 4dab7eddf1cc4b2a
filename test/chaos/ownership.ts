/** Who runs a consumer, as the database sees it. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '../../src/engine/database.ts'

/** What a machine that does other things at the time may add to any limit. */
export const BUSY_MS = 4_000

/** Nothing that is waited for takes so long; the limits of a promise are given where it is asserted. */
const NEVER_MS = 60_000

/** Resolves once this process owns the consumers, with the milliseconds that took. */
export async function owns(db: Database, name: string, consumers = ['copies', 'diary']): Promise<number> {
  const since = performance.now()
  for (;;) {
    const rows = await db`select from lockstep.consumers where owner = ${name} and name = any(${consumers}::text[])`
    if (rows.count === consumers.length) return performance.now() - since
    if (performance.now() - since > NEVER_MS) throw new Error(`${name} does not own ${consumers.join(' and ')}`)
    await pause(10)
  }
}

/** Resolves once these consumers have handled everything that is in the log now. */
export async function caughtUp(db: Database, consumers = ['copies', 'diary']): Promise<void> {
  const since = performance.now()
  const [head] = await db<{ position: number }>`select position from lockstep.head`
  for (;;) {
    const [row] = await db<{ behind: string | null }>`
      select string_agg(format('%s at %s', name, position), ', ') as behind
      from   lockstep.consumers where position < ${head?.position} and name = any(${consumers}::text[])`
    if (!row?.behind) return
    if (performance.now() - since > NEVER_MS) throw new Error(`not caught up with ${head?.position}: ${row.behind}`)
    await pause(20)
  }
}

/** Resolves once it is true; looks often. */
export async function until(isTrue: () => boolean | Promise<boolean>, withinMs = NEVER_MS): Promise<void> {
  const since = performance.now()
  while (!(await isTrue())) {
    if (performance.now() - since > withinMs) throw new Error(`not within ${withinMs} ms: ${isTrue}`)
    await pause(10)
  }
}
