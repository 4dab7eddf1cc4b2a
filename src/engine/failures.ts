/**
 * What consumers could not handle. A projection's failure is a key, healed by the next version that works; a reaction's is an event, and the
 * key's later events wait behind it in order. Given up, it is a dead letter: listed, inspected, retried, discarded, restored.
 */
import type { Sql } from './database.ts'
import { Rejected } from './decider.ts'
import type { LoggedEvent } from './event.ts'
import { type RetryPolicy, verdict } from './verdict.ts'

export type FailureState = 'retrying' | 'waiting' | 'dead' | 'discarded'

export interface Failure {
  id: number
  consumer: string
  key: string
  position: number
  entity: string
  version: number
  type: string
  state: FailureState
  attempts: number
  error: string
  errorClass: string
  /** Every attempt: when, and what was said. The newest 20. */
  history: { at: string; error: string }[]
  retryAt: Date | null
  firstAt: Date
  lastAt: Date
}

/** An attempt that failed: the event (for a projection the key's newest), how many attempts there were before, and the error. */
export interface Failed {
  event: LoggedEvent
  attempts: number
  error: unknown
  /** From where on the key's events may be missing; the event's own place unless told. */
  firstPosition?: number
}

/** Writes failed attempts with what follows from them. */
export async function recordFailures(tx: Sql, consumer: string, failed: Failed[], policy: RetryPolicy): Promise<void> {
  const rows = failed.map(({ event, attempts, error, firstPosition = event.position }) => {
    const attempt = attempts + 1
    const next = verdict(error, attempt, policy)
    return {
      event,
      firstPosition,
      attempts: !next.dead && !next.counts ? attempts : attempt,
      state: next.dead ? 'dead' : 'retrying',
      retryInMs: next.dead ? null : next.retryInMs,
      error: messageOf(error),
      errorClass: classOf(error),
    }
  })
  await tx`
    insert into lockstep.failures (consumer, key, position, first_position, entity, version, type, state, attempts, error, error_class, retry_at, history)
    select ${consumer}, f.key, f.position, f.first_position, f.entity, f.version, f.type, f.state, f.attempts, f.error, f.error_class,
           clock_timestamp() + f.retry_ms * interval '1 ms', jsonb_build_array(jsonb_build_object('at', clock_timestamp(), 'error', f.error))
    from   unnest(${rows.map((row) => row.event.key)}::text[], ${rows.map((row) => row.event.position)}::bigint[], ${rows.map((row) => row.firstPosition)}::bigint[],
                  ${rows.map((row) => row.event.entity)}::text[], ${rows.map((row) => row.event.version)}::bigint[],
                  ${rows.map((row) => row.event.type)}::text[], ${rows.map((row) => row.state)}::text[], ${rows.map((row) => row.attempts)}::int[],
                  ${rows.map((row) => row.error)}::text[], ${rows.map((row) => row.errorClass)}::text[], ${rows.map((row) => row.retryInMs)}::float8[])
           as f (key, position, first_position, entity, version, type, state, attempts, error, error_class, retry_ms)
    on conflict (consumer, key, position) do update
    set    state = excluded.state, attempts = excluded.attempts, error = excluded.error, error_class = excluded.error_class, retry_at = excluded.retry_at,
           last_at = clock_timestamp(), history = (excluded.history || failures.history) #- '{20}'`
}

/** A reaction's events that stand behind a failing one of their key. */
export async function recordWaiting(tx: Sql, consumer: string, events: LoggedEvent[]): Promise<void> {
  await tx`
    insert into lockstep.failures (consumer, key, position, first_position, entity, version, type, state)
    select ${consumer}, f.key, f.position, f.position, f.entity, f.version, f.type, 'waiting'
    from   unnest(${events.map((event) => event.key)}::text[], ${events.map((event) => event.position)}::bigint[],
                  ${events.map((event) => event.entity)}::text[], ${events.map((event) => event.version)}::bigint[],
                  ${events.map((event) => event.type)}::text[]) as f (key, position, entity, version, type)
    on conflict (consumer, key, position) do nothing`
}

