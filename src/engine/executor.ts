/**
 * Group commit: one batch in flight, whatever arrives meanwhile is the next. A batch locks and loads the touched entities, folds its commands in
 * arrival order, then writes everything in one statement a table, and appends and commits in one round trip. bench/reservations compares it with a
 * `select … for update` transaction an order.
 */
import { hash } from 'node:crypto'
import type { CommandOptions, Executed, Job } from './batch.ts'
import type { Database } from './database.ts'
import type { EntityId, Fact, Source } from './decider.ts'
import { Lane, type LaneOptions } from './lane.ts'
import { LATE } from './pace.ts'
import { OutcomeUnknown, type Turned, Unavailable } from './unavailable.ts'

export type { CommandOptions, Executed } from './batch.ts'

/** Commands that may wait, however fast they go. */
const MAX_WAITING = 50_000
/** Entities with a lane of their own to wait in, each with a connection; commands for more of them share one. */
const PATIENT_LANES = 4
const OTHERS = ''

export interface Executor<Command> {
  /**
   * Carries out a command and resolves when it is committed. Throws Rejected (a broken rule, `version-mismatch`, `idempotency-key-reused`),
   * Unavailable (nothing was done) or OutcomeUnknown (repeat with the same key).
   */
  execute(command: Command, options?: CommandOptions): Promise<Executed>
  /** Whose commands these are, and how many of them wait. */
  readonly source: string
  readonly waiting: number
  /** Lets what is under way finish and gives the connections back. */
  close(): Promise<void>
}

/** What an executor needs beside what its lanes do. */
export interface ExecutorOptions extends LaneOptions {
  /** Asked before each command: why nothing can be written now. */
  shortage?: (() => string | undefined) | undefined
  /** Called for each command that was turned away, or whose outcome is not known. */
  turnedAway?: ((source: string, reason: Turned) => void) | undefined
}

/** Seconds after which there may be room again. */
const SHORT_SECONDS = 5

export function createExecutor<State, Command, F extends Fact>(
  db: Database,
  source: Source<State, Command, F>,
  options: ExecutorOptions,
): Executor<Command> {
  // A lane for each entity that somebody else holds, while commands wait for it: nobody stands behind what he has nothing to do with.
  const patient = new Map<EntityId, Lane<State, Command, F>>()
  const wait = (job: Job<Command>, entity: EntityId) => {
    const name = patient.has(entity) || patient.size < PATIENT_LANES ? entity : OTHERS
    let lane = patient.get(name)
    if (!lane) {
      const made = new Lane(db, source, options, {
        waitMs: options.lockTimeoutMs,
        idle() {
          patient.delete(name)
          void made.close()
        },
      })
      patient.set(name, (lane = made))
    }
    lane.push(job)
  }
  const fast = new Lane(db, source, options, { waitMs: 0, blocked: wait })
  const waiting = () => {
    let sum = fast.waiting
    for (const lane of patient.values()) sum += lane.waiting
    return sum
  }
  // Turned away at once rather than after their deadline: so overload stays short, and those who are let in have their answer in time.
  const tooLate = LATE.coming * options.deadlineMs
  const overload = () => {
    const commands = waiting()
    const ms = fast.expectedMs
    if (commands < MAX_WAITING && ms <= tooLate) return undefined
    const seconds = Math.max(1, Math.ceil(ms / 1_000))
    const message = `${source.name} has ${commands} commands waiting already; come again in ${seconds} s`
    return new Unavailable(message, { waiting: commands }, seconds, 'overload')
  }
  const told = (reject: (error: unknown) => void) => (error: unknown) => {
    if (error instanceof Unavailable || error instanceof OutcomeUnknown) options.turnedAway?.(source.name, error.reason)
    reject(error)
  }
  return {
    source: source.name,
    get waiting() {
      return waiting()
    },
    async close() {
      await fast.close()
      await Promise.all([...patient.values()].map((lane) => lane.close()))
    },
    execute(command, commandOptions = {}) {
      return new Promise((resolve, failed) => {
        const reject = told(failed)
        const shortage = options.shortage?.()
        const refusal = shortage === undefined ? overload() : new Unavailable(shortage, {}, SHORT_SECONDS, 'shortage')
        if (refusal) reject(refusal)
        else fast.push(jobOf(source, command, commandOptions, resolve, reject))
      })
    },
  }
}

function jobOf<State, Command, F extends Fact>(
  source: Source<State, Command, F>,
  command: Command,
  options: CommandOptions,
  resolve: (executed: Executed) => void,
  reject: (error: unknown) => void,
): Job<Command> {
  const { key, actor = 'anonymous', fingerprint } = options
  const { scope = source.name, said = command } = source.identity?.(command) ?? {}
  return {
    command,
    options,
    scope: `${scope}/${actor}`,
    key: key ?? '',
    fingerprint: key === undefined ? null : hash('sha1', fingerprint ?? JSON.stringify(said), 'base64url'),
    touches: source.decider.touches(command),
    since: performance.now(),
    tries: 0,
    clashes: 0,
    commitSent: false,
    resolve,
    reject,
  }
}
