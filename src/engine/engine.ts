/** Puts the engine together: the database, the tail, membership, a runner for each consumer. Nothing starts before `run`. */
import { availableParallelism } from 'node:os'
import type { Logger } from 'pino'
import { Fenced } from './checkpoint.ts'
import { forgetBatches } from './command-records.ts'
import type { Consumer } from './consumer.ts'
import { type Database, openDatabase, type Sql } from './database.ts'
import { pause } from './deadline.ts'
import type { Source } from './decider.ts'
import type { LoggedEvent } from './event.ts'
import { createExecutor, type Executor } from './executor.ts'
import { Faults } from './faults.ts'
import { Gate } from './gate.ts'
import { ensurePartitions, headPosition } from './log.ts'
import { LossGuard } from './loss-guard.ts'
import { Membership, processName } from './membership.ts'
import { migrate } from './migrate.ts'
import { retain } from './retention.ts'
import { type Applied, Runner } from './runner.ts'
import type { Engine as EngineForServices, Service } from './service.ts'
import { Tail } from './tail.ts'
import type { Turned } from './unavailable.ts'
import type { RetryPolicy } from './verdict.ts'

export interface EngineOptions {
  url: string
  log: Logger
  retry?: Partial<RetryPolicy>
  handlerTimeoutMs?: number
  /** A process that has not beaten for so long is taken for dead. */
  standbyMs?: number
  /** A process that could not read the log to its end for so long is cut off: it no longer goes by what it has heard. */
  cutOffMs?: number
  lockTimeoutMs?: number
  /** A command not begun after so long is turned away. */
  deadlineMs?: number
  /** Commands in one transaction at most. */
  batchMost?: number
  /** Events older than so many days leave the log, but each entity's last; undefined keeps all for good. */
  retentionDays?: number | undefined
  applied?: Applied
  /** Why nothing can be written now; commands are turned away with it. */
  shortage?: (() => string | undefined) | undefined
  committed?: (source: string, commands: number) => void
  turnedAway?: ((source: string, reason: Turned) => void) | undefined
}

export class Engine implements EngineForServices {
  readonly name = processName()
  readonly db: Database
  /** Consumers' transactions: handlers may take their time, so no limit on idling; they hold no lock that writers need. */
  readonly consumerDb: Database
  readonly log: Logger
  readonly tail: Tail
  readonly faults = new Faults()
  readonly runners: Runner[] = []
  readonly #options: EngineOptions
  readonly #membership: Membership
  readonly #gate = new Gate(availableParallelism())
  readonly #alone = new Gate(1)
  readonly #executors: Pick<Executor<never>, 'source' | 'waiting' | 'close'>[] = []
  readonly #losses: LossGuard

  constructor(options: EngineOptions) {
    this.#options = options
    this.log = options.log
    const handlerTimeoutMs = options.handlerTimeoutMs ?? 10_000
    // A second, since a stopped process may have two sessions in a row waiting for one row: each of them holds it so long.
    this.#losses = new LossGuard({ url: options.url, name: this.name, log: options.log, tail: () => this.tail })
    const confirm = (sql: Sql) => this.#losses.confirm(sql)
    this.db = openDatabase(options.url, { name: this.name, max: 24, idleInTransactionMs: 1_000, confirm })
    this.consumerDb = openDatabase(options.url, {
      name: this.name,
      max: 12,
      deadlineMs: 2 * handlerTimeoutMs + 12_000,
      lockTimeoutMs: Math.max(500, handlerTimeoutMs / 8), // before a part of a split batch is overdue: held rows are no handler's fault
      idleInTransactionMs: handlerTimeoutMs + 5_000,
      confirm,
    })
    this.tail = new Tail(this.db)
    this.#membership = new Membership(this.db, this.name, options.standbyMs ?? 1_500)
  }

