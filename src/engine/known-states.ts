/** States as the last batches left them, kept in memory to decide ahead on. */
import { LRUCache } from 'lru-cache'
import type { EntityId, Versioned } from './decider.ts'

/** States of one kind of entity that are kept. */
const MOST = 6_000

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
    if (!known) this.#kinds.set(kind, (known = new LRUCache({ max: MOST })))
    known.set(entity, state)
  }

  delete(entity: EntityId): void {
    this.#kinds.get(kindOf(entity))?.delete(entity)
  }

  clear(): void {
    this.#kinds.clear()
  }
}

const kindOf = (entity: EntityId) => entity.slice(0, entity.indexOf('/') + 1)
