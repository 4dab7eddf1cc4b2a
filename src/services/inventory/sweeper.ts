/** Gives back what forgotten reservations hold, so that counters, events and projections follow even when nobody touches the SKU. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Database } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import type { Command } from './commands.ts'

const everyMs = 1_000
/** Reservations looked at in one go, and in one command: a command's SKUs are locked together. */
const most = 1_000
const atOnce = 20

export class Sweeper {
  readonly #db: Database
  readonly #execute: Executor<Command>['execute']
  readonly #log: Logger

  constructor(db: Database, execute: Executor<Command>['execute'], log: Logger) {
    this.#db = db
    this.#execute = execute
    this.#log = log
  }

  /** Several processes may sweep at once; expiring twice changes nothing. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        while ((await this.runOnce()) === most && !signal.aborted);
      } catch (error) {
        this.#log.warn({ err: error }, 'expired reservations could not be swept; trying again')
      }
      await pause(everyMs, undefined, { signal }).catch(() => {})
    }
  }

  /** Answers how many reservations were due. */
  async runOnce(): Promise<number> {
    const due = await this.#db<{ id: string }>`
      select id
        from inventory.reservations
       where status = 'held' and expires_at <= clock_timestamp()
       order by expires_at
       limit ${most}`
    const ids = due.map((row) => row.id)
    const chunks = Array.from({ length: Math.ceil(ids.length / atOnce) }, (_, n) =>
      ids.slice(n * atOnce, (n + 1) * atOnce),
    )
    await Promise.all(
      chunks.map((reservationIds) => this.#execute({ type: 'expire', reservationIds }, { actor: 'system' })),
    )
    return ids.length
  }
}
