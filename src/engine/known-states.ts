/** States as the last batches left them, kept in memory to decide ahead on. */
import { LRUCache } from 'lru-cache'
import type { EntityId, Versioned } from './decider.ts'

/** States of one kind of entity that are kept, and characters of all of them, about. */
const MOST = 6_000
const CHARACTERS = 4_000_000
/** What each value of a state takes beside its text. */
const FIELD = 10

/** Each kind of entity by itself: orders come by the thousand and are hardly asked for again, and must not push out the stock they take. */
export class KnownStates<State> {
  readonly #kinds = new Map<string, LRUCache<EntityId, Versioned<State>>>()

  has(entity: EntityId): boolean {
    return this.#kinds.get(kindOf(entity))?.has(entity) ?? false
  }

  get(entity: EntityId): Versioned<State> | undefined {
    return this.#kinds.get(kindOf(entity))?.get(entity)
  }

  set(entity: EntityId, state: Versioned<State>): void {
    const kind = kindOf(entity)
    let known = this.#kinds.get(kind)
    if (!known) this.#kinds.set(kind, (known = new LRUCache({ max: MOST, maxSize: CHARACTERS })))
    known.set(entity, state, { size: charactersOf(state.state) })
  }

  delete(entity: EntityId): void {
    this.#kinds.get(kindOf(entity))?.delete(entity)
  }

  clear(): void {
    this.#kinds.clear()
  }
}

const kindOf = (entity: EntityId) => entity.slice(0, entity.indexOf('/') + 1)

/** About: what stands in a list is taken to be as large as its first. */
function charactersOf(value: unknown): number {
  if (typeof value === 'string') return FIELD + value.length
  if (typeof value !== 'object' || value === null) return FIELD
  if (Array.isArray(value)) return FIELD + value.length * charactersOf(value[0])
  let sum = FIELD
  for (const name in value) sum += charactersOf((value as Record<string, unknown>)[name])
  return sum
}
