/**
 * Work that goes on after a consumer's checkpoint: images that are made, files that are fetched. A projection says in its transaction that
 * it has begun; until the work is finished the sync status is pending, and no transaction is held meanwhile.
 */
import type { Sql } from './database.ts'

export interface Begun {
  key: string
  /** Of the event that asks for the work. */
  position: number
}

/**
 * In the projection's transaction. A key that is unfinished already goes on for its newer event; what it misses begins where it began, at what
 * failed before, or behind the checkpoint: conflation left out what came before the newest event.
 */
export async function beginWork(tx: Sql, consumer: string, begun: Begun[]): Promise<void> {
  if (begun.length === 0) return
  await tx`
    insert into lockstep.unfinished as u (consumer, key, position, first_position)
    select ${consumer}, b.key, b.position,
           least(b.position, (select c.position + 1 from lockstep.consumers c where c.name = ${consumer}),
                 (select min(f.first_position) from lockstep.failures f where f.consumer = ${consumer} and f.key = b.key))
    from   unnest(${begun.map(({ key }) => key)}::text[], ${begun.map(({ position }) => position)}::bigint[]) as b (key, position)
    on conflict (consumer, key) do update set position = excluded.position, since = excluded.since where u.position < excluded.position`
}

/** The keys are done. Those that had failed are given to their projection again, which heals them. */
export async function finishWork(tx: Sql, consumer: string, keys: string[]): Promise<void> {
  if (keys.length === 0) return
  await Promise.all([
    tx`delete from lockstep.unfinished where consumer = ${consumer} and key = any(${keys}::text[])`,
    tx`
      update lockstep.failures set state = 'retrying', attempts = 0, retry_at = clock_timestamp()
      where  consumer = ${consumer} and key = any(${keys}::text[]) and state in ('dead', 'retrying')`,
  ])
}

/**
 * Hands keys back to their projection, which is given their latest events again at once and then throws what is wrong: that makes it a failure
 * like any other. Seen within a second, or at once after `engine.refresh()`.
 */
export async function handBack(tx: Sql, consumer: string, keys: string[]): Promise<void> {
  if (keys.length === 0) return
  await tx`
    with taken as (
      delete from lockstep.unfinished where consumer = ${consumer} and key = any(${keys}::text[]) returning key, position, first_position
    )
    insert into lockstep.failures (consumer, key, position, first_position, entity, version, type, state, retry_at)
    select ${consumer}, e.key, e.position, t.first_position, e.entity, e.version, e.type, 'retrying', clock_timestamp()
    from   taken t
    join   lockstep.events e on e.position = t.position
    on conflict (consumer, key, position) do update set state = 'retrying', attempts = 0, retry_at = excluded.retry_at`
}