  executor<State, Command, F extends { type: string; entity: string }>(
    source: Source<State, Command, F>,
  ): Executor<Command> {
    const executor = createExecutor(this.db, source, {
      lockTimeoutMs: this.#options.lockTimeoutMs ?? 2_000,
      deadlineMs: this.#options.deadlineMs ?? 10_000,
      batchMost: this.#options.batchMost,
      appended: (events) => this.tail.appended(events),
      shortage: () => this.#losses.why ?? this.#options.shortage?.(),
      turnedAway: this.#options.turnedAway,
      ...(this.#options.committed && { committed: this.#options.committed }),
    })
    this.#executors.push(executor)
    return executor
  }

  /** How many commands wait, of each source that takes any. */
  get commandsWaiting(): Map<string, number> {
    const sums = new Map<string, number>()
    for (const { source, waiting } of this.#executors) sums.set(source, (sums.get(source) ?? 0) + waiting)
    return sums
  }

  observe(on: string[], seen: (events: LoggedEvent[]) => void): void {
    this.tail.observe(on, seen)
  }

  get observing(): boolean {
    const { position, seenAt } = this.tail
    return (
      position !== undefined && seenAt !== undefined && performance.now() - seenAt < (this.#options.cutOffMs ?? 10_000)
    )
  }

  /** Applies the schemas and makes the consumers known; consumers new to the database begin at the log's start, or at its end if they say so. */
  async install(services: readonly Pick<Service, 'name' | 'schema' | 'consumers'>[]): Promise<void> {
    const patient = openDatabase(this.#options.url, {
      name: this.name,
      max: 1,
      deadlineMs: 0,
      lockTimeoutMs: 60_000,
      idleInTransactionMs: 0,
    })
    try {
      await migrate(
        patient,
        services.flatMap(({ name, schema }) => (schema ? [{ name, schema }] : [])),
      )
      await ensurePartitions(patient)
      await this.#losses.look(patient)
    } finally {
      await patient.close()
    }
    const consumers = services.flatMap((service) => service.consumers ?? [])
    await this.#register(consumers)
    for (const consumer of consumers) this.runners.push(this.#runner(consumer))
  }

  /**
   * Everything that runs: the tail, the consumers owned by this process, beats. Resolves when the signal fired and all has come to rest. Where commits
   * were lost it begins once that is accepted; throws LogBroken when they are lost meanwhile.
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#losses.accepted(this.db, signal)
    const failed = new AbortController()
    const stop = AbortSignal.any([signal, failed.signal])
    const byName = new Map(this.runners.map((runner) => [runner.consumer.name, runner]))
    const work = [
      this.tail.run(stop),
      this.#membership.run(
        stop,
        () => this.runners.filter((runner) => !runner.owned).map((runner) => runner.consumer.name),
        (claims) => {
          for (const claim of claims) byName.get(claim.name)?.own(claim)
        },
      ),
      this.#keepRoom(stop),
      this.#losses.run(this.db, stop),
      this.#retain(stop),
      ...this.runners.map((runner) => runner.run(stop)),
    ]
    try {
      await Promise.all(work)
    } finally {
      failed.abort()
      await Promise.allSettled(work)
      await this.#membership.leave().catch(() => {})
    }
  }

  /** Steps every consumer until all are past the log's end and nothing is due, without timers; for tests and commands. Answers false if a failure stands. */
  async settle(): Promise<void> {
    await this.claimAll()
    this.tail.position ??= 0
    for (let busy = true; busy; ) {
      busy = false
      while (await this.tail.runOnce()) busy = true
      for (const runner of this.runners) {
        runner.refreshSoon()
        while (await this.#stepOrReclaim(runner)) busy = true
        if (runner.dueInMs > 100) continue
        await pause(runner.dueInMs, AbortSignal.timeout(1_000))
        busy = true
      }
    }
  }

  async #stepOrReclaim(runner: Runner): Promise<boolean> {
    try {
      return await runner.runOnce()
    } catch (error) {
      if (!(error instanceof Fenced)) throw error
      await this.claimAll()
      return runner.owned
    }
  }

  async claimAll(): Promise<void> {
    const free = this.runners.filter((runner) => !runner.owned)
    for (const claim of await this.#membership.runOnce(free.map((runner) => runner.consumer.name))) {
      free.find((runner) => runner.consumer.name === claim.name)?.own(claim)
    }
  }

  /** Looks at failures and checkpoints again at once, of one consumer or all: somebody asked for a retry. */
  refresh(consumer?: string): void {
    for (const runner of this.runners)
      if (runner.consumer.name === (consumer ?? runner.consumer.name)) runner.refreshSoon()
    this.tail.nudge()
  }

  async close(): Promise<void> {
    await Promise.all(this.#executors.map((executor) => executor.close()))
    await this.#membership.leave().catch(() => {})
    await Promise.all([this.db.close(), this.consumerDb.close()])
  }

  #runner(consumer: Consumer): Runner {
    return new Runner(consumer, {
      db: this.consumerDb,
      tail: this.tail,
      gate: this.#gate,
      alone: this.#alone,
      policy: { attempts: 3, firstMs: 200, maxMs: 30_000, ...this.#options.retry },
      timeoutMs: this.#options.handlerTimeoutMs ?? 10_000,
      faults: this.faults,
      applied: this.#options.applied,
      warn: (message, error) => this.log.warn({ err: error }, message),
    })
  }

  async #register(consumers: Consumer[]) {
    const end = await headPosition(this.db)
    for (const consumer of consumers) {
      const from = consumer.from ?? (consumer.kind === 'projection' ? 'start' : 'now')
      await this.db`
        insert into lockstep.consumers (name, kind, patterns, position)
        values (${consumer.name}, ${consumer.kind}, ${consumer.on}::text[], ${from === 'start' ? 0 : end})
        on conflict (name) do update set kind = excluded.kind, patterns = excluded.patterns`
    }
  }

  async #retain(signal: AbortSignal) {
    const { url, retentionDays } = this.#options
    if (retentionDays === undefined) return
    await retain(url, this.name, retentionDays, signal, (error) =>
      this.log.warn({ err: error }, 'old events stay in the log for now'),
    )
  }

  /** Partitions ahead of the log's end, and nothing kept of batches that are long over. */
  async #keepRoom(signal: AbortSignal) {
    for (let round = 0; !signal.aborted; round++) {
      await ensurePartitions(this.db).catch((error) => this.log.warn({ err: error }, 'no room made ahead in the log'))
      if (round % 6 === 0) await forgetBatches(this.db).catch(() => {})
      await pause(10_000, signal)
    }
  }
}
