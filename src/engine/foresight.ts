/**
 * The next batch, decided while Postgres still writes the one before it: on the states that this one leaves behind. Under the next one's own locks they
 * are compared with what is there, and a wrong guess is decided again.
 */
import { Batch, type Job } from './batch.ts'
import type { EntityId, Fact, Source, Versioned } from './decider.ts'
import { KnownStates } from './known-states.ts'

export class Foresight<State, Command, F extends Fact> {
  readonly #source: Source<State, Command, F>
  readonly #known = new KnownStates<State>()
  #batch: Batch<State, Command, F> | undefined
  #clock = { database: 0, here: 0 }
  /** Somebody could not be decided ahead: the next batch takes him along, under its locks. */
  passedOver = false

  constructor(source: Source<State, Command, F>) {
    this.#source = source
  }

  /** Commands decided so far. */
  get count(): number {
    return this.#batch?.jobs.length ?? 0
  }

  /** What has been decided; the batch after it begins empty. */
  take(): Batch<State, Command, F> | undefined {
    const batch = this.#batch
    this.#batch = undefined
    this.passedOver = false
    return batch
  }

  /** False if there is no room, or the command touches what is not known. Entities without versions are not, unless the decider says what they refer to. */
  decide(job: Job<Command>, room: number): boolean {
    const batch = (this.#batch ??= new Batch(this.#source))
    if (batch.jobs.length >= room) return false
    job.touches = this.#reach(batch, job.touches)
    const created = this.#source.decider.creates?.(job.command)
    const known = (entity: EntityId) => batch.has(entity) || this.#known.has(entity) || created?.includes(entity)
    if (job.touches.length === 0 || job.tries > 0 || !job.touches.every(known)) {
      this.passedOver = true
      return false
    }
    for (const entity of job.touches) if (!batch.has(entity)) batch.assume(entity, this.#known.get(entity))
    batch.decide(job, new Date(this.#clock.database + performance.now() - this.#clock.here))
    return true
  }

  /** What a command touches, with what that refers to as far as it is known. */
  #reach(batch: Batch<State, Command, F>, touches: EntityId[]): EntityId[] {
    const { decider } = this.#source
    if (!decider.refersTo) return touches
    let reach = touches
    for (const entity of touches) {
      const state = (batch.get(entity) ?? this.#known.get(entity))?.state
      const more = state && decider.refersTo(entity, state)
      if (more) reach = [...new Set([...reach, ...more])]
    }
    return reach
  }

  /** Milliseconds since 1970 by the database's clock. */
  isNow(database: number): void {
    this.#clock = { database, here: performance.now() }
  }

  /** What a batch leaves behind. */
  remember(states: Map<EntityId, Versioned<State>>): void {
    const { refersTo } = this.#source.decider
    for (const [entity, state] of states) {
      if (state.version > 0 || (state.state && refersTo?.(entity, state.state))) this.#known.set(entity, state)
      else this.#known.delete(entity)
    }
  }

  /** What was remembered never came true: the commands decided on it are to be decided anew. */
  forget(): Job<Command>[] {
    this.#known.clear()
    const jobs = this.#batch?.jobs ?? []
    this.#batch = undefined
    return jobs
  }
}
