/**
 * A loop with one connection that carries out commands batch by batch. While Postgres writes a batch, the next one is already being decided on the
 * states that the first leaves behind; under its own locks these are compared with what is there, and a wrong guess is decided again.
 */
import { Batch, type Job } from './batch.ts'
import { type Answered, findRecords, wasCommitted, writeRecords } from './command-records.ts'
import { commit, type Database, isConnectionLoss, isInfrastructure, isLockTimeout, type Session } from './database.ts'
import type { EntityId, Fact, Source, Versioned } from './decider.ts'
import type { LoggedEvent } from './event.ts'
import { failpoint, failpointsArmed } from './failpoint.ts'
import { type Holder, holdersBefore, sessionOf } from './holders.ts'
import { KnownStates } from './known-states.ts'
import { type Appendable, append, ensurePartitions, headHolder } from './log.ts'
import { OutcomeUnknown, Unavailable } from './unavailable.ts'

/** Commands in one transaction at most, unless the options say otherwise: enough to share a commit, few enough that little waits in memory. */
const MAX_BATCH = 1_000
/** A lane begins with batches of so many at most; each may be four times as large as the last was, until one takes longer than it should. */
const FIRST_BATCH = 64
const BATCH_MS = 1_000
/** So often commands that met another writer's row (a unique violation) are looked at anew before they are tried one by one. */
const CLASHES = 3

export interface LaneOptions {
  /** Milliseconds a command may wait for its rows while somebody outside holds them. */
  lockTimeoutMs: number
  /** Milliseconds after which a command that has not been begun is turned away. */
  deadlineMs: number
  /** Commands in one transaction at most. */
  batchMost?: number | undefined
  /** Called after each commit that appended, with what was. */
  appended: (events: LoggedEvent[]) => void
  /** Called with the number of commands of each committed batch. */
  committed?: (source: string, commands: number) => void
}

/**
 * What a lane does about rows that somebody else holds: the fast one skips them and hands their commands on, with the entity in the way; a patient
 * one waits for them.
 */
export type Patience<Command> =
  | { waitMs: 0; blocked: (job: Job<Command>, entity: EntityId) => void }
  | { waitMs: number; idle: () => void }

/** A batch that already holds rows waits no longer than this for the others before it lets go and comes again: else whoever wants those waits too. */
const HOLD_MS = 150
/** Milliseconds that a guess waits for a row which somebody else took in between. */
const GUESS_LOCK_MS = 20

/** A batch on its way. */
interface Turn {
  session?: Session
  /** Its writes were sent before its locks had answered. */
  guessing: boolean
  /** Its commit was sent. */
  committing: boolean
}

/** What the next batch is made of. */
interface Taken<State, Command, F extends Fact> {
  ahead: Batch<State, Command, F> | undefined
  undecided: Job<Command>[]
}

export class Lane<State, Command, F extends Fact> {
  readonly #db: Database
  readonly #source: Source<State, Command, F>
  readonly #options: LaneOptions
  readonly #patience: Patience<Command>
  readonly #most: number
  /** Commands in the next batch at most: what each costs shows in the batches before, and a transaction must not come near its time limit. */
  #room: number
  #queue: Job<Command>[] = []
  /** The next batch, as far as it could be decided ahead. */
  #ahead: Batch<State, Command, F> | undefined
  readonly #known = new KnownStates<State>()
  /** The turn whose writes are on their way: what comes now can be decided ahead. */
  #writing: Turn | undefined
  /** Somebody in the queue could not be decided ahead: the next batch takes him along, under its locks. */
  #passedOver = false
  /** Called when the batch that was decided ahead is full while the one before it is being committed. */
  #full: () => void = () => {}
  #noGuessUntil = 0
  #clock = { database: 0, here: 0 }
  #running: Promise<void> | undefined
  #session: Session | undefined
  /** Still waiting for rows; a lock timeout later on is about the log's head. */
  #waiting = false
  /** Who held the rows that were last waited for, the longest transaction first. */
  #holders: Holder[] = []

