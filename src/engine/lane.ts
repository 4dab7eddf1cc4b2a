/**
 * A loop with one connection that carries out commands batch by batch. While Postgres writes a batch, the next one is already being decided on the
 * states that the first leaves behind; under its own locks these are compared with what is there, and a wrong guess is decided again.
 */
import { Batch, type Job } from './batch.ts'
import { type Database, isConnectionLoss, type Session } from './database.ts'
import type { EntityId, Fact, Source, Versioned } from './decider.ts'
import type { LoggedEvent } from './event.ts'
import { failpoint, failpointsArmed } from './failpoint.ts'
import { Foresight } from './foresight.ts'
import { HeldRows } from './held-rows.ts'
import { BATCH_MS, costMs, firstPace, learned, type Pace } from './pace.ts'
import { Queue } from './queue.ts'
import { Recovery } from './recovery.ts'
import { appendAndCommit, decide, look, refuseOnlyNew, write, writeGuess } from './transaction.ts'

/** Commands in one transaction at most, unless the options say otherwise: enough to share a commit, few enough that little waits in memory. */
const MAX_BATCH = 1_000

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

/** A batch on its way. */
interface Turn {
  session?: Session
  commands: number
  begun: number
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
  #pace: Pace
  /** When the last batch was committed: one that was sent behind it had to wait until then. */
  #committedAt = 0
  /** What is not committed yet, the oldest first. */
  readonly #underWay: Turn[] = []
  readonly #queue: Queue<Command>
  readonly #foresight: Foresight<State, Command, F>
  /** Only a patient lane waits for rows. */
  readonly #held: HeldRows<State, Command, F> | undefined
  readonly #recovery: Recovery<State, Command, F>
  /** The turn whose writes are on their way: what comes now can be decided ahead. */
  #writing: Turn | undefined
  /** Called when the batch that was decided ahead is large enough to follow the one that is being committed. */
  #follow: () => void = () => {}
  #noGuessUntil = 0
  #running: Promise<void> | undefined
  #session: Session | undefined

  constructor(db: Database, source: Source<State, Command, F>, options: LaneOptions, patience: Patience<Command>) {
    this.#db = db
    this.#source = source
    this.#options = options
    this.#patience = patience
    this.#pace = firstPace(options.batchMost ?? MAX_BATCH)
    const { lockTimeoutMs, deadlineMs } = options
    const { waitMs } = patience
    this.#queue = new Queue(source.name, deadlineMs)
    this.#foresight = new Foresight(source)
    this.#held = waitMs > 0 ? new HeldRows(db, source, { waitMs, afterwardsMs: lockTimeoutMs }) : undefined
    this.#recovery = new Recovery(db, deadlineMs, this.#held)
  }

  get waiting(): number {
    return this.#queue.length + this.#foresight.count
  }

