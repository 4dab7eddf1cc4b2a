/**
 * Watches whether the database still has what this process has seen of the log. Once it has not, nothing is written and the process is to end: what it
 * keeps in memory is of a past that is no more. Others, and those that start later, wait until somebody has accepted the loss.
 */
import type { Logger } from 'pino'
import { openDatabase, type Sql } from './database.ts'
import { pause } from './deadline.ts'
import { LogBroken } from './log.ts'
import { describeLoss, recordLost, standingLoss, stillHas, Unfit } from './losses.ts'
import type { Tail } from './tail.ts'

/** Milliseconds between two looks. */
const WATCH_MS = 1_000

export interface LossGuardOptions {
  url: string
  name: string
  log: Logger
  /** What this process has seen of the log. */
  tail(): Pick<Tail, 'newest' | 'known'>
}

export class LossGuard {
  /** Why nothing may be written: commits were lost, and nobody has accepted it. */
  why: string | undefined
  readonly #options: LossGuardOptions
  #wentBack: Promise<LogBroken> | undefined

  constructor(options: LossGuardOptions) {
    this.#options = options
  }

  /** Throws Unfit unless the log has what this process has seen of it; to be asked of every connection before it is used. */
  async confirm(sql: Sql): Promise<void> {
    const { newest } = this.#options.tail()
    if (newest && !(await stillHas(sql, newest))) throw new Unfit((await (this.#wentBack ??= this.#keep())).message)
  }

  /** Looks once; true when commands may be carried out. */
  async look(sql: Sql): Promise<boolean> {
    const loss = await standingLoss(sql)
    this.why = loss && describeLoss(loss)
    return loss === undefined
  }

  /** Resolves once no loss stands that nobody has accepted. */
  async accepted(sql: Sql, signal: AbortSignal): Promise<void> {
    for (let told = false; !signal.aborted && !(await this.look(sql).catch(() => true)); told = true) {
      if (!told) this.#options.log.error(this.why)
      await pause(WATCH_MS, signal)
    }
  }

  /** Throws LogBroken when commits are found to be lost, by this process or by another one. */
  async run(sql: Sql, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const ours = await this.confirm(sql).then(
        () => undefined,
        () => this.#wentBack?.catch(() => undefined),
      )
      if (ours) throw ours
      if (!(await this.look(sql).catch(() => true))) throw new LogBroken(this.why)
      await pause(WATCH_MS, signal)
    }
  }

  /** By a connection of its own: no other is fit any more. */
  async #keep(): Promise<LogBroken> {
    const { url, name, log, tail } = this.#options
    this.why = 'log went back: commits that were seen are in it no more'
    const db = openDatabase(url, { name, max: 1 })
    try {
      await recordLost(db, tail().known())
      await this.look(db)
      this.why ??= 'log went back, and the loss is accepted already; what this process knows is of before'
      log.fatal(this.why)
      return new LogBroken(this.why)
    } catch (error) {
      this.#wentBack = undefined
      throw error
    } finally {
      await db.close()
    }
  }
}
