/** Who is in the way: the sessions that hold what one of ours waits for. */
import type { Sql } from './database.ts'

export interface Holder {
  pid: number
  /** How long its transaction has been open. */
  seconds: number
}

/** Those at the head of the queue before a session, the longest transaction first; not those who only stand in it. */
export function holdersBefore(sql: Sql, pid: number): Promise<Holder[]> {
  return sql<Holder>`
    with recursive before_us (pid) as (
      select unnest(pg_blocking_pids(${pid}))
      union
      select unnest(pg_blocking_pids(pid)) from before_us
    )
    select a.pid, extract(epoch from clock_timestamp() - a.xact_start)::float8 as seconds
    from   before_us
    join   pg_stat_activity a on a.pid = before_us.pid
    where  pg_blocking_pids(a.pid) = '{}'
    order  by a.xact_start`
}

export const sessionOf = (holder: Holder | undefined): string =>
  holder
    ? `the Postgres session with pid ${holder.pid}, in a transaction for ${Math.round(holder.seconds)} s`
    : 'another session'
