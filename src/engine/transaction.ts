/** What a batch's transaction says to Postgres, step by step: look, write, append and commit. */
import type { Batch, Job } from './batch.ts'
import { type Answered, findRecords, writeRecords } from './command-records.ts'
import { commit, type Session } from './database.ts'
import type { EntityId, Fact, Source, Versioned } from './decider.ts'
import type { LoggedEvent } from './event.ts'
import { failpoint, failpointsArmed } from './failpoint.ts'
import { lockTimeout } from './held-rows.ts'
import { type Appendable, append } from './log.ts'
import { Clash } from './recovery.ts'

/** What there is, under locks that last as long as the transaction. */
export interface Looked<State> {
  /** The records of those commands that were carried out before. */
  known: Answered[]
  states: Map<EntityId, Versioned<State>>
  /** Entities that somebody else holds. */
  blocked: Set<EntityId>
  /** Milliseconds since 1970 by the database's clock. */
  now: number
}

/** Begins the transaction; `load` locks. */
export async function look<State>(
  session: Session,
  jobs: Job<unknown>[],
  load: (ids: EntityId[]) => Promise<{ states: Map<EntityId, Versioned<State>>; blocked: EntityId[] }>,
): Promise<Looked<State>> {
  const ids = [...new Set(jobs.flatMap((job) => job.touches))].sort()
  const keyed = jobs.filter((job) => job.fingerprint !== null)
  const [, known, { states, blocked }, [clock]] = await Promise.all([
    session`begin`,
    keyed.length === 0 ? [] : findRecords(session, keyed),
    load(ids),
    session<{ now: number }>`select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`,
  ])
  return { known, states, blocked: new Set(blocked), now: clock?.now ?? Date.now() }
}

/** Decides commands on what is there. Those that were carried out before get their first answer; for rows that somebody else holds they are handed on. */
export function decide<State, Command, F extends Fact>(
  batch: Batch<State, Command, F>,
  jobs: Job<Command>[],
  { known, blocked, now }: Looked<State>,
  handOn: (job: Job<Command>, entity: EntityId) => void,
): void {
  const at = new Date(now)
  const answered = new Map(known.map((row) => [`${row.scope} ${row.key}`, row]))
  for (const job of jobs) {
    const before = job.fingerprint === null ? undefined : answered.get(`${job.scope} ${job.key}`)
    if (before) batch.repeat(job, before.fingerprint, () => JSON.parse(before.answer))
    else {
      const entity = blocked.size === 0 ? undefined : job.touches.find((each) => blocked.has(each))
      if (entity === undefined) batch.decide(job, at)
      else batch.later(() => handOn(job, entity))
    }
  }
}

/**
 * The records were looked for before the locks were ours. What is refused under them may have been carried out in between, by another process or by a
 * session of ours that was given up for dead: then its own doing is why it is refused. Throws Clash if so, and all is looked at anew.
 */
export async function refuseOnlyNew(session: Session, refused: Job<unknown>[]): Promise<void> {
  if ((await findRecords(session, refused)).length > 0) throw new Clash()
}

/** States, and the records of the commands that led to them. */
export function write<State, Command, F extends Fact>(
  session: Session,
  source: Source<State, Command, F>,
  batch: Batch<State, Command, F>,
): Promise<unknown> {
  return Promise.all([
    source.store.save(session, { states: batch.states, facts: batch.facts }),
    writeRecords(session, batch.done),
  ])
}

/** Milliseconds that a guess waits for a row which somebody else took in between. */
const GUESS_LOCK_MS = 20

export interface Guess {
  written: Promise<unknown>
  /** What can't even be sent is known before the locks answer; what Postgres refuses shows at the commit. */
  error?: unknown
}

/**
 * Writes what was decided ahead before its locks have answered, so that Postgres never waits for us; only the append waits until the guess is
 * confirmed. A row that somebody else holds must not hold up the batch: the guess is dropped after a moment.
 */
export function writeGuess<State, Command, F extends Fact>(
  session: Session,
  source: Source<State, Command, F>,
  batch: Batch<State, Command, F>,
  lockTimeoutMs: number,
): Guess {
  session.flush()
  const written = Promise.all([
    lockTimeout(session, GUESS_LOCK_MS),
    write(session, source, batch),
    lockTimeout(session, lockTimeoutMs),
  ])
  const guess: Guess = { written }
  written.catch((error) => {
    guess.error = error
  })
  return guess
}

/** One round trip, so that nothing can stall between them; if the append or a write before it fails, Postgres turns the commit into a rollback and `commit` throws. */
export async function appendAndCommit(
  session: Session,
  events: Appendable[],
  written?: Promise<unknown>,
): Promise<LoggedEvent[] | undefined> {
  const appended = events.length > 0 ? append(session, events) : undefined
  // Should the wire die before the commit has arrived, Postgres must know that nothing is under way: it ends a transaction that idles within a second,
  // but waits for the rest of what has no sync yet until the transaction's time is over, with the log's head in its hands.
  session.flush()
  if (failpointsArmed) await appended
  failpoint('after-append')
  const outcomes = await Promise.allSettled([written, appended, commit(session)])
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return appended
}
