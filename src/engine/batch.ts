/** A batch of commands, decided and folded in memory: what each caller will be told, and what is to be written. */
import { isDeepStrictEqual } from 'node:util'
import { type Changed, type EntityId, type Fact, Rejected, type Source, type Versioned } from './decider.ts'
import type { Data, Meta } from './event.ts'
import type { Appendable } from './log.ts'

export interface CommandOptions {
  /** The idempotency key: the HTTP header, or the id of the event that the command answers. Kept for good. */
  key?: string | undefined
  /** What tells a repetition from another command under the same key; the command itself when absent. */
  fingerprint?: string | undefined
  actor?: string | undefined
  correlationId?: string | undefined
  causationId?: string | undefined
  traceparent?: string | undefined
  /** The version the caller saw (`If-Match`). */
  expect?: { entity: EntityId; version: number } | undefined
}

export interface Executed {
  answer: Data
  /** The version of each entity that got an event. */
  versions: Record<EntityId, number>
  /** The command had been carried out before; this is the first answer. */
  repeated: boolean
}

/** A command under way. */
export interface Job<Command> {
  command: Command
  options: CommandOptions
  scope: string
  key: string
  /** Null for a command without a key. */
  fingerprint: string | null
  touches: EntityId[]
  since: number
  tries: number
  /** How often it met another writer's row. */
  clashes: number
  /** When it was first found that somebody else holds what it touches, on the monotonic clock. */
  waitingSince?: number
  commitSent: boolean
  /** Of a command without a key whose commit was sent: what it will be answered, and the batch whose record tells whether that came true. */
  pending?: { executed: Executed; batch: string } | undefined
  resolve(executed: Executed): void
  reject(error: unknown): void
}

export class Batch<State, Command, F extends Fact> implements Changed<State, F> {
  readonly jobs: Job<Command>[] = []
  readonly done: { job: Job<Command>; executed: Executed }[] = []
  readonly facts: Changed<State, F>['facts'] = []
  readonly events: Appendable[] = []
  readonly #refusals: { job: Job<Command>; error: unknown }[] = []
  readonly #source: Source<State, Command, F>
  readonly #folded: Map<EntityId, Versioned<State>>
  readonly #assumed = new Map<EntityId, Versioned<State> | undefined>()
  readonly #touched = new Set<EntityId>()
  readonly #byKey = new Map<string, { job: Job<Command>; executed: Executed }>()
  readonly #afterwards: (() => void)[] = []

  constructor(source: Source<State, Command, F>, states = new Map<EntityId, Versioned<State>>()) {
    this.#source = source
    this.#folded = states
  }

  /** The last state of every entity that a fact touched. */
  get states(): Map<EntityId, Versioned<State>> {
    const states = new Map<EntityId, Versioned<State>>()
    for (const entity of this.#touched) {
      const state = this.#folded.get(entity)
      if (state) states.set(entity, state)
    }
    return states
  }

  get refused(): Job<Command>[] {
    return this.#refusals.map(({ job }) => job)
  }

  get nothingToWrite(): boolean {
    return this.done.length === 0 && this.facts.length === 0
  }

  /** Takes a state for granted, or with undefined that there is none, until `confirm` sees it under its lock. */
  assume(entity: EntityId, state: Versioned<State> | undefined): void {
    if (state) this.#folded.set(entity, state)
    this.#assumed.set(entity, state)
  }

  get(entity: EntityId): Versioned<State> | undefined {
    return this.#folded.get(entity)
  }

  has(entity: EntityId): boolean {
    return this.#folded.has(entity) || this.#assumed.has(entity)
  }