  /** Milliseconds that who comes now will wait, as far as the last batches tell. */
  get expectedMs(): number {
    const oldest = this.#underWay[0]
    return this.waiting * costMs(this.#pace, oldest && { commands: oldest.commands, ms: this.#msSince(oldest.begun) })
  }

  push(job: Job<Command>): void {
    if (!this.#writing || !this.#decideAhead(job)) this.#queue.push(job)
    this.#running ??= this.#run()
  }

  /** Is there a batch that was decided on what a commit under way leaves behind, and no smaller than that one? */
  get #couldFollow(): boolean {
    if (!this.#writing?.committing || this.#foresight.passedOver || !this.#guesses) return false
    return this.#foresight.count >= Math.min(this.#writing.commands, this.#pace.room)
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
      // A batch as large as the one before need not wait for its commit: it is sent behind it, so that Postgres goes from one to the next.
      while (await this.#canFollowDuring(carried)) {
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

  /** Is there a batch decided ahead that can follow this one before it is committed? */
  #canFollowDuring(carried: Promise<unknown>): Promise<boolean> {
    return new Promise<boolean>((resolve) => {
      this.#follow = () => resolve(true)
      if (this.#couldFollow) resolve(true)
      void carried.then(() => resolve(false))
    }).finally(() => {
      this.#follow = () => {}
    })
  }

  #take() {
    const { room } = this.#pace
    // However many are decided ahead, those that could not be have their share of each batch.
    const share = this.#foresight.passedOver ? Math.ceil(room / 4) : 0
    const undecided = this.#queue.take(Math.max(room - this.#foresight.count, share))
    this.#queue.cut(costMs(this.#pace))
    return { ahead: this.#foresight.take(), undecided }
  }

  #decideAhead(job: Job<Command>): boolean {
    if (!this.#foresight.decide(job, this.#pace.room)) return false
    if (this.#couldFollow) this.#follow()
    return true
  }

  /** The writes are on their way: remembers what they leave behind, and decides what waits on it. */
  #lookAhead(turn: Turn, states: Map<EntityId, Versioned<State>>) {
    if (this.#held) return
    this.#foresight.remember(states)
    if (this.expectedMs > BATCH_MS) return // nobody waits for long while others overtake him who happen to touch what is known
    this.#writing = turn
    this.#queue.offer((job) => this.#decideAhead(job))
  }

  /**
   * Carries out a batch and answers how to tell the callers; whoever is not told then is queued again, or was turned away. Never rejects. The last
   * batch's callers are told once this one is with Postgres, so that what they do next does not keep it waiting.
   */
  async #carryOut(taken: Taken<State, Command, F>, settleLast = () => {}): Promise<() => void> {
    const jobs = [...(taken.ahead?.jobs ?? []), ...taken.undecided]
    const sent = once(settleLast)
    const turn: Turn = { commands: jobs.length, begun: performance.now(), guessing: false, committing: false }
    this.#writing = undefined // what comes now is decided on what this batch leaves behind
    try {
      if (jobs.length === 0) return () => {}
      this.#underWay.push(turn)
      const batch = await this.#commit(turn, jobs, taken, sent).finally(() =>
        this.#underWay.splice(this.#underWay.indexOf(turn), 1),
      )
      this.#learn(turn)
      return () => {
        batch.settle()
        failpoint('answered')
      }
    } catch (error) {
      if (isConnectionLoss(error)) this.#learn(turn) // it may have been ended for taking too long
      this.#queue.pushFirst(this.#foresight.forget())
      turn.session?.release(error)
      if (this.#session === turn.session) this.#session = undefined
      await this.#recover(turn, jobs, error)
      return () => {}
    } finally {
      sent()
      if (this.#writing === turn) this.#writing = undefined
    }
  }

  /** A patient lane's time is spent waiting for others: if that was long, it says nothing about what commands cost. */
  #learn({ commands, begun }: Turn) {
    const ms = this.#msSince(begun)
    this.#committedAt = performance.now()
    if (!this.#held || ms <= BATCH_MS) this.#pace = learned(this.#pace, commands, ms)
  }

  /** Milliseconds that a batch has been at work, without its waiting for the one before. */
  #msSince(begun: number): number {
    return performance.now() - Math.max(begun, this.#committedAt)
  }

  async #recover(turn: Turn, jobs: Job<Command>[], error: unknown) {
    if (turn.guessing && !isConnectionLoss(error)) this.#noGuessUntil = performance.now() + 1_000
    const { first = [], last = [], alone = [] } = await this.#recovery.after(error, jobs, turn.guessing)
    this.#queue.pushFirst(first)
    for (const job of last) this.#queue.push(job)
    for (const job of alone) (await this.#carryOut({ ahead: undefined, undecided: [job] }))()
  }

  async #commit(
    turn: Turn,
    jobs: Job<Command>[],
    { ahead, undecided }: Taken<State, Command, F>,
    sent: () => void,
  ): Promise<Batch<State, Command, F>> {
    const { store } = this.#source
    failpoint('before-begin')
    const session = (turn.session = this.#session ??= await this.#db.reserve())
    const looking = look(session, jobs, (ids) =>
      this.#held ? this.#held.load(session, ids) : store.load(session, ids, { skipLocked: true }),
    )
    const guessed =
      ahead && undecided.length === 0 && this.#guesses
        ? writeGuess(session, this.#source, ahead, this.#options.lockTimeoutMs)
        : undefined
    turn.guessing = guessed !== undefined
    if (!guessed) sent()
    const looked = await looking
    const { known, states, blocked } = looked
    failpoint('rows-locked')
    this.#foresight.isNow(looked.now)

    const stands = known.length === 0 && blocked.size === 0 && ahead?.confirm(states)
    if (guessed && !stands) throw new WrongGuess()
    const batch = ahead && stands ? ahead : new Batch(this.#source, states)
    decide(batch, batch === ahead ? undecided : jobs, looked, (job, entity) => this.#handOn(job, entity))
    const refused = batch.refused.filter((job) => job.fingerprint !== null)
    const settled = refused.length === 0 ? undefined : refuseOnlyNew(session, refused)
    if (batch.nothingToWrite) {
      await Promise.all([guessed?.written, settled, session`rollback`])
      return batch
    }
    if (guessed) {
      await settled
      if (guessed.error) throw guessed.error
    } else {
      const written = Promise.all([write(session, this.#source, batch), settled])
      this.#lookAhead(turn, batch.states)
      await written
    }
    failpoint('states-written')
    for (const { job } of batch.done) job.commitSent = true
    const appending = appendAndCommit(session, batch.events, guessed?.written)
    turn.committing = true
    if (this.#couldFollow) this.#follow()
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

  /** Guessing rests for a second after a guess was wrong: somebody else writes what we write. */
  get #guesses(): boolean {
    return !failpointsArmed && this.#patience.waitMs === 0 && performance.now() > this.#noGuessUntil
  }

  #handOn(job: Job<Command>, entity: EntityId) {
    job.waitingSince ??= performance.now()
    if ('blocked' in this.#patience) this.#patience.blocked(job, entity)
    else this.push(job)
  }
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    work()
  }
}

/** What a batch was decided on ahead is not so: it is decided again under its locks. */
class WrongGuess extends Error {}
