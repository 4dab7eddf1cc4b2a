/** Rows that somebody else holds: waits for them, notes who is in the way, and turns those away who waited in vain. */
import type { Job } from './batch.ts'
import type { Database, Session, Sql } from './database.ts'
import type { EntityId, Fact, Source } from './decider.ts'
import { type Holder, holdersBefore, sessionOf } from './holders.ts'
import { Unavailable } from './unavailable.ts'

/** A batch that already holds rows waits no longer than this for the others before it lets go and comes again: else whoever wants those waits too. */
const HOLD_MS = 150

export class HeldRows<State, Command, F extends Fact> {
  readonly #db: Database
  readonly #source: Source<State, Command, F>
  readonly #waitMs: number
  readonly #afterwardsMs: number
  #waiting = false
  /** Who held the rows that were last waited for, the longest transaction first. */
  #holders: Holder[] = []

  /** `waitMs` is how long a command may wait for its rows, `afterwardsMs` the lock timeout for the rest of its transaction. */
  constructor(
    db: Database,
    source: Source<State, Command, F>,
    { waitMs, afterwardsMs }: { waitMs: number; afterwardsMs: number },
  ) {
    this.#db = db
    this.#source = source
    this.#waitMs = waitMs
    this.#afterwardsMs = afterwardsMs
  }

  /** Still waiting for rows; a lock timeout later on is about the log's head. */
  get waiting(): boolean {
    return this.#waiting
  }

  /** Loads under locks, and notes who is in the way while it waits for them. */
  async load(session: Session, ids: EntityId[]) {
    const waitMs = ids.length === 1 ? this.#waitMs : Math.min(this.#waitMs, HOLD_MS)
    this.#waiting = true
    const look = setInterval(async () => {
      const holders = await holdersBefore(this.#db, session.pid).catch(() => [])
      if (holders.length > 0) this.#holders = holders
    }, waitMs / 4)
    try {
      const [, loaded] = await Promise.all([
        lockTimeout(session, waitMs),
        this.#source.store.load(session, ids, { skipLocked: false }),
      ])
      await lockTimeout(session, this.#afterwardsMs)
      this.#waiting = false
      return loaded
    } finally {
      clearInterval(look)
    }
  }

  /** After waiting in vain: commands for rows still held are turned away with the holder's pid once their time is over; answers the others, who come again. */
  async turnAway(jobs: Job<Command>[]): Promise<Job<Command>[]> {
    const ids = [...new Set(jobs.flatMap((job) => job.touches))]
    const blocked = await this.#db
      .begin(async (tx) => new Set((await this.#source.store.load(tx, ids, { skipLocked: true })).blocked))
      .catch(() => undefined)
    return jobs.filter((job) => {
      const entity = job.touches.find((id) => blocked?.has(id))
      const waitedMs = performance.now() - (job.waitingSince ??= performance.now())
      if (blocked && (!entity || waitedMs < this.#waitMs)) return true
      const message = `${entity ?? 'what the command touches'} is held by ${sessionOf(this.#holders[0])}; come again`
      job.reject(new Unavailable(message, { entity, blockedBy: this.#holders.map((holder) => holder.pid) }, 1, 'lock'))
      return false
    })
  }
}

/** For the rest of the transaction. */
export const lockTimeout = (sql: Sql, ms: number) =>
  sql`select set_config('lock_timeout', ${String(Math.round(ms))}, true)`
