/** The contract of a source: a pure decider, and the store that keeps its states. */
import type { Sql } from './database.ts'
import type { Data } from './event.ts'

/** An entity's name, `product/123`. */
export type EntityId = string

/** A fact about one entity, as a decider states it. Its `type` is the event's. */
export interface Fact {
  type: string
  entity: EntityId
}

/** What a decider answers: facts (none: nothing to change) with an answer for the caller, or a rejection. */
export type Decision<F extends Fact> =
  | { facts: F[]; answer?: Data }
  | { rejected: Rejected; facts?: F[] /* stated although the command failed: `stock.update.failed` (B, Flow 1) */ }

/** A broken rule: the caller's command is refused, nothing changes. `code` is kebab-case and stable; the HTTP edge gives it its status. */
export class Rejected extends Error {
  readonly code: string
  readonly detail: Data
  constructor(code: string, detail: Data = {}, message = code.replaceAll('-', ' ')) {
    super(message)
    this.name = 'Rejected'
    this.code = code
    this.detail = detail
  }
}

/** A state with the number of events its entity has had. */
export interface Versioned<State> {
  version: number
  state: State | undefined
}

export interface Decider<State, Command, F extends Fact> {
  /** The entities to lock and load for a command. The store may add those they refer to. */
  touches(command: Command): EntityId[]
  /** Those of them that hardly ever exist before: a new order, a new product. A guess that lets the command be decided ahead, checked under the locks. */
  creates?(command: Command): EntityId[]
  /**
   * What a state without versions refers to, when it can be told again: the store loads those entities with it. Such a state is remembered, so that
   * commands which name it alone can be decided ahead too. Undefined for states that only the database can tell.
   */
  refersTo?(entity: EntityId, state: State): EntityId[] | undefined
  /** No I/O, no clock: `now` is the database's time, taken under the locks. Throws or returns `Rejected` for a broken rule. */
  decide(states: ReadonlyMap<EntityId, Versioned<State>>, command: Command, now: Date): Decision<F>
  evolve(state: State | undefined, fact: F): State | undefined
  /** The event that tells a fact: the entity's full state after it, plus `changes` for updates. Undefined for private bookkeeping that is no event and no version. */
  tell(fact: F, state: State | undefined): { key: string; data: Data } | undefined
}

/** What a batch changed: the last state of each touched entity, and the facts in order with the version each made. */
export interface Changed<State, F extends Fact> {
  states: Map<EntityId, Versioned<State>>
  facts: { fact: F; version: number; meta: { actor?: string } }[]
}

export interface Store<State, F extends Fact> {
  /**
   * Locks (`for update`, in id order) and loads what exists. With `skipLocked`, entities that somebody else holds are named in
   * `blocked` instead of waited for. Entities that don't exist are simply absent.
   */
  load(
    tx: Sql,
    ids: EntityId[],
    options: { skipLocked: boolean },
  ): Promise<{ states: Map<EntityId, Versioned<State>>; blocked: EntityId[] }>
  /**
   * Is a state decided on ahead still what was now loaded with the same version? Only what changes without a version, as time does, need be looked
   * at. Without it the states are compared field by field.
   */
  same?(assumed: State, loaded: State, entity: EntityId): boolean
  /** Writes a whole batch, one statement a table. */
  save(tx: Sql, changed: Changed<State, F>): Promise<unknown>
}

/** A source: a service that owns data. */
export interface Source<State, Command, F extends Fact> {
  name: string
  decider: Decider<State, Command, F>
  store: Store<State, F>
  /** What stands before the slash in the entities it owns; needed to be joined with others (joint.ts). */
  entities?: readonly string[]
  /** Whose events an entity's are; the source's own when absent. */
  ownerOf?(entity: EntityId): string
  /** Whose keys a command's idempotency key is one of, and what tells it from another under the same key; the source's, and the command itself, when absent. */
  identity?(command: Command): { scope: string; said: unknown }
}
