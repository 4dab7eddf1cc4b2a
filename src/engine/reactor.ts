/**
 * A reaction's step: every event once, in order per key. What a handler writes through its `tx` commits together with the checkpoint. An event
 * that fails becomes a failure and the later events of its key wait behind it; other keys go on.
 */
import { advance, type Held } from './checkpoint.ts'
import type { Reaction } from './consumer.ts'
import { revocable, type Sql } from './database.ts'
import { within } from './deadline.ts'
import { type LoggedEvent, matches } from './event.ts'
import { failpoint } from './failpoint.ts'
import { type Failed, failingKeys, recordFailures, recordWaiting } from './failures.ts'
import { readAt } from './log.ts'
import { nobodysFault } from './projector.ts'
import type { Step, StepContext } from './runner.ts'

/** A batch commits after so long at the latest, so that a crash repeats little of what was done outside. */
const COMMIT_EVERY_MS = 50

interface Row {
  id: number
  position: number
  attempts: number
  dueAt: number | undefined
}

export class Reactor implements Step {
  readonly #reaction: Reaction
  readonly #context: StepContext
  /** Per failing key its events in order: the first is the one that fails, the others wait. */
  #failing = new Map<string, Row[]>()

  constructor(reaction: Reaction, context: StepContext) {
    this.#reaction = reaction
    this.#context = context
  }

  async refresh(): Promise<void> {
    const rows = await failingKeys(this.#context.db, this.#reaction.name)
    this.#failing = Map.groupBy(
      rows
        .filter((row) => row.state === 'retrying' || row.state === 'waiting')
        .map((row) => ({ ...row, dueAt: row.dueInMs === null ? undefined : performance.now() + row.dueInMs })),
      (row) => row.key,
    )
  }

  nextDue(): number | undefined {
    let next: number | undefined
    for (const rows of this.#failing.values()) {
      const dueAt = rows[0]?.dueAt ?? performance.now() // a waiting one whose predecessor is gone is due at once
      if (next === undefined || dueAt < next) next = dueAt
    }
    return next
  }

  concerns(event: LoggedEvent): boolean {
    return this.#reaction.on.some((pattern) => matches(pattern, event.type))
  }

  async apply(events: LoggedEvent[], held: Held): Promise<number> {
    const { db, applied } = this.#context
    const started = performance.now()
    const work = async (tx: Sql) => {
      const failed: Failed[] = []
      const waiting: LoggedEvent[] = []
      const handled: LoggedEvent[] = []
      const blocked = new Set<string>()
      let position = 0
      for (const event of events) {
        position = event.position
        if (!this.concerns(event)) continue
        if (blocked.has(event.key) || this.#failing.has(event.key)) {
          waiting.push(event)
          continue
        }
        try {
          await this.#attempt(tx, event, 1)
          handled.push(event)
        } catch (error) {
          if (await nobodysFault(db, error)) throw error
          failed.push({ event, attempts: 0, error })
          blocked.add(event.key)
        }
        if (performance.now() - started > COMMIT_EVERY_MS) break
      }
      failpoint('after-apply')
      if (failed.length > 0) await recordFailures(tx, this.#reaction.name, failed, this.#context.policy)
      if (waiting.length > 0) await recordWaiting(tx, this.#reaction.name, waiting)
      return { position, handled, troubled: failed.length + waiting.length > 0 }
    }
    const [outcome, now] = await db.begin(work, (tx, done) => advance(tx, this.#reaction.name, held, done.position))
    failpoint('consumer-committed')
    held.position = outcome.position
    if (outcome.troubled) await this.refresh()
    applied?.(this.#reaction.name, outcome.handled, now)
    return outcome.position
  }

  async retryDue(held: Held, position: number): Promise<boolean> {
    const now = performance.now()
    const due = [...this.#failing.values()].filter((rows) => (rows[0]?.dueAt ?? now) <= now)
    if (due.length === 0) return false
    for (const rows of due) await this.#drain(rows, held, position)
    await this.refresh()
    return true
  }

  /** Works off a key's events in order, until one fails and isn't given up. */
  async #drain(rows: Row[], held: Held, position: number) {
    const { db, policy, applied } = this.#context
    const events = await readAt(
      db,
      rows.map((row) => row.position),
    )
    for (const row of rows) {
      const event = events.find((each) => each.position === row.position)
      const outcome = await db.begin(async (tx) => {
        let failed: Failed | undefined
        if (event) {
          try {
            await this.#attempt(tx, event, row.attempts + 1)
          } catch (error) {
            if (await nobodysFault(db, error)) throw error
            failed = { event, attempts: row.attempts, error }
          }
        }
        if (failed) await recordFailures(tx, this.#reaction.name, [failed], policy)
        else await tx`delete from lockstep.failures where id = ${row.id}`
        const at = await advance(tx, this.#reaction.name, held, position)
        return { failed, at }
      })
      held.position = position
      if (outcome.failed) return
      if (event) applied?.(this.#reaction.name, [event], outcome.at)
    }
  }

  /** What one event writes is in a savepoint of its own, so that a failed handler leaves nothing behind; one that writes nothing costs none. */
  async #attempt(tx: Sql, event: LoggedEvent, attempt: number) {
    const { name } = this.#reaction
    let opened: Promise<unknown> | undefined
    const handle = revocable(tx, () => {
      opened = tx`savepoint event`
      opened.catch(() => {}) // heard below; until then it may fail while the handler is at work
    })
    try {
      await within(this.#context.timeoutMs, `${name} with ${event.type} of ${event.key}`, async (signal) => {
        await this.#context.faults.strike(name, [event.key])
        await this.#reaction.handle(event, { tx: handle.tx, idempotencyKey: event.id, attempt, signal })
      })
      handle.revoke()
      if (opened) await Promise.all([opened, tx`release savepoint event`])
    } catch (error) {
      handle.revoke()
      if (opened) await Promise.all([opened, tx`rollback to savepoint event`])
      throw error
    }
  }
}
