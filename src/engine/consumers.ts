/** What one asks of the consumers as a whole: how far each has come, and to pause, resume or replay one. */
import type { Consumer } from './consumer.ts'
import type { Database, Sql } from './database.ts'
import { Rejected } from './decider.ts'
import { thinnedUpTo } from './retention.ts'

export interface ConsumerState {
  name: string
  kind: 'projection' | 'reaction'
  on: string[]
  /** Its checkpoint, and the log's end. */
  position: number
  end: number
  lagEvents: number
  /** Age of the first event that it has not handled; 0 when it is up to date. */
  lagSeconds: number
  /** The process that runs it, while that process lives. */
  owner: string | null
  paused: boolean
  retrying: number
  dead: number
}

/** Milliseconds since its last beat after which a process is no longer shown as living; a standby takes over sooner. */
const SILENT_MS = 3_000

/** Every consumer. One whose owner died without a word has none, although nobody has claimed it yet. */
export async function listConsumers(sql: Sql): Promise<ConsumerState[]> {
  return sql<ConsumerState>`
    select c.name, c.kind, c.patterns as on, c.position, h.position as end, h.position - c.position as "lagEvents",
           coalesce(greatest(extract(epoch from clock_timestamp() - e.at), 0), 0)::float8 as "lagSeconds",
           p.name as owner, c.paused, count(f.id) filter (where f.state in ('retrying', 'waiting'))::int as retrying, count(f.id) filter (where f.state = 'dead')::int as dead
    from   lockstep.consumers c
    cross  join lockstep.head h
    left   join lockstep.processes p on p.name = c.owner and p.beat_at > clock_timestamp() - ${SILENT_MS} * interval '1 ms'
    left   join lateral (select at from lockstep.events where position > c.position order by position limit 1) e on true
    left   join lockstep.failures f on f.consumer = c.name
    group  by c.name, p.name, h.position, e.at
    order  by c.name`
}

/** Does any process run consumers now? */
export async function isServed(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ served: boolean }>`
    select exists (select from lockstep.processes where beat_at > clock_timestamp() - ${SILENT_MS} * interval '1 ms') as served`
  return row?.served ?? false
}

export async function getConsumer(sql: Sql, name: string): Promise<ConsumerState> {
  const consumer = (await listConsumers(sql)).find((each) => each.name === name)
  if (!consumer) throw new Rejected('not-found', { what: 'consumer', id: name }, `there is no consumer ${name}`)
  return consumer
}

/** A paused consumer gives up its owner and gets none until it is resumed. */
export async function setPaused(sql: Sql, name: string, paused: boolean): Promise<ConsumerState> {
  await sql`
    update lockstep.consumers
    set    paused = ${paused}, owner = case when ${paused} then null else owner end, epoch = epoch + case when ${paused} then 1 else 0 end
    where  name = ${name} and paused <> ${paused}`
  return getConsumer(sql, name)
}

/**
 * Sets a consumer back to just after a position, whoever runs it: the owner's next step is fenced off and it claims the new place. A projection
 * replayed from 0 is emptied first if it can be; from anywhere else its versions refuse what they already have. A reaction does again what it did.
 */
export async function replay(db: Database, name: string, after: number, consumer?: Consumer): Promise<ConsumerState> {
  await db.begin(async (tx) => {
    const { count } = await tx`
      update lockstep.consumers
      set    position = ${after}, epoch = epoch + 1, owner = null
      where  name = ${name} and ${after} <= (select position from lockstep.head)`
    if (count === 0) {
      await getConsumer(tx, name)
      throw new Rejected('beyond-the-log', { position: after }, `position ${after} is beyond the end of the log`)
    }
    const thinned = await thinnedUpTo(tx)
    if (after < thinned && (await getConsumer(tx, name)).kind === 'reaction') {
      throw new Rejected(
        'left-the-log',
        { position: after + 1, first: thinned + 1 },
        `events up to position ${thinned} have left the log: a reaction can begin at ${thinned + 1}`,
      )
    }
    await tx`delete from lockstep.failures where consumer = ${name} and first_position > ${after}`
    if (after === 0 && consumer?.kind === 'projection') await consumer.reset?.(tx)
  })
  return getConsumer(db, name)
}

/**
 * Forgets a consumer that no process runs any more, with its checkpoint and failures: else every sync status would wait for it for ever. One that
 * is still in the code comes back at the next start, from its beginning.
 */
export async function forget(sql: Sql, name: string): Promise<void> {
  const { owner } = await getConsumer(sql, name)
  if (owner !== null) {
    throw new Rejected(
      'consumer-runs',
      { name, owner },
      `${name} is run by ${owner}; take it out of the code or pause it first`,
    )
  }
  await sql`delete from lockstep.consumers where name = ${name}`
}
