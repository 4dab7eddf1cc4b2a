/** What follows the log: projections (latest version of each entity) and reactions (every event once). */
import type { Sql } from './database.ts'
import { type LoggedEvent, matches } from './event.ts'
import type { RetryPolicy } from './verdict.ts'

interface Common {
  /** Its name in the sync status and everywhere else. */
  name: string
  /** Tries, waits; what is not set comes from the configuration. */
  retry?: Partial<RetryPolicy>
  /** A handler that has not settled by then has failed. */
  timeoutMs?: number
  /** Where a new consumer begins: the whole history (projections' default) or only what comes (reactions' default). */
  from?: 'start' | 'now'
  /** Events looked at in one transaction at most. */
  batch?: number
}

/** Keeps derived state. A batch holds one change an entity, its latest; order is kept per key. */
export interface Projection extends Common {
  kind: 'projection'
  on: string[]
  /** Is handed every event of a batch instead of each entity's latest; what was left out when a key is tried again, it reads for itself. */
  every?: boolean
  /** Writes through `tx` commit together with the checkpoint. Must be right when the same version comes again. */
  apply(changes: LoggedEvent[], tx: Sql): Promise<void>
  /** Empties its state before it is built anew from the log; without it, it can't be replayed from the start. */
  reset?(tx: Sql): Promise<void>
}

export interface ReactionContext {
  /** Writes through it commit together with the checkpoint: exactly once. */
  tx: Sql
  /** The event's id: the idempotency key for whatever is done outside. */
  idempotencyKey: string
  /** 1 for the first try. */
  attempt: number
  signal: AbortSignal
}

/** Does something once for every event, in order per key. */
export interface Reaction extends Common {
  kind: 'reaction'
  on: string[]
  handle(event: LoggedEvent, context: ReactionContext): Promise<void>
}

export type Consumer = Projection | Reaction

export function projection(options: Omit<Projection, 'kind'>): Projection {
  return { kind: 'projection', ...options }
}

/** `on` maps a type or pattern to its handler; the first that matches takes the event. */
export function reaction(
  options: Omit<Reaction, 'kind' | 'on' | 'handle'> & { on: Record<string, Reaction['handle']> },
): Reaction {
  const handlers = Object.entries(options.on)
  return {
    ...options,
    kind: 'reaction',
    on: handlers.map(([pattern]) => pattern),
    async handle(event, context) {
      const found = handlers.find(([pattern]) => matches(pattern, event.type))
      await found?.[1](event, context)
    },
  }
}
