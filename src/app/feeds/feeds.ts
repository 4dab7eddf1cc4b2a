/** Feeds as they are kept. */
import type { Sql } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import { notFound } from '../../engine/http.ts'
import { checked, type Feed, nextAfter } from './definition.ts'
import { opened, sealed } from './header.ts'
import type { RunStatus } from './runs.ts'

export interface FeedView {
  feed: Feed
  updatedAt: Date
  nextAt: Date | null
  baselineRun: number | null
  lastRun: { id: number; status: RunStatus; at: Date } | null
}

interface Row {
  definition: string
  key: string | null
  updatedAt: Date
  nextAt: Date | null
  baselineRun: number | null
  run: number | null
  status: RunStatus
  at: Date
}

/** Defines a feed. Throws `already-exists`. */
export async function createFeed(db: Sql, given: Feed): Promise<void> {
  const feed = checked(given)
  const { definition, key } = sealed(feed)
  const made = await db`
    with made as (
      insert into feeds.feeds (name, definition, next_at)
      values (${feed.name}, ${definition}::json, ${nextAfter(feed, await clock(db))})
      on conflict do nothing
      returning name
    ), kept as (
      insert into feeds.header_keys (feed, key) select name, ${key}::text from made where ${key}::text is not null
    )
    select name from made`
  if (made.length > 0) return
  const { name } = feed
  throw new Rejected('already-exists', { what: 'feed', id: name }, `there is a feed ${JSON.stringify(name)}`)
}

/** Of a run under way nothing changes but what it does after it. Two changes at once: the later one wins as a whole. */
export async function changeFeed(db: Sql, name: string, patch: Partial<Feed>): Promise<void> {
  const feed = checked({ ...(await feedOf(db, name)), ...patch })
  const { definition, key } = sealed(feed)
  await db`
    with kept as (
      insert into feeds.header_keys (feed, key) select name, ${key}::text from feeds.feeds where name = ${name} and ${key}::text is not null
      on conflict (feed) do update set key = excluded.key
    ), gone as (
      delete from feeds.header_keys where feed = ${name} and ${key}::text is null
    )
    update feeds.feeds
    set    definition = ${definition}::json, updated_at = statement_timestamp(), next_at = ${nextAfter(feed, await clock(db))}
    where  name = ${name}`
}

/** With its runs; what they have done stays. */
export async function deleteFeed(db: Sql, name: string): Promise<void> {
  const { count } = await db`delete from feeds.feeds where name = ${name}`
  if (count === 0) throw notFound('feed', name)
}

/** The database's, by which it is seen that one is due. */
async function clock(db: Sql): Promise<Date> {
  const [row] = await db<{ now: Date }>`select statement_timestamp() as now`
  return row?.now ?? new Date()
}

/**
 * One with a schedule that could not be read is tried again before its next time: half a minute later, then twice as long each time, an hour at most.
 * Once it could be, its schedule counts again.
 */
export async function tryAgain(db: Sql, name: string): Promise<void> {
  await db`
    with tries as (
      select count(*) as failed
      from   feeds.runs
      where  feed = ${name} and status = 'failed'
        and  id > coalesce((select max(id) from feeds.runs where feed = ${name} and status not in ('failed', 'uploading')), 0)
    )
    update feeds.feeds f
    set    next_at = least(f.next_at, statement_timestamp() + least(30 * 2 ^ least(t.failed - 1, 10), 3600) * interval '1 second')
    from   tries t
    where  f.name = ${name} and f.next_at is not null`
}

export async function feedOf(db: Sql, name: string): Promise<Feed> {
  return (await viewFeed(db, name)).feed
}

export async function viewFeed(db: Sql, name: string): Promise<FeedView> {
  const [found] = await listFeeds(db, name, 1, name)
  if (!found) throw notFound('feed', name)
  return found
}

export async function feedBaseline(db: Sql, name: string): Promise<number | null> {
  return (await viewFeed(db, name)).baselineRun
}

/** By name, from this one on; one alone when that is named. */
export async function listFeeds(db: Sql, from: string, limit: number, only?: string): Promise<FeedView[]> {
  const rows = await db<Row>`
    select f.definition, k.key, f.updated_at as "updatedAt", f.next_at as "nextAt", f.baseline_run as "baselineRun",
           r.id as run, r.status, coalesce(r.finished_at, r.created_at) as at
    from   feeds.feeds f
    left   join feeds.header_keys k on k.feed = f.name
    left   join lateral (select * from feeds.runs r where r.feed = f.name order by r.id desc limit 1) r on true
    where  f.name >= ${from} and (${only ?? null}::text is null or f.name = ${only ?? null})
    order  by f.name
    limit  ${limit}`
  return rows.map(({ definition, key, run, status, at, ...row }) => ({
    ...row,
    feed: opened(definition, key),
    lastRun: run === null ? null : { id: run, status, at },
  }))
}
