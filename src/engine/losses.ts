/**
 * Commits that were there and are gone: a failover to a standby that lagged, or a backup restored in place. Nobody but the processes that saw them can
 * tell, so every new connection is asked for the last event seen. What is missing is kept beside the log; until somebody has accepted the
 * loss nothing is written and no consumer runs.
 */
import type { Sql } from './database.ts'
import type { LoggedEvent } from './event.ts'

/** A server that must not be used, whatever it says: still a standby, or without commits that this process has seen. To callers it is one that is not there. */
export class Unfit extends Error {
  override name = 'Unfit'
  /** As of a connection that could not be made. */
  readonly code = '08001'
}

export interface Loss {
  events: number
  first: number
  last: number
}

export interface LostEvent extends LoggedEvent {
  foundAt: Date
  acceptedAt: Date | null
}

/** Throws Unfit for a standby; answers whether the log still has the event. */
export async function stillHas(sql: Sql, { position, id }: LoggedEvent): Promise<boolean> {
  const [row] = await sql<{ standby: boolean; has: boolean }>`
    select pg_is_in_recovery() as standby,
           exists (select from lockstep.events where position = ${position} and id = ${id}::uuid) as has`
  // One that has yet to be promoted may only lag.
  if (row?.standby) throw new Unfit('the server is a standby that was not promoted yet')
  return row?.has ?? false
}

/** Keeps those of the events that the log has no more. */
export async function recordLost(sql: Sql, seen: readonly LoggedEvent[]): Promise<void> {
  await sql`
    insert into lockstep.lost (id, position, type, key, entity, version, source, at, data, meta)
    select s.id, s.position, s.type, s.key, s.entity, s.version, s.source, s.at, s.data, s.meta
    from   json_to_recordset(${JSON.stringify(seen)}::json)
           as s (id uuid, position bigint, type text, key text, entity text, version bigint, source text, at timestamptz, data json, meta json)
    where  not exists (select from lockstep.events e where e.position = s.position and e.id = s.id)
    on conflict (id) do nothing`
}

/** What was lost and nobody has accepted yet. */
export async function standingLoss(sql: Sql): Promise<Loss | undefined> {
  const [row] = await sql<Loss>`
    select count(*)::int as events, min(position) as first, max(position) as last from lockstep.lost where accepted_at is null`
  return row && row.events > 0 ? row : undefined
}

/** For people: what was found and what to do. */
export function describeLoss({ events, first, last }: Loss): string {
  const which =
    events === 1
      ? `the event at ${first} was seen and is`
      : `${events} events from ${first} to ${last} were seen and are`
  return `log went back: ${which} in the log no more; nothing is written until that is accepted (lockstep losses ls)`
}

/** The events lost, oldest first; with `all` those accepted as well. */
export async function listLost(sql: Sql, { all = false, limit = 1_000 } = {}): Promise<LostEvent[]> {
  const rows = await sql<LostEvent & { data: string; meta: string }>`
    select position, id, type, key, entity, version, source, at, data, meta, found_at as "foundAt", accepted_at as "acceptedAt"
    from   lockstep.lost
    where  accepted_at is null or ${all}
    order  by position, found_at
    limit  ${limit}`
  return rows.map((row) => ({ ...row, data: JSON.parse(row.data), meta: JSON.parse(row.meta) }))
}

/** Somebody knows and goes on without them: positions may be used again. Answers how many. */
export async function acceptLoss(sql: Sql): Promise<number> {
  const { count } = await sql`
    update lockstep.lost set accepted_at = clock_timestamp() where accepted_at is null`
  return count
}
