/** Runs one consumer while this process owns it: reads on from its checkpoint, steps, retries what is due. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { advance, confirm, Fenced, type Held, renew } from './checkpoint.ts'
import type { Consumer } from './consumer.ts'
import type { Database } from './database.ts'
import { pause } from './deadline.ts'
import type { LoggedEvent } from './event.ts'
import { recordFailures } from './failures.ts'
import type { Faults } from './faults.ts'
import type { Gate } from './gate.ts'
import { headPosition, LogBroken, readAt } from './log.ts'
import type { Claim } from './membership.ts'
import { Projector } from './projector.ts'
import { Reactor } from './reactor.ts'
import type { Tail } from './tail.ts'
import { GiveUp, type RetryPolicy } from './verdict.ts'

/** Events looked at in one transaction, unless the consumer says otherwise. */
const USUAL_BATCH = { projection: 8_000, reaction: 200 }
/** After losing so many owners in a row, a consumer handles its events one at a time and says which before it does. */
const CRASHES_TO_TRY_ALONE = 4
/**
 * Who has come to the log's end begins the next step a millisecond after the last for every four events that this had, at most 60: more come meanwhile,
 * and one step for all of them costs little more than for the few that are there. Who is behind does not wait.
 */
const GATHERED_IN_MS = 4
const GATHERING_MS = 60
/** Failures changed by others (a manual retry in another process) are seen after so long. */
const REFRESH_MS = 1_000
/** A checkpoint that moved only past events of no concern is written this often. */
const IDLE_CHECKPOINT_MS = 250

/** Whose work the running code is: the watchdog asks, when something blocks the event loop. */
export const running = new AsyncLocalStorage<string>()

/** Called after a commit, with the database's clock. */
export type Applied = (consumer: string, events: LoggedEvent[], at: Date) => void

export interface StepContext {
  db: Database
  policy: RetryPolicy
  timeoutMs: number
  faults: Faults
  applied?: Applied | undefined
  refreshSoon(): void
}

/** What differs between projections and reactions. */
export interface Step {
  /** Loads what is known of failures. */
  refresh(): Promise<void>
  /** When the next retry is due, on the monotonic clock. */
  nextDue(): number | undefined
  concerns(event: LoggedEvent): boolean
  /** Handles events and moves the checkpoint, in one transaction; answers how far it came. */
  apply(events: LoggedEvent[], held: Held): Promise<number>
  /** Retries what is due; false when nothing was. */
  retryDue(held: Held, position: number): Promise<boolean>
}

export interface RunnerOptions {
  db: Database
  tail: Tail
  gate: Gate
  /** For steps that may end the process: no two of them at a time. */
  alone: Gate
  policy: RetryPolicy
  timeoutMs: number
  faults: Faults
  applied?: Applied | undefined
  /** Told of trouble that is retried by itself: the database away, the consumer taken over. */
  warn(message: string, error: unknown): void
}

export class Runner {
  readonly consumer: Consumer
  readonly #options: RunnerOptions
  readonly #step: Step
  #claim: Claim | undefined
  #position = 0
  #limit = 0
  #refreshAt = 0
  #unwritten = false
  /** Read, and not handled yet. */
  #rest: { after: number; events: LoggedEvent[] } = { after: 0, events: [] }
  #writtenAt = 0
  /** Events of the last step if it came to the log's end, none otherwise. */
  #last = 0
  #compared = false
  /** Events still to be handled with care: as many as may have been in the batch that ended the last owner. */
  #careful = 0
  /** The last step failed as a whole: it may have been committed all the same. */
  #doubtful = false

  constructor(consumer: Consumer, options: RunnerOptions) {
    this.consumer = consumer
    this.#options = options
    const context: StepContext = {
      db: options.db,
      policy: { ...options.policy, ...consumer.retry },
      timeoutMs: consumer.timeoutMs ?? options.timeoutMs,
      faults: options.faults,
      applied: options.applied,
      refreshSoon: () => this.refreshSoon(),
    }
    this.#step = consumer.kind === 'projection' ? new Projector(consumer, context) : new Reactor(consumer, context)
  }

