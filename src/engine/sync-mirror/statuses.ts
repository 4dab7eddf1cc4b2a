/** What sync-status.ts answers for one key, for many at a time and without the reasons: positions that are asked for, and what makes a status worse. */
import type { Sql } from '../database.ts'
import type { Status } from '../sync-status.ts'

/** By consumer. */
export type Statuses = Map<string, Status>

export interface Checkpoint {
  name: string
  patterns: string[]
  position: number
}

/** A failure that stands, or work that goes on. */
export interface Trouble {
  consumer: string
  key: string
  state: string
}

/** In one statement, since work that goes on may become a failure and the other way round. */
export const troublesOf = (sql: Sql, keys: string[]) =>
  sql<Trouble>`
    select consumer, key, state from lockstep.failures where key = any(${keys}::text[])
    union  all
    select consumer, key, 'unfinished' from lockstep.unfinished where key = any(${keys}::text[])`

/** Of each key and consumer that has yet to come to it, the position of the last event that concerns it. */
export const neededBy = (sql: Sql, keys: string[]) =>
  sql<{ key: string; consumer: string; position: number }>`
    with consumers as materialized (
      select name, position,
             array(select case when p = '*' then '%' when p like '%.*' then left(replace(p, '_', '\\_'), -1) || '%' else replace(p, '_', '\\_') end
                   from unnest(patterns) p) as patterns
      from   lockstep.consumers
    )
    select k.key, c.name as consumer, needed.position
    from   unnest(${keys}::text[]) as k (key)
    cross  join consumers c
    cross  join lateral (
      select e.position from lockstep.events e
      where  e.key = k.key and e.position > c.position and e.type like any (c.patterns)
      order  by e.position desc limit 1) needed`

/** The worst first: what failed for good, what is tried again, what is yet to be done. */
const order: Status[] = ['failed', 'retrying', 'pending', 'done']
const statusOf: Record<string, Status> = {
  dead: 'failed',
  discarded: 'failed',
  retrying: 'retrying',
  waiting: 'retrying',
  unfinished: 'pending',
}

/** As of the checkpoints, before what stands in the way. */
export function byPosition(needed: ReadonlyMap<string, number> | undefined, checkpoints: Checkpoint[]): Statuses {
  return new Map(
    checkpoints.map(({ name, position }) => [name, (needed?.get(name) ?? 0) > position ? 'pending' : 'done']),
  )
}

/** Makes those worse that have trouble. */
export function withTroubles(statuses: Map<string, Statuses>, troubles: Trouble[]): Map<string, Statuses> {
  for (const { consumer, key, state } of troubles) {
    const of = statuses.get(key)
    const [before, then] = [of?.get(consumer), statusOf[state]]
    if (before && then && order.indexOf(then) < order.indexOf(before)) of?.set(consumer, then)
  }
  return statuses
}
