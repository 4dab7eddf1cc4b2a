/** What becomes of the commands of a batch that failed: most come again, the others are told why not. */
import type { Job } from './batch.ts'
import { wasCommitted } from './command-records.ts'
import { type Database, isConnectionLoss, isInfrastructure, isLockTimeout } from './database.ts'
import type { Fact } from './decider.ts'
import type { HeldRows } from './held-rows.ts'
import { sessionOf } from './holders.ts'
import { ensurePartitions, headHolder } from './log.ts'
import { OutcomeUnknown, Unavailable } from './unavailable.ts'

/** So often commands that met another writer's row (a unique violation) are looked at anew before they are tried one by one. */
const CLASHES = 3
/** So often a batch comes again because the log had no partition for its events. */
const PARTITIONS = 3

/** Those who come again: before everybody who waits, behind them, or each in a batch of its own. */
export interface Again<Command> {
  first?: Job<Command>[]
  last?: Job<Command>[]
  alone?: Job<Command>[]
}

/** Somebody else was first with the same entity, version or key: looking again tells what is so now. */
export class Clash extends Error {}

export class Recovery<State, Command, F extends Fact> {
  readonly #db: Database
  readonly #deadlineMs: number
  readonly #held: HeldRows<State, Command, F> | undefined

  constructor(db: Database, deadlineMs: number, held: HeldRows<State, Command, F> | undefined) {
    this.#db = db
    this.#deadlineMs = deadlineMs
    this.#held = held
  }

  /** `guessed` says that the batch was written before its locks had answered: it may have failed for that alone. Never rejects. */
  async after(error: unknown, jobs: Job<Command>[], guessed: boolean): Promise<Again<Command>> {
    if (isConnectionLoss(error)) return { last: await this.#unanswered(jobs) }
    for (const job of jobs) {
      job.pending = undefined // anything but a lost connection is an answer: rolled back
      job.commitSent = false
    }
    if (guessed) return { first: jobs }
    if (isClash(error) && jobs.every((job) => job.clashes++ < CLASHES)) return { first: jobs }
    if (isLockTimeout(error) && this.#held?.waiting) return { last: await this.#held.turnAway(jobs) }
    if (isLockTimeout(error)) await this.#headHeld(jobs)
    else if (isNoPartition(error) && jobs.every((job) => job.tries++ < PARTITIONS)) {
      await ensurePartitions(this.#db).catch(() => {})
      return { first: jobs }
    } else if (isInfrastructure(error)) {
      for (const job of jobs)
        job.reject(
          new Unavailable(`the database can't take the change now: ${(error as Error).message}`, {}, 1, 'database'),
        )
    } else if (jobs.length > 1) return { alone: jobs }
    else jobs[0]?.reject(error)
    return {}
  }

  /** The connection broke: on a new one the commands' keys, or the batch's record, tell what happened. */
  async #unanswered(jobs: Job<Command>[]): Promise<Job<Command>[]> {
    const batch = jobs.find((job) => job.pending)?.pending?.batch
    let committed = batch === undefined ? false : undefined
    let tries = Math.max(...jobs.map((job) => job.tries++))
    do {
      await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, 50 * 2 ** tries++)))
      if (batch !== undefined) committed = await wasCommitted(this.#db, batch).catch(() => undefined)
    } while (committed === undefined && jobs.some((job) => performance.now() - job.since < this.#deadlineMs))
    return jobs.filter((job) => {
      if (job.pending && committed === true) job.resolve(job.pending.executed)
      else if (job.pending && committed === undefined)
        job.reject(new OutcomeUnknown('the database did not tell whether the change was committed'))
      else {
        job.pending = undefined
        return true
      }
      return false
    })
  }

  async #headHeld(jobs: Job<Command>[]) {
    const holder = await headHolder(this.#db).catch(() => undefined)
    const message = holder
      ? `the log's head is held by ${sessionOf(holder)}; come again`
      : 'another transaction was in the way for too long; come again'
    for (const job of jobs) job.reject(new Unavailable(message, { blockedBy: holder ? [holder.pid] : [] }, 1, 'lock'))
  }
}

const sqlState = (error: unknown) => (error as { code?: string }).code
const isClash = (error: unknown) => error instanceof Clash || sqlState(error) === '23505'
const isNoPartition = (error: unknown) => sqlState(error) === '23514' && /no partition/.test((error as Error).message)
