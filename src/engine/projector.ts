/**
 * A projection's step: conflates a batch to the latest event of each entity and applies it in one transaction with the checkpoint. A batch that
 * fails is split until the bad keys stand alone; they become failures, the rest goes through.
 */
import { advance, Fenced, type Held, hold } from './checkpoint.ts'
import type { Projection } from './consumer.ts'
import { type Database, isInfrastructure, isLockTimeout, type Sql } from './database.ts'
import { within } from './deadline.ts'
import { type LoggedEvent, matches } from './event.ts'
import { failpoint } from './failpoint.ts'
import { type Failed, failingKeys, recordFailures } from './failures.ts'
import { latestOfKeys, likePattern } from './log.ts'
import type { Step, StepContext } from './runner.ts'
import { KeysFailed } from './verdict.ts'

/** A part of a failed batch is tried with so many others at a time, so that a handler that hangs costs few deadlines. */
const PARTS = 4
const none: ReadonlyMap<string, Error> = new Map()

interface Failing {
  position: number
  /** From where on the key's events may be missing. */
  firstPosition: number
  attempts: number
  /** Milliseconds on the monotonic clock; undefined for a dead letter. */
  dueAt: number | undefined
}

export class Projector implements Step {
  readonly #projection: Projection
  readonly #context: StepContext
  readonly #patterns: string[]
  #failing = new Map<string, Failing>()
  /** The first position of the batch at hand. */
  #from = 0

  constructor(projection: Projection, context: StepContext) {
    this.#projection = projection
    this.#context = context
    this.#patterns = projection.on.map(likePattern)
  }

  async refresh(): Promise<void> {
    const rows = await failingKeys(this.#context.db, this.#projection.name)
    this.#failing = new Map()
    for (const { key, position, firstPosition, attempts, dueInMs } of rows) {
      this.#failing.set(key, {
        position,
        firstPosition: Math.min(firstPosition, this.#failing.get(key)?.firstPosition ?? firstPosition),
        attempts,
        dueAt: dueInMs === null ? undefined : performance.now() + dueInMs,
      })
    }
  }

