/** What a batch has locked and read so far. */
import type { EntityId, Versioned } from '../../engine/decider.ts'
import type { State } from './state.ts'

export type Read = Map<EntityId, Versioned<State>>

/** The SKUs that a reservation, a delivery or an order is about. */
export type Refers = Map<EntityId, string[]>

export const refer = (refers: Refers, id: EntityId, sku: string) =>
  void refers.set(id, [...(refers.get(id) ?? []), sku])