  constructor(db: Database, source: Source<State, Command, F>, options: LaneOptions, patience: Patience<Command>) {
    this.#db = db
    this.#source = source
    this.#options = options
    this.#patience = patience
    this.#most = options.batchMost ?? MAX_BATCH
    this.#room = Math.min(FIRST_BATCH, this.#most)
  }

  get waiting(): number {
    return this.#queue.length + (this.#ahead?.jobs.length ?? 0)
  }

  push(job: Job<Command>): void {
    if (!this.#writing || !this.#decideAhead(job)) this.#queue.push(job)
    this.#running ??= this.#run()
  }

  /** Is there a full batch that was decided on what a commit under way leaves behind? */
  get #couldFollow(): boolean {
    if (!this.#writing?.committing || this.#passedOver || !this.#guesses) return false
    return (this.#ahead?.jobs.length ?? 0) >= this.#room
  }

  async close(): Promise<void> {
    await this.#running
    this.#session?.release()
    this.#session = undefined
  }

  async #run() {
    await new Promise(setImmediate) // whatever else arrives in this turn joins the first batch
    let settle = () => {}
    while (this.waiting > 0) {
      let carried = this.#carryOut(this.#take(), settle)
      // A full batch need not wait for the commit before it: it is sent behind it, so that Postgres goes from one to the next.
      while (await this.#fillsUpDuring(carried)) {
        this.#session?.flush()
        const next = this.#carryOut(this.#take())
        ;(await carried)()
        carried = next
      }
      settle = await carried
    }
    this.#running = undefined
    settle()
    if ('idle' in this.#patience && !this.#running) this.#patience.idle()
  }

  /** Is there a full batch decided ahead before this one is committed? */
  #fillsUpDuring(carried: Promise<unknown>): Promise<boolean> {
    return new Promise<boolean>((resolve) => {
      this.#full = () => resolve(true)
      if (this.#couldFollow) resolve(true)
      void carried.then(() => resolve(false))
    }).finally(() => {
      this.#full = () => {}
    })
  }

  #take() {
    const ahead = this.#ahead
    // However many are decided ahead, those that could not be have their share of each batch.
    const share = this.#passedOver ? Math.ceil(this.#room / 4) : 0
    const room = Math.max(this.#room - (ahead?.jobs.length ?? 0), share)
    this.#ahead = undefined
    this.#passedOver = false
    return { ahead, undecided: this.#queue.splice(0, room).filter((job) => this.#inTime(job)) }
  }

  #inTime(job: Job<Command>): boolean {
    if (performance.now() - job.since < this.#options.deadlineMs) return true
    job.reject(
      job.commitSent
        ? new OutcomeUnknown(
            'the database did not tell whether the change was committed; repeat with the same Idempotency-Key',
          )
        : new Unavailable(`${this.#source.name} did not get to the command within ${this.#options.deadlineMs} ms`),
    )
    return false
  }

  /** False if the command touches what is not known. Entities without versions are not, unless the decider says what they refer to. */
  #decideAhead(job: Job<Command>): boolean {
    const ahead = (this.#ahead ??= new Batch(this.#source))
    if (ahead.jobs.length >= this.#room) return false
    job.touches = this.#reach(ahead, job.touches)
    const created = this.#source.decider.creates?.(job.command)
    const known = (entity: EntityId) => ahead.has(entity) || this.#known.has(entity) || created?.includes(entity)
    if (job.touches.length === 0 || job.tries > 0 || !job.touches.every(known)) {
      this.#passedOver = true
      return false
    }
    for (const entity of job.touches) if (!ahead.has(entity)) ahead.assume(entity, this.#known.get(entity))
    ahead.decide(job, new Date(this.#clock.database + performance.now() - this.#clock.here))
    if (this.#couldFollow) this.#full()
    return true
  }

  /** What a command touches, with what that refers to as far as it is known. */
  #reach(ahead: Batch<State, Command, F>, touches: EntityId[]): EntityId[] {
    const { decider } = this.#source
    if (!decider.refersTo) return touches
    let reach = touches
    for (const entity of touches) {
      const state = (ahead.get(entity) ?? this.#known.get(entity))?.state
      const more = state && decider.refersTo(entity, state)
      if (more) reach = [...new Set([...reach, ...more])]
    }
    return reach
  }

  /** The writes are on their way: remembers what they leave behind, and decides what waits on it. */
  #lookAhead(turn: Turn, states: Map<EntityId, Versioned<State>>) {
    if (this.#patience.waitMs > 0) return
    const { refersTo } = this.#source.decider
    for (const [entity, state] of states) {
      if (state.version > 0 || (state.state && refersTo?.(entity, state.state))) this.#known.set(entity, state)
      else this.#known.delete(entity)
    }
    this.#writing = turn
    this.#queue = this.#queue.filter((job) => !this.#decideAhead(job))
  }

  /**
   * Carries out a batch and answers how to tell the callers; whoever is not told then is queued again, or was turned away. Never rejects. The last
   * batch's callers are told once this one is with Postgres, so that what they do next does not keep it waiting.
   */
  async #carryOut(taken: Taken<State, Command, F>, settleLast = () => {}): Promise<() => void> {
    const jobs = [...(taken.ahead?.jobs ?? []), ...taken.undecided]
    const sent = once(settleLast)
    const turn: Turn = { guessing: false, committing: false }
    this.#writing = undefined // what comes now is decided on what this batch leaves behind
    const begun = performance.now()
    try {
      if (jobs.length === 0) return () => {}
      const batch = await this.#commit(turn, jobs, taken, sent)
      this.#learn(jobs.length, performance.now() - begun)
      return () => {
        batch.settle()
        failpoint('answered')
      }
    } catch (error) {
      this.#known.clear()
      this.#queue.unshift(...(this.#ahead?.jobs ?? []))
      this.#ahead = undefined
      turn.session?.release(error)
      if (this.#session === turn.session) this.#session = undefined
      return this.#recover(turn, jobs, error)
    } finally {
      sent()
      if (this.#writing === turn) this.#writing = undefined
    }
  }

  /** A patient lane's time is spent waiting for others: it says nothing about what commands cost. */
  #learn(commands: number, ms: number) {
    if (ms <= BATCH_MS) this.#room = Math.min(this.#most, Math.max(this.#room, commands * 4))
    else if (this.#patience.waitMs === 0) this.#room = Math.max(1, Math.min(this.#room, commands) >> 1)
  }

  async #recover(turn: Turn, jobs: Job<Command>[], error: unknown): Promise<() => void> {
    if (isConnectionLoss(error)) {
      await this.#again(jobs)
      return () => {}
    }
    for (const job of jobs) {
      job.pending = undefined // anything but a lost connection is an answer: rolled back
      job.commitSent = false
    }
    if (turn.guessing) {
      this.#noGuessUntil = performance.now() + 1_000
      this.#queue.unshift(...jobs)
    } else if (isClash(error) && jobs.every((job) => job.clashes++ < CLASHES)) this.#queue.unshift(...jobs)
    else if (isLockTimeout(error) && this.#waiting) await this.#partBlocked(jobs)
    else if (isLockTimeout(error)) await this.#headHeld(jobs)
    else if (isNoPartition(error) && jobs.every((job) => job.tries++ < 3)) {
      await ensurePartitions(this.#db).catch(() => {})
      this.#queue.unshift(...jobs)
    } else if (isInfrastructure(error)) {
      for (const job of jobs)
        job.reject(new Unavailable(`the database can't take the change now: ${(error as Error).message}`))
    } else if (jobs.length > 1) {
      for (const job of jobs) (await this.#carryOut({ ahead: undefined, undecided: [job] }))()
    } else jobs[0]?.reject(error)
    return () => {}
  }

  async #commit(
    turn: Turn,
    jobs: Job<Command>[],
    { ahead, undecided }: Taken<State, Command, F>,
    sent: () => void,
  ): Promise<Batch<State, Command, F>> {
    const { store } = this.#source
    const { waitMs } = this.#patience
    failpoint('before-begin')
    const session = (turn.session = this.#session ??= await this.#db.reserve())
    const ids = [...new Set(jobs.flatMap((job) => job.touches))].sort()
    const keyed = jobs.filter((job) => job.fingerprint !== null)
    const looked = Promise.all([
      session`begin`,
      keyed.length === 0 ? [] : findRecords(session, keyed),
      waitMs > 0 ? this.#wait(session, ids) : store.load(session, ids, { skipLocked: true }),
      session<{ now: number }>`select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`,
    ])
    const guessed =
      ahead && undecided.length === 0 && this.#guesses ? this.#writeGuess(turn, session, ahead) : undefined
    if (!guessed) sent()
    const [, known, loaded, [clock]] = await looked
    failpoint('rows-locked')
    this.#clock = { database: clock?.now ?? Date.now(), here: performance.now() }

    const stands = known.length === 0 && loaded.blocked.length === 0 && ahead?.confirm(loaded.states)
    if (guessed && !stands) throw new WrongGuess()
    const batch = ahead && stands ? ahead : new Batch(this.#source, loaded.states)
    this.#decide(batch, batch === ahead ? undecided : jobs, known, new Set(loaded.blocked))
    // `known` was read before the locks were ours. What is refused now may have been carried out in between, by another process or by a session
    // of ours that was given up for dead: then its own doing is why it is refused. Its key tells, and all is looked at anew.
    const refused = batch.refused.filter((job) => job.fingerprint !== null)
    const settled = refused.length === 0 ? undefined : this.#refuseOnlyNew(session, refused)
    if (batch.nothingToWrite) {
      await Promise.all([guessed?.written, settled, session`rollback`])
      return batch
    }
    if (guessed) {
      await settled
      if (guessed.error) throw guessed.error
    } else {
      const written = Promise.all([this.#write(session, batch), settled])
      this.#lookAhead(turn, batch.states)
      await written
    }
    failpoint('states-written')
    for (const { job } of batch.done) job.commitSent = true
    const appending = this.#appendAndCommit(session, batch.events, guessed?.written)
    turn.committing = true
    if (this.#couldFollow) this.#full()
    if (guessed) {
      session.flush() // before the long work of this turn
      sent()
      this.#lookAhead(turn, batch.states)
    }
    const appended = await appending
    failpoint('committed')
    if (appended) this.#options.appended(appended)
    this.#options.committed?.(this.#source.name, batch.done.length)
    return batch
  }

  #write(session: Session, batch: Batch<State, Command, F>): Promise<unknown> {
    return Promise.all([
      this.#source.store.save(session, { states: batch.states, facts: batch.facts }),
      writeRecords(session, batch.done),
    ])
  }

  /**
   * Writes what was decided ahead before its locks have answered, so that Postgres never waits for us; only the append waits until the guess is
   * confirmed. A row that somebody else holds must not hold up the batch: the guess is dropped after a moment.
   */
  #writeGuess(turn: Turn, session: Session, batch: Batch<State, Command, F>) {
    session.flush()
    const written = Promise.all([
      lockTimeout(session, GUESS_LOCK_MS),
      this.#write(session, batch),
      lockTimeout(session, this.#options.lockTimeoutMs),
    ])
    // What can't even be sent is known before the locks answer; what Postgres refuses shows at the commit.
    const guess: { written: Promise<unknown>; error?: unknown } = { written }
    written.catch((error) => {
      guess.error = error
    })
    turn.guessing = true
    return guess
  }

  /** Guessing rests for a second after a guess was wrong: somebody else writes what we write. */
  get #guesses(): boolean {
    return !failpointsArmed && this.#patience.waitMs === 0 && performance.now() > this.#noGuessUntil
  }

  /** Loads under locks, and notes who is in the way while it waits for them. */
  async #wait(session: Session, ids: EntityId[]) {
    const waitMs = ids.length === 1 ? this.#patience.waitMs : Math.min(this.#patience.waitMs, HOLD_MS)
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
      await lockTimeout(session, this.#options.lockTimeoutMs)
      this.#waiting = false
      return loaded
    } finally {
      clearInterval(look)
    }
  }

  async #refuseOnlyNew(session: Session, refused: Job<Command>[]) {
    if ((await findRecords(session, refused)).length > 0) throw new Clash()
  }

  #decide(batch: Batch<State, Command, F>, jobs: Job<Command>[], known: Answered[], blocked: Set<EntityId>) {
    const now = new Date(this.#clock.database)
    const answered = new Map(known.map((row) => [`${row.scope} ${row.key}`, row]))
    for (const job of jobs) {
      const before = job.fingerprint === null ? undefined : answered.get(`${job.scope} ${job.key}`)
      if (before) batch.repeat(job, before.fingerprint, () => JSON.parse(before.answer))
      else {
        const entity = blocked.size === 0 ? undefined : job.touches.find((each) => blocked.has(each))
        if (entity === undefined) batch.decide(job, now)
        else batch.later(() => this.#handOn(job, entity))
      }
    }
  }

  #handOn(job: Job<Command>, entity: EntityId) {
    job.waitingSince ??= performance.now()
    if ('blocked' in this.#patience) this.#patience.blocked(job, entity)
    else this.push(job)
  }

  /** One round trip, so that nothing can stall between them; if the append or a write before it fails, Postgres turns the commit into a rollback and `commit` throws. */
  async #appendAndCommit(session: Session, events: Appendable[], written?: Promise<unknown>) {
    const appended = events.length > 0 ? append(session, events) : undefined
    if (failpointsArmed) await appended
    failpoint('after-append')
    const outcomes = await Promise.allSettled([written, appended, commit(session)])
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    return appended
  }

  /** The connection broke: on a new one the commands' keys, or the batch's record, tell what happened. */
  async #again(jobs: Job<Command>[]) {
    const batch = jobs.find((job) => job.pending)?.pending?.batch
    let committed = batch === undefined ? false : undefined
    let tries = Math.max(...jobs.map((job) => job.tries++))
    do {
      await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, 50 * 2 ** tries++)))
      if (batch !== undefined) committed = await wasCommitted(this.#db, batch).catch(() => undefined)
    } while (committed === undefined && jobs.some((job) => performance.now() - job.since < this.#options.deadlineMs))
    for (const job of jobs) {
      if (job.pending && committed === true) job.resolve(job.pending.executed)
      else if (job.pending && committed === undefined)
        job.reject(new OutcomeUnknown('the database did not tell whether the change was committed'))
      else {
        job.pending = undefined
        this.#queue.push(job)
      }
    }
  }

  async #headHeld(jobs: Job<Command>[]) {
    const holder = await headHolder(this.#db).catch(() => undefined)
    const message = holder
      ? `the log's head is held by ${sessionOf(holder)}; come again`
      : 'another transaction was in the way for too long; come again'
    for (const job of jobs) job.reject(new Unavailable(message, { blockedBy: holder ? [holder.pid] : [] }))
  }

  /** After waiting for rows in vain: commands for those still held are turned away with the holder's pid once their time is over; the others come again. */
  async #partBlocked(jobs: Job<Command>[]) {
    const ids = [...new Set(jobs.flatMap((job) => job.touches))]
    const blocked = await this.#db
      .begin(async (tx) => new Set((await this.#source.store.load(tx, ids, { skipLocked: true })).blocked))
      .catch(() => undefined)
    for (const job of jobs) {
      const entity = job.touches.find((id) => blocked?.has(id))
      const waitedMs = performance.now() - (job.waitingSince ??= performance.now())
      if (blocked && (!entity || waitedMs < this.#patience.waitMs)) this.#queue.push(job)
      else {
        const message = `${entity ?? 'what the command touches'} is held by ${sessionOf(this.#holders[0])}; come again`
        job.reject(new Unavailable(message, { entity, blockedBy: this.#holders.map((holder) => holder.pid) }))
      }
    }
  }
}

/** For the rest of the transaction. */
const lockTimeout = (session: Session, ms: number) =>
  session`select set_config('lock_timeout', ${String(Math.round(ms))}, true)`

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    work()
  }
}

const sqlState = (error: unknown) => (error as { code?: string }).code
/** Somebody else was first with the same entity, version or key: looking again tells what is so now. */
const isClash = (error: unknown) => error instanceof Clash || sqlState(error) === '23505'
class Clash extends Error {}
/** What a batch was decided on ahead is not so: it is decided again under its locks. */
class WrongGuess extends Error {}
const isNoPartition = (error: unknown) => sqlState(error) === '23514' && /no partition/.test((error as Error).message)