/** What is known of a consumer's failing keys: when to come back, and how often it was tried. Dead and discarded ones have no time. */
export async function failingKeys(sql: Sql, consumer: string) {
  return sql<{
    id: number
    key: string
    position: number
    firstPosition: number
    state: FailureState
    attempts: number
    dueInMs: number | null
  }>`
    select id, key, position, first_position as "firstPosition", state, attempts, (extract(epoch from retry_at - clock_timestamp()) * 1000)::float8 as "dueInMs"
    from   lockstep.failures
    where  consumer = ${consumer}
    order  by key, position`
}

const columns = `id, consumer, key, position, entity, version, type, state, attempts, error, error_class as "errorClass", history,
  retry_at as "retryAt", first_at as "firstAt", last_at as "lastAt"`

export interface FailureFilter {
  consumer?: string | undefined
  key?: string | undefined
  /** Dead letters alone unless told otherwise. */
  states?: FailureState[] | undefined
}

/** A page of failures, the newest first, before the given id. */
export async function listFailures(
  sql: Sql,
  filter: FailureFilter,
  before: number | undefined,
  limit: number,
): Promise<Failure[]> {
  return sql.text<Failure>(
    `select ${columns}
     from   lockstep.failures
     where  state = any($1) and ($2::text is null or consumer = $2) and ($3::text is null or key = $3) and ($4::bigint is null or id < $4)
     order  by id desc
     limit  $5`,
    [filter.states ?? ['dead'], filter.consumer ?? null, filter.key ?? null, before ?? null, limit],
  )
}

export async function getFailure(sql: Sql, id: number): Promise<Failure> {
  const [failure] = await sql.text<Failure>(`select ${columns} from lockstep.failures where id = $1`, [id])
  if (!failure)
    throw new Rejected('not-found', { what: 'dead letter', id: String(id) }, `there is no dead letter ${id}`)
  return failure
}

/** Tries again now, with all attempts ahead. Also takes back a discard. */
export async function retryFailure(sql: Sql, id: number): Promise<Failure> {
  await sql`
    update lockstep.failures set state = 'retrying', attempts = 0, retry_at = clock_timestamp()
    where  id = ${id} and state in ('dead', 'retrying', 'discarded')`
  return getFailure(sql, id)
}

/** Puts a dead letter aside; it is kept, and `restoreFailure` brings it back. */
export async function discardFailure(sql: Sql, id: number): Promise<Failure> {
  const { count } = await sql`
    update lockstep.failures set state = 'discarded', retry_at = null where id = ${id} and state in ('dead', 'discarded')`
  const failure = await getFailure(sql, id)
  if (count === 0) {
    throw new Rejected(
      'not-dead',
      { id, state: failure.state },
      `failure ${id} is ${failure.state}: only a dead letter can be discarded`,
    )
  }
  return failure
}

/** Brings a discarded letter back as it was, a dead one: nothing is tried. One that is dead already stays so. */
export async function restoreFailure(sql: Sql, id: number): Promise<Failure> {
  const { count } =
    await sql`update lockstep.failures set state = 'dead' where id = ${id} and state in ('dead', 'discarded')`
  const failure = await getFailure(sql, id)
  if (count === 0) {
    throw new Rejected(
      'not-discarded',
      { id, state: failure.state },
      `failure ${id} is ${failure.state}: only a discarded letter can be restored`,
    )
  }
  return failure
}

/** Tries a key's failures again now, at one consumer or at all; how many there were. */
export async function retryKey(sql: Sql, key: string, consumer?: string): Promise<number> {
  const { count } = await sql`
    update lockstep.failures set state = 'retrying', attempts = 0, retry_at = clock_timestamp()
    where  key = ${key} and state in ('dead', 'retrying') and (${consumer ?? null}::text is null or consumer = ${consumer ?? null})`
  return count
}

/** Whatever was thrown, as text. A handler may throw anything: what can't be made into text must not stop its consumer. */
function messageOf(error: unknown): string {
  return storable(() => (error instanceof Error ? String(error.message) : `not an Error: ${String(error)}`), 2_000)
}

function classOf(error: unknown): string {
  return storable(() => (error instanceof Error ? String(error.name) : typeof error), 100)
}

/** No NUL, which Postgres can't store. */
function storable(text: () => string, length: number): string {
  try {
    return text().replaceAll('\0', '\u{fffd}').toWellFormed().slice(0, length)
  } catch {
    return 'something that has no text'
  }
}
