/** An event: a fact, stored in the transaction that made it true. */

export type Json = null | boolean | number | string | Json[] | { [field: string]: Json }

// biome-ignore lint/suspicious/noExplicitAny: what an event carries is its contract's business (services/*/events.ts)
export type Data = Record<string, any>

/** One changed field of an update, as every `*.updated` event lists them under `data.changes` (D, Change Tracking). */
export interface FieldChange {
  field: string
  oldValue: unknown
  newValue: unknown
}

/** Where an event came from: one correlation id from the request to every consequence, and who acted. */
export interface Meta {
  correlationId?: string
  /** The id of the event or command this one answers. */
  causationId?: string
  actor?: string
  traceparent?: string
}

/** An event on its way into the log; the log gives it its position, id and time. */
export interface NewEvent {
  /** Past tense and dotted: `product.updated`. */
  type: string
  /** What is kept in sync: a product's id for everything about that product. Order holds per key. */
  key: string
  /** Whose state it is: `product/123`, `stock/KIT-1`. */
  entity: string
  /** How many events the entity has had, this one included: 1, 2, 3 … without gap. */
  version: number
  source: string
  data: Data
  meta?: Meta
}

export interface LoggedEvent extends Required<NewEvent> {
  /** Place in the log: gapless, in commit order, from 1. */
  position: number
  /** UUID v7. */
  id: string
  /** The database's clock at append. */
  at: Date
}

/** The sync token of an entity's version, `product/123@57`: what every write answers and a reader can wait on. */
export const syncToken = (entity: string, version: number) => `${entity}@${version}`

/** The pieces of a sync token. Throws a RangeError that shows a right one. */
export function parseSyncToken(token: string): { entity: string; version: number } {
  const match = /^([^@]+\/.+)@(\d{1,15})$/.exec(token)
  if (!match?.[1] || !match[2]) throw new RangeError(`not a sync token: ${token}; one looks like product/123@57`)
  return { entity: match[1], version: Number(match[2]) }
}

/** Does an event type match a pattern: itself, `product.*` (everything below), or `*`. */
export function matches(pattern: string, type: string): boolean {
  if (pattern === '*') return true
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type
}
