/** What other teams import: the words of the design, and the engine that gives them their guarantees. */
export {
  type Consumer,
  type Projection,
  projection,
  type Reaction,
  type ReactionContext,
  reaction,
} from './engine/consumer.ts'
export { replay } from './engine/consumers.ts'
export { type Database, openDatabase, type Rows, type Sql } from './engine/database.ts'
export {
  type Changed,
  type Decider,
  type Decision,
  type EntityId,
  type Fact,
  Rejected,
  type Source,
  type Store,
  type Versioned,
} from './engine/decider.ts'
export { Engine, type EngineOptions } from './engine/engine.ts'
export { type FieldChange, type LoggedEvent, type NewEvent, parseSyncToken, syncToken } from './engine/event.ts'
export type { CommandOptions, Executed, Executor } from './engine/executor.ts'
export { discardFailure, type Failure, listFailures, restoreFailure, retryFailure } from './engine/failures.ts'
export type { Service } from './engine/service.ts'
export { type OverallStatus, type Status, type SyncStatus, syncStatus, waitForSync } from './engine/sync-status.ts'
export { OutcomeUnknown, Unavailable } from './engine/unavailable.ts'
export { GiveUp, KeysFailed, RetryAfter, type RetryPolicy } from './engine/verdict.ts'
export { catalogEvents } from './services/catalog/events.ts'
export { inventoryEvents } from './services/inventory/events.ts'