  nextDue(): number | undefined {
    let next: number | undefined
    for (const { dueAt } of this.#failing.values())
      if (dueAt !== undefined && (next === undefined || dueAt < next)) next = dueAt
    return next
  }

  concerns(event: LoggedEvent): boolean {
    return this.#projection.on.some((pattern) => matches(pattern, event.type))
  }

  async apply(events: LoggedEvent[], held: Held): Promise<number> {
    const last = events.at(-1) as LoggedEvent
    this.#from = (events[0] as LoggedEvent).position
    const { every = false } = this.#projection
    const latest = new Map<string | number, LoggedEvent>()
    let failing: Set<string> | undefined
    for (const event of events) {
      if (!this.concerns(event)) continue
      const subject = every ? event.position : event.entity
      latest.delete(subject) // re-inserted, so that the batch is in position order
      latest.set(subject, event)
      if (this.#failing.has(event.key)) (failing ??= new Set()).add(event.key)
    }
    const changes = [...latest.values()]
    await this.#applyAll(
      failing ? await this.#withWholeKeys(changes, failing, last.position) : changes,
      last.position,
      held,
    )
    return last.position
  }

  async retryDue(held: Held, position: number): Promise<boolean> {
    const now = performance.now()
    const due = [...this.#failing].filter(([, { dueAt }]) => dueAt !== undefined && dueAt <= now).map(([key]) => key)
    if (due.length === 0) return false
    const changes = await latestOfKeys(this.#context.db, due, position, this.#patterns)
    await this.#applyAll(changes, position, held)
    for (const key of due) if (!changes.some((change) => change.key === key)) this.#failing.delete(key)
    return true
  }

  /** A key that failed may have missed more than this batch's entities: all of its are brought up to date together. */
  async #withWholeKeys(changes: LoggedEvent[], failing: Set<string>, upTo: number) {
    const whole = await latestOfKeys(this.#context.db, [...failing], upTo, this.#patterns)
    return [...changes.filter((change) => !failing.has(change.key)), ...whole].sort((a, b) => a.position - b.position)
  }

  async #applyAll(changes: LoggedEvent[], position: number, held: Held): Promise<void> {
    const { db, applied } = this.#context
    const { name } = this.#projection
    const commitWith = (work: (tx: Sql) => Promise<Failed[]>) =>
      db.begin(
        async (tx) => {
          const failed = await work(tx)
          failpoint('after-apply')
          await this.#settleFailures(tx, changes, failed)
        },
        (tx) => advance(tx, name, held, position),
      )
    let rest = changes
    const failed: Failed[] = []
    for (;;) {
      try {
        const [, now] = await commitWith(async (tx) => {
          if (rest.length > 0) await this.#attempt(tx, rest, this.#context.timeoutMs)
          return failed
        })
        failpoint('consumer-committed')
        held.position = position
        this.#remember(changes, failed)
        applied?.(name, rest, now)
        return
      } catch (error) {
        if (rest.length === 0 || (await nobodysFault(db, error))) throw error
        const named = error instanceof KeysFailed ? error.failures : none
        const blamed = rest.filter((change) => named.has(change.key))
        if (blamed.length > 0) {
          failed.push(...this.#failuresOf(blamed, (key) => named.get(key)))
          rest = rest.filter((change) => !named.has(change.key))
        } else {
          failed.push(...(await this.#split(rest, error, held.epoch)))
          rest = []
        }
      }
    }
  }

  /**
   * One failure a key: its newest change, with the attempts of that change alone; a newer version has all of them ahead. What the key misses
   * begins where it first failed, or with the batch: conflation left out what came before its newest change.
   */
  #failuresOf(changes: LoggedEvent[], errorOf: (key: string) => unknown): Failed[] {
    const newest = new Map(changes.map((change) => [change.key, change]))
    return [...newest].map(([key, event]) => {
      const before = this.#failing.get(key)
      const firstPosition = Math.min(before?.firstPosition ?? this.#from, event.position)
      const attempts = before?.position === event.position ? before.attempts : 0
      return { event, attempts, firstPosition, error: errorOf(key) }
    })
  }

  async #attempt(tx: Sql, changes: LoggedEvent[], timeoutMs: number) {
    const { name } = this.#projection
    await within(timeoutMs, `${name} with ${changes.length} changes`, async () => {
      await this.#context.faults.strike(name, new Set(changes.map((change) => change.key)))
      await this.#projection.apply(changes, tx)
    })
  }

  /** Finds the keys that fail: each part in a transaction of its own, several at a time, order kept within a key. */
  async #split(changes: LoggedEvent[], error: unknown, epoch: number): Promise<Failed[]> {
    const byKey = Map.groupBy(changes, (change) => change.key)
    const keys = [...byKey.keys()]
    if (keys.length === 1) return this.#failuresOf(changes, () => error)
    const size = Math.ceil(keys.length / PARTS)
    const parts = Array.from({ length: Math.ceil(keys.length / size) }, (_, n) =>
      keys.slice(n * size, (n + 1) * size).flatMap((key) => byKey.get(key) ?? []),
    )
    const found = await Promise.all(
      parts.map(async (part) => {
        try {
          await this.#context.db.begin(async (tx) => {
            await this.#attempt(tx, part, Math.max(this.#context.timeoutMs / PARTS, 100))
            await hold(tx, this.#projection.name, epoch) // a part has no checkpoint to fence it
          })
          return []
        } catch (failure) {
          if (await nobodysFault(this.#context.db, failure)) throw failure
          return this.#split(part, failure, epoch)
        }
      }),
    )
    return found.flat()
  }

  /** A projection's failure is the key's newest; what was known of its keys before is healed or superseded. */
  async #settleFailures(tx: Sql, changes: LoggedEvent[], failed: Failed[]) {
    const before = new Set(changes.map((change) => change.key).filter((key) => this.#failing.has(key)))
    const standing = failed.map(({ event }) => ({ key: event.key, position: event.position }))
    if (before.size > 0) {
      await tx`
        delete from lockstep.failures f
        where  f.consumer = ${this.#projection.name} and f.key = any(${[...before]}::text[])
          and  not exists (
                 select from unnest(${standing.map((row) => row.key)}::text[], ${standing.map((row) => row.position)}::bigint[]) as s (key, position)
                 where  s.key = f.key and s.position = f.position)`
    }
    if (failed.length > 0) await recordFailures(tx, this.#projection.name, failed, this.#context.policy)
  }

  #remember(changes: LoggedEvent[], failed: Failed[]) {
    if (this.#failing.size > 0) for (const change of changes) this.#failing.delete(change.key)
    if (failed.length > 0) this.#context.refreshSoon()
  }
}

/** Is it the database or our standing that failed, rather than the handler? Then nothing is recorded and the whole step comes again. */
export async function nobodysFault(db: Database, error: unknown): Promise<boolean> {
  if (error instanceof Fenced) return true
  if (!isInfrastructure(error) || isLockTimeout(error)) return false // somebody holds some rows: only their keys wait
  // A handler's own broken connection to somewhere else looks the same: ask our database.
  const fromPostgres =
    (error as { severity?: string }).severity !== undefined || (error as { code?: string }).code === undefined
  return (
    fromPostgres ||
    (await db`select 1`.then(
      () => false,
      () => true,
    ))
  )
}
