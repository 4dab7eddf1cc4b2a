/** The event log: one append-only table; positions are gapless and in commit order. */
import { randomBytes } from 'node:crypto'
import { numbers, texts } from './columns.ts'
import type { Sql } from './database.ts'
import type { Data, LoggedEvent, Meta, NewEvent } from './event.ts'
import { thinnedUpTo } from './retention.ts'

export class LogBroken extends Error {
  override name = 'LogBroken'
}

/**
 * Appends in the caller's transaction and answers the events as they stand in the log. Call it last: from here to the commit nobody else can
 * append, so the commit should already be on its way (issue it without awaiting this). Throws at once, before anything is sent, for an event that can't be stored.
 */
export async function append(tx: Sql, events: readonly Appendable[]): Promise<LoggedEvent[]> {
  const ids = newIds(events.length)
  const data = events.map((event) => (typeof event.data === 'string' ? event.data : JSON.stringify(event.data)))
  const meta = events.map((event) => (typeof event.meta === 'string' ? event.meta : JSON.stringify(event.meta ?? {})))
  const [head] = await tx<{ base: number; at: Date }>`
    with head as (
      update lockstep.head
      set    position = position + ${events.length}
      returning position - ${events.length}::bigint as base, clock_timestamp() as at
    ), inserted as (
      insert into lockstep.events (position, id, type, key, entity, version, source, at, data, meta)
      select head.base + e.n, e.id::uuid, e.type, e.key, e.entity, e.version, e.source, head.at, e.data::json, e.meta::json
      from   head,
             unnest(string_to_array(${texts(ids)}, chr(30)),
                    string_to_array(${texts(events.map((event) => event.type))}, chr(30)),
                    string_to_array(${texts(events.map((event) => event.key))}, chr(30)),
                    string_to_array(${texts(events.map((event) => event.entity))}, chr(30)),
                    ${numbers(events.map((event) => event.version))}::bigint[],
                    string_to_array(${texts(events.map((event) => event.source))}, chr(30)),
                    string_to_array(${texts(data)}, chr(30)), string_to_array(${texts(meta)}, chr(30)))
             with ordinality as e (id, type, key, entity, version, source, data, meta, n)
    )
    select base, at from head`
  const { base, at } = head as { base: number; at: Date }
  return events.map(({ type, key, entity, version, source }, n) => {
    const [id, dataText, metaText] = [ids[n] as string, data[n] as string, meta[n] as string]
    const position = base + n + 1
    return new Read({ position, id, type, key, entity, version, source, at, data: dataText, meta: metaText })
  })
}

/** Version 7 UUIDs, one after the other: the clock, a counter, and chance once for all of them. */
function newIds(count: number): string[] {
  const clock = Date.now().toString(16).padStart(12, '0')
  const chance = randomBytes(7).toString('hex')
  const variant = '89ab'[Number.parseInt(chance.slice(12), 16) & 3]
  const hex = (n: number) => (n & 0xfff).toString(16).padStart(3, '0')
  return Array.from(
    { length: count },
    (_, n) => `${clock.slice(0, 8)}-${clock.slice(8)}-7${hex(n >> 12)}-${variant}${hex(n)}-${chance.slice(0, 12)}`,
  )
}

/** Wakes the tails of all processes; said once a commit at most. */
export const CHANNEL = 'lockstep_log'

/**
 * Appends as a part of a transaction that is not an executor's, as a projection's own: what it tells commits together with its checkpoint. Call it
 * last. Should this process stall before the commit, the server ends the session within a second and the head is free again.
 */
export async function appendWithin(tx: Sql, events: readonly Appendable[]): Promise<void> {
  await Promise.all([
    tx`set local idle_in_transaction_session_timeout = '1s'`,
    tx`select pg_notify(${CHANNEL}, '')`,
    append(tx, events),
  ])
}

/** An event to append; data and meta may already be JSON text. */
export type Appendable = Omit<NewEvent, 'data' | 'meta'> & { data: Data | string; meta?: Meta | string }

interface Row {
  position: number
  id: string
  type: string
  key: string
  entity: string
  version: number
  source: string
  at: Date
  data: string
  meta: string
}

/** An event as read: data and meta are parsed when first looked at, once for all who share the event. */
class Read implements LoggedEvent {
  readonly position: number
  readonly id: string
  readonly type: string
  readonly key: string
  readonly entity: string
  readonly version: number
  readonly source: string
  readonly at: Date
  /** Length of the data as text, for those who count memory. */
  readonly size: number
  #data: string | Data
  #meta: string | Meta

  constructor(row: Row) {
    this.position = row.position
    this.id = row.id
    this.type = row.type
    this.key = row.key
    this.entity = row.entity
    this.version = row.version
    this.source = row.source
    this.at = row.at
    this.size = row.data.length
    this.#data = row.data
    this.#meta = row.meta
  }