  /** Is everything that was assumed so? Then the batch stands, and knows the other loaded states too. */
  confirm(loaded: Map<EntityId, Versioned<State>>): boolean {
    const { same: known = (a: State, b: State, _entity: EntityId) => isDeepStrictEqual(a, b) } = this.#source.store
    const same = (a: State | undefined, b: State | undefined, entity: EntityId) =>
      a === undefined || b === undefined ? a === b : known(a, b, entity)
    for (const [entity, assumed] of this.#assumed) {
      const actual = loaded.get(entity)
      if (actual?.version !== assumed?.version || !same(assumed?.state, actual?.state, entity)) return false
    }
    for (const [entity, state] of loaded) if (!this.#folded.has(entity)) this.#folded.set(entity, state)
    return true
  }

  /** Decides a command on what the ones before it left. Nobody is told anything before `settle`. */
  decide(job: Job<Command>, now: Date): void {
    this.jobs.push(job)
    const key = job.fingerprint === null ? undefined : `${job.scope} ${job.key}`
    const same = key === undefined ? undefined : this.#byKey.get(key)
    if (same) this.repeat(job, same.job.fingerprint, () => same.executed)
    else {
      try {
        const decided = { job, executed: this.#fold(job.command, job.options, now) }
        this.done.push(decided)
        if (key !== undefined) this.#byKey.set(key, decided)
      } catch (error) {
        this.#refusals.push({ job, error })
      }
    }
  }

  /** A command that was carried out before gets the first answer, if it is the same command. */
  repeat(job: Job<Command>, fingerprint: string | null, first: () => Executed): void {
    this.later(() => {
      if (fingerprint === job.fingerprint) return job.resolve({ ...first(), repeated: job.tries === 0 })
      const message = 'the idempotency key was used before with another body'
      job.reject(new Rejected('idempotency-key-reused', { key: job.key }, message))
    })
  }

  later(work: () => void): void {
    this.#afterwards.push(work)
  }

  /** Answers every caller; to be called when the batch is committed. */
  settle(): void {
    for (const { job, executed } of this.done) job.resolve(executed)
    for (const work of this.#afterwards) work()
    for (const { job, error } of this.#refusals) job.reject(error)
  }

  /** Decides one command and folds its facts in. Throws the rejection; unless that states facts, nothing is folded then. */
  #fold(command: Command, options: CommandOptions, now: Date): Executed {
    const { decider } = this.#source
    const states = this.#folded
    if (options.expect) {
      const { entity, version: expected } = options.expect
      const actual = states.get(entity)?.version ?? 0
      if (actual !== expected) throw new Rejected('version-mismatch', { entity, expected, actual })
    }
    const decision = decider.decide(states, command, now)
    const answer = 'answer' in decision ? (decision.answer ?? {}) : {}
    const executed: Executed = { answer, versions: {}, repeated: false }
    const { actor, correlationId, causationId, traceparent } = options
    const meta = JSON.stringify({ correlationId, causationId, actor, traceparent } satisfies Meta)
    const by = actor === undefined ? nobody : { actor }
    const undo: [EntityId, Versioned<State> | undefined][] = []
    const lengths = [this.facts.length, this.events.length] as const
    try {
      for (const fact of decision.facts ?? []) {
        const { entity } = fact
        const before = states.get(entity)
        undo.push([entity, before])
        const state = decider.evolve(before?.state, fact)
        const told = decider.tell(fact, state)
        const version = (before?.version ?? 0) + (told ? 1 : 0)
        states.set(entity, { version, state })
        this.facts.push({ fact, version, meta: by })
        if (!told) continue
        executed.versions[entity] = version
        this.events.push({
          type: fact.type,
          key: told.key,
          entity,
          version,
          source: this.#source.ownerOf?.(entity) ?? this.#source.name,
          data: JSON.stringify(told.data),
          meta,
        })
      }
    } catch (error) {
      for (const [entity, before] of undo.reverse()) before ? states.set(entity, before) : states.delete(entity)
      ;[this.facts.length, this.events.length] = lengths
      throw error
    }
    for (const [entity] of undo) this.#touched.add(entity)
    if ('rejected' in decision) throw decision.rejected
    return executed
  }
}

const nobody = {}
