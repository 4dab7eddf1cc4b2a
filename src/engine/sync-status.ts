/**
 * Sync status: who has this version, who has not, and why. It costs no write: a consumer is done with a key when its checkpoint is past the
 * key's last event that concerns it, the work it began for it is finished, and it has no failure there. Consumers that a change does not concern
 * are not waited for.
 */
import type { Sql } from './database.ts'
import { pause } from './deadline.ts'

export type Status = 'pending' | 'retrying' | 'failed' | 'done'
/** A, §11: partial-failure if any failed, else completed if all are done, else processing. */
export type OverallStatus = 'partial-failure' | 'completed' | 'processing'

export interface ConsumerStatus {
  consumer: string
  status: Status
  /** False when the consumer follows nothing that ever happened to the key: it has nothing to do. */
  concerned: boolean
  /** The consumer's checkpoint. */
  position: number
  /** The key's first event that the consumer has yet to handle, and how long it has been in the log; without a type, since when it is at work. */
  pendingSince?: Date
  pendingType?: string
  attempts?: number
  retryAt?: Date
  error?: string
  failureId?: number
}

export interface SyncStatus {
  key: string
  overallStatus: OverallStatus
  consumers: ConsumerStatus[]
}

export function overall(statuses: readonly Status[]): OverallStatus {
  if (statuses.includes('failed')) return 'partial-failure'
  return statuses.every((status) => status === 'done') ? 'completed' : 'processing'
}

/** A version of an entity. One that has left the log stands where the entity's next event does; one that is yet to come, at the log's end. */
export interface AtVersion {
  entity: string
  version: number
}

/**
 * Every consumer's status for a key, as one snapshot. With `at`, up to that version of that entity; later changes are left out.
 * Consumers are those known to the database, whichever process runs them.
 */
export async function syncStatus(sql: Sql, key: string, at?: AtVersion): Promise<SyncStatus> {
  const rows = await sql<{
    name: string
    position: number
    concerned: boolean
    nextAt: Date | null
    nextType: string | null
    unfinishedSince: Date | null
    failureId: number | null
    state: string | null
    attempts: number | null
    retryAt: Date | null
    error: string | null
  }>`
    with consumers as materialized (
      select name, position,
             array(select case when p = '*' then '%' when p like '%.*' then left(replace(p, '_', '\\_'), -1) || '%' else replace(p, '_', '\\_') end
                   from unnest(patterns) p) as patterns
      from   lockstep.consumers
    ), upto as materialized (
      select coalesce(
        case when ${at === undefined} then null else (
          select e.position from lockstep.events e
          where  e.key = ${key} and e.entity = ${at?.entity ?? ''} and e.version >= ${at?.version ?? 0}
          order  by e.version limit 1)
        end,
        9223372036854775807) as position
    )
    select c.name, c.position, next.at as "nextAt", next.type as "nextType",
           coalesce(next.type, any_event.type) is not null as concerned,
           w.since as "unfinishedSince", f.id as "failureId", f.state, f.attempts, f.retry_at as "retryAt", f.error
    from   consumers c
    cross  join upto
    left   join lateral (
      select e.at, e.type from lockstep.events e
      where  e.key = ${key} and e.position > c.position and e.position <= upto.position and e.type like any (c.patterns)
      order  by e.position limit 1) next on true
    left   join lateral (
      select e.type from lockstep.events e
      where  next.type is null and e.key = ${key} and e.type like any (c.patterns)
      order  by e.position desc limit 1) any_event on true
    left   join lateral (
      select f.* from lockstep.failures f
      where  f.consumer = c.name and f.key = ${key} and f.first_position <= upto.position
      order  by case f.state when 'dead' then 1 when 'discarded' then 2 when 'retrying' then 3 else 4 end, f.position desc limit 1) f on true
    left   join lockstep.unfinished w
           on w.consumer = c.name and w.key = ${key} and w.first_position <= upto.position
    order  by c.name`
  const consumers = rows.map((row): ConsumerStatus => {
    const status =
      row.state === null
        ? row.nextAt === null && row.unfinishedSince === null
          ? 'done'
          : 'pending'
        : row.state === 'retrying' || row.state === 'waiting'
          ? 'retrying'
          : 'failed'
    return {
      consumer: row.name,
      status,
      concerned: row.concerned,
      position: row.position,
      ...(row.unfinishedSince !== null && { pendingSince: row.unfinishedSince }),
      ...(row.nextAt !== null && row.nextType !== null && { pendingSince: row.nextAt, pendingType: row.nextType }),
      ...(row.failureId !== null && {
        failureId: row.failureId,
        attempts: row.attempts ?? 0,
        error: row.error ?? '',
        ...(row.retryAt !== null && { retryAt: row.retryAt }),
      }),
    }
  })
  return { key, overallStatus: overall(consumers.map(({ status }) => status)), consumers }
}

export interface WaitOptions {
  at?: AtVersion | undefined
  /** Wait for these alone; all when absent. */
  consumers?: string[] | undefined
  waitMs: number
  signal: AbortSignal
  /** Resolves when a consumer in this process has moved; others are looked at every 25 ms. */
  moved?: (signal: AbortSignal) => Promise<void>
}

/** The status once all (or those named) are done or one has failed for good, or as it is when the time is over. */
export async function waitForSync(sql: Sql, key: string, options: WaitOptions): Promise<SyncStatus> {
  const until = performance.now() + options.waitMs
  for (;;) {
    const status = await syncStatus(sql, key, options.at)
    const awaited = status.consumers.filter(({ consumer }) => options.consumers?.includes(consumer) ?? true)
    const settled = awaited.every((each) => each.status === 'done') || awaited.some((each) => each.status === 'failed')
    const left = until - performance.now()
    if (settled || left <= 0 || options.signal.aborted) return status
    const turn = AbortSignal.any([options.signal, AbortSignal.timeout(Math.ceil(Math.min(left, 25)))])
    await Promise.race([options.moved?.(turn), pause(Math.min(left, 25), turn)].filter((each) => each !== undefined))
  }
}