  get data(): Data {
    if (typeof this.#data === 'string') this.#data = JSON.parse(this.#data) as Data
    return this.#data
  }

  get meta(): Meta {
    if (typeof this.#meta === 'string') this.#meta = JSON.parse(this.#meta) as Meta
    return this.#meta
  }

  toJSON() {
    const { position, id, type, key, entity, version, source, at, data, meta } = this
    return { position, id, type, key, entity, version, source, at, data, meta }
  }
}

/** The events after a position, in order. Throws LogBroken when the log has a hole (never by design, but where retention has thinned its old end). */
export async function read(sql: Sql, after: number, limit: number): Promise<LoggedEvent[]> {
  const rows = await sql<Row>`
    select position, id, type, key, entity, version, source, at, data, meta
    from   lockstep.events
    where  position > ${after}
    order  by position
    limit  ${limit}`
  let expected = after + 1
  let thinned: number | undefined
  for (const row of rows) {
    if (row.position !== expected) {
      thinned ??= await thinnedUpTo(sql)
      expected = Math.min(row.position, Math.max(expected, thinned + 1))
    }
    if (row.position !== expected)
      throw new LogBroken(`the log has no event ${expected}; the next one is ${row.position}`)
    expected = row.position + 1
  }
  return rows.map((row) => new Read(row))
}

/** The log's end: the position of the last committed event, 0 when there is none. */
export async function headPosition(sql: Sql): Promise<number> {
  const [row] = await sql<{ position: number }>`select position from lockstep.head`
  return row?.position ?? 0
}

/** Events by their positions, in order; for retries. */
export async function readAt(sql: Sql, positions: number[]): Promise<LoggedEvent[]> {
  const rows = await sql<Row>`
    select position, id, type, key, entity, version, source, at, data, meta
    from   lockstep.events
    where  position = any(${positions}::bigint[])
    order  by position`
  return rows.map((row) => new Read(row))
}

/** The latest event of every entity of these keys, up to a position, of the types that match the LIKE patterns. */
export async function latestOfKeys(sql: Sql, keys: string[], upTo: number, patterns: string[]): Promise<LoggedEvent[]> {
  const rows = await sql<Row>`
    select distinct on (entity) position, id, type, key, entity, version, source, at, data, meta
    from   lockstep.events
    where  key = any(${keys}::text[]) and position <= ${upTo} and type like any(${patterns}::text[])
    order  by entity, position desc`
  return rows.map((row) => new Read(row)).sort((a, b) => a.position - b.position)
}

/** A page of events by what is known of them, oldest first; every filter may be absent. */
export interface EventFilter {
  key?: string | undefined
  entity?: string | undefined
  type?: string | undefined
  correlationId?: string | undefined
}

export async function search(sql: Sql, filter: EventFilter, after: number, limit: number): Promise<LoggedEvent[]> {
  const conditions = ['position > $1']
  const values: unknown[] = [after]
  const where = (condition: string, value: unknown) => conditions.push(condition.replace('?', `$${values.push(value)}`))
  if (filter.key !== undefined) where('key = ?', filter.key)
  if (filter.entity !== undefined) where('entity = ?', filter.entity)
  if (filter.type !== undefined) where('type like ?', likePattern(filter.type))
  if (filter.correlationId !== undefined) where("meta ->> 'correlationId' = ?", filter.correlationId)
  const rows = await sql.text<Row>(
    `select position, id, type, key, entity, version, source, at, data, meta
     from   lockstep.events
     where  ${conditions.join(' and ')}
     order  by position
     limit  $${values.push(limit)}`,
    values,
  )
  return rows.map((row) => new Read(row))
}

/** An event pattern (`product.*`, `*`) as a LIKE pattern. */
export function likePattern(pattern: string): string {
  const literal = pattern.replace(/[\\%_]/g, '\\$&')
  return pattern === '*' ? '%' : literal.endsWith('.*') ? `${literal.slice(0, -1)}%` : literal
}

/** Makes room ahead: the partition of the log's end and the next one. Cheap when they exist. */
export async function ensurePartitions(sql: Sql): Promise<void> {
  await sql`select lockstep.ensure_partitions((select position from lockstep.head) + 200000)`
}

/** Who holds the log's head, if anybody does: the session that every writer waits for. */
export async function headHolder(sql: Sql): Promise<{ pid: number; seconds: number; application: string } | undefined> {
  const [row] = await sql<{ pid: number; seconds: number; application: string }>`
    select a.pid, extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds, a.application_name as application
    from   lockstep.head h
    join   pg_locks l on l.locktype = 'transactionid' and l.transactionid = h.xmax and l.granted
    join   pg_stat_activity a on a.pid = l.pid
    where  a.pid <> pg_backend_pid()
    limit  1`
  return row
}