  get owned(): boolean {
    return this.#claim !== undefined
  }

  get position(): number {
    return this.#position
  }

  /**
   * Begins as the owner of an epoch. If the last owners died, whatever of, it takes steps that get smaller with each loss, in the end single events
   * announced before they are handled: so the one that ends processes shows itself, and no other is blamed.
   */
  own(claim: Claim): void {
    this.#limit = this.#limitAfter(claim.crashes)
    this.#careful = claim.crashes === 0 ? 0 : this.#limitAfter(claim.crashes - 1)
    this.#position = claim.position
    this.#refreshAt = 0
    this.#unwritten = false
    this.#compared = false
    this.#doubtful = false
    this.#claim = claim
  }

  get #most(): number {
    return this.consumer.batch ?? USUAL_BATCH[this.consumer.kind]
  }

  /** Each loss makes steps sixteen times smaller. */
  #limitAfter(crashes: number): number {
    return Math.max(1, this.#most >> (Math.min(crashes, CRASHES_TO_TRY_ALONE) * 4))
  }

  /** Milliseconds until a retry is due; Infinity when none is. */
  get dueInMs(): number {
    return (this.#step.nextDue() ?? Number.POSITIVE_INFINITY) - performance.now()
  }

  /** Looks at the failures again before the next step: somebody asked for a retry. */
  refreshSoon(): void {
    this.#refreshAt = 0
  }

  /** One step; true when it did something. Throws Fenced when the consumer is not ours any more. */
  async runOnce(): Promise<boolean> {
    const claim = this.#claim
    if (!claim) return false
    try {
      return await this.#stepAs(claim)
    } catch (error) {
      if (error instanceof Fenced && this.#claim === claim) this.#claim = undefined
      this.#doubtful = true
      throw error
    }
  }

  async #stepAs(claim: Claim): Promise<boolean> {
    const now = performance.now()
    if (this.#doubtful) await this.#beginAnew(claim)
    if (!this.#compared) await this.#compareWithLog()
    if (now >= this.#refreshAt) {
      await confirm(this.#options.db, this.consumer.name, claim.epoch)
      await this.#step.refresh()
      this.#refreshAt = now + REFRESH_MS
    }
    if (claim.killer !== null) return this.#giveUp(claim, claim.killer)
    const retried = this.dueInMs <= 0 && (await this.#step.retryDue(claim, this.#position))
    if (!(await this.#options.tail.has(this.#position))) {
      if (this.#unwritten && now - this.#writtenAt >= IDLE_CHECKPOINT_MS) await this.#write(claim)
      if (this.#careful > 0) await this.#calm(claim)
      return retried
    }
    const alone = claim.crashes >= CRASHES_TO_TRY_ALONE
    const leave = await (alone ? this.#options.alone : this.#options.gate).enter()
    try {
      await this.#advance(claim, alone)
    } finally {
      leave()
    }
    return true
  }

  /** Reads what there is by now and handles it. */
  async #advance(claim: Claim, alone: boolean) {
    const end = this.#options.tail.position ?? 0
    const events = await this.#read(alone ? 1 : this.#limit)
    this.#last = (events.at(-1)?.position ?? 0) < end ? 0 : events.length
    if (events.length === 0) return
    const now = performance.now()
    if (!events.some((event) => this.#step.concerns(event))) {
      this.#position = (events.at(-1) as LoggedEvent).position
      this.#unwritten = true
      if (now - this.#writtenAt >= IDLE_CHECKPOINT_MS) await this.#write(claim)
    } else {
      if (alone) await this.#announce(claim, events[0] as LoggedEvent)
      this.#position = await this.#step.apply(events, claim)
      this.#unwritten = false
      this.#writtenAt = now
    }
    this.#rest = { after: this.#position, events: events.filter(({ position }) => position > this.#position) }
    if (this.#careful <= 0) this.#limit = Math.min(this.#limit * 2, this.#most)
    else if ((this.#careful -= events.length) <= 0) await this.#calm(claim)
  }

  /** What the last step read and did not come to is not read again: a reaction commits long before the end of a slow batch. */
  async #read(most: number): Promise<LoggedEvent[]> {
    const { after, events } = this.#rest
    if (after === this.#position && events.length > 0) return events.slice(0, most)
    return this.#options.tail.read(this.#position, most)
  }

  run(signal: AbortSignal): Promise<void> {
    return running.run(this.consumer.name, () => this.#loop(signal))
  }

  async #loop(signal: AbortSignal): Promise<void> {
    let troubles = 0
    while (!signal.aborted) {
      if (!this.#claim) {
        await pause(50, signal)
        continue
      }
      try {
        const begun = performance.now()
        const stepped = await this.runOnce()
        troubles = 0
        if (stepped) {
          const gathering = begun + Math.min(this.#last / GATHERED_IN_MS, GATHERING_MS) - performance.now()
          if (gathering > 0) await pause(gathering, signal)
          continue
        }
        const idle = this.#unwritten ? IDLE_CHECKPOINT_MS : REFRESH_MS
        await this.#options.tail.beyond(this.#position, Math.max(1, Math.min(this.dueInMs, idle)), signal)
      } catch (error) {
        if (error instanceof LogBroken) throw error
        // Said once and then at every tenth time: a database that is away for long is not worth a line every second from each consumer.
        if (!signal.aborted && troubles++ % 10 === 0) {
          this.#options.warn(`${this.consumer.name} starts its step over`, error)
        }
        if (!(error instanceof Fenced)) await pause(Math.min(1_000, 125 * 2 ** troubles), signal)
      }
    }
    if (this.#claim && this.#unwritten) await this.#write(this.#claim).catch(() => {})
    this.#claim = undefined
  }

  async #write(claim: Claim) {
    const position = this.#position
    await advance(this.#options.db, this.consumer.name, claim, position)
    claim.position = position
    this.#unwritten = false
    this.#writtenAt = performance.now()
  }

  /** A log shorter than what was read from it: the two were restored from different backups. Going on would miss what takes those positions. */
  async #compareWithLog() {
    const end = await headPosition(this.#options.db)
    if (this.#position > end) {
      throw new LogBroken(
        `${this.consumer.name} has seen position ${this.#position}, the log ends at ${end}; give it the log again: lockstep replay ${this.consumer.name} --from start`,
      )
    }
    this.#compared = true
  }

  async #beginAnew(claim: Claim) {
    const { epoch, position } = await renew(this.#options.db, this.consumer.name, claim.epoch)
    claim.epoch = epoch
    this.#position = claim.position = position
    this.#refreshAt = 0
    this.#unwritten = false
    this.#doubtful = false
  }

  async #announce(claim: Claim, event: LoggedEvent) {
    await this.#options.db`
      update lockstep.consumers set trying = ${event.position} where name = ${this.consumer.name} and epoch = ${claim.epoch}`
  }

  /** What may have ended the last owner is behind, or there is nothing to do: this owner lives. */
  async #calm(claim: Claim) {
    await this.#options.db`
      update lockstep.consumers set crashes = 0 where name = ${this.consumer.name} and epoch = ${claim.epoch}`
    claim.crashes = 0
    this.#careful = 0
  }

  async #giveUp(claim: Claim, position: number): Promise<true> {
    const { db, policy } = this.#options
    const [event] = await readAt(db, [position])
    const error = new GiveUp(
      `${this.consumer.name} lost ${claim.crashes} processes in a row, the last one at this event`,
    )
    await db.begin(async (tx) => {
      if (event) await recordFailures(tx, this.consumer.name, [{ event, attempts: claim.crashes - 1, error }], policy)
      await advance(tx, this.consumer.name, claim, position)
    })
    claim.killer = null
    this.#position = claim.position = position
    this.refreshSoon()
    await this.#calm(claim)
    return true
  }
}
