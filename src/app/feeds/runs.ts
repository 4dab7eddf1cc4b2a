/** Runs of feeds as they are kept: begun, read, held or carried out, and what each would do. */
import { texts } from '../../engine/columns.ts'
import type { Database, Sql } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import type { FieldChange } from '../../engine/event.ts'
import { notFound } from '../../engine/http.ts'
import type { Problem } from '../import/report.ts'
import { tryAgain } from './feeds.ts'
import type { Change, Statement } from './kinds/kind.ts'
import type { Validators } from './source.ts'
import type { Reason } from './verdict.ts'

export type RunStatus =
  | 'uploading'
  | 'queued'
  | 'reading'
  | 'held'
  | 'applying'
  | 'done'
  | 'unchanged'
  | 'rejected'
  | 'superseded'
  | 'failed'
/** Nothing more happens to it by itself. */
export const resting: readonly RunStatus[] = ['held', 'done', 'unchanged', 'rejected', 'superseded', 'failed']

export interface Run {
  id: number
  feed: string
  status: RunStatus
  origin: 'schedule' | 'request' | 'upload'
  startedBy: string | null
  forced: boolean
  dryRun: boolean
  asOf: Date | null
  createdAt: Date
  finishedAt: Date | null
  attempt: number
  complete: boolean
  columns: Record<string, string>
  bytes: number
  bytesTotal: number
  rows: number
  created: number
  changed: number
  removed: number
  unchanged: number
  refused: number
  applied: number
  failed: number
  reasons: Reason[]
  problems: Problem[]
  problemsTotal: number
  error: string | null
  decidedBy: string | null
  decidedAt: Date | null
}

/** As far as the reading has come. */
export type Progress = Pick<Run, 'bytes' | 'bytesTotal' | 'rows' | 'created' | 'changed' | 'unchanged' | 'refused'>

const columns = `id, feed, status, origin, started_by as "startedBy", forced, dry_run as "dryRun", as_of as "asOf", created_at as "createdAt",
  finished_at as "finishedAt", attempt, complete, columns, bytes, bytes_total as "bytesTotal", rows, created, changed, removed, unchanged,
  refused, applied, failed, reasons, problems, problems_total as "problemsTotal", error, decided_by as "decidedBy", decided_at as "decidedAt"`

type Kept = Omit<Run, 'columns' | 'reasons' | 'problems'> & { columns: string; reasons: string; problems: string }

const runOf = (row: Kept): Run => ({
  ...row,
  columns: JSON.parse(row.columns),
  reasons: JSON.parse(row.reasons),
  problems: JSON.parse(row.problems),
})

export async function getRun(db: Sql, id: number): Promise<Run> {
  const [row] = await db.text<Kept>(`select ${columns} from feeds.runs where id = $1`, [id])
  if (!row) throw notFound('feed run', String(id))
  return runOf(row)
}

/** The newest first. */
export async function listRuns(db: Sql, feed: string, before: number | undefined, limit: number): Promise<Run[]> {
  const rows = await db.text<Kept>(
    `select ${columns} from feeds.runs where feed = $1 and id < $2 order by id desc limit $3`,
    [feed, before ?? Number.MAX_SAFE_INTEGER, limit],
  )
  return rows.map(runOf)
}

/** The oldest that there is something to do for. */
export async function nextRun(db: Sql): Promise<Run | undefined> {
  const [row] = await db.text<Kept>(
    `select ${columns} from feeds.runs where status in ('queued', 'reading', 'applying') order by id limit 1`,
  )
  return row && runOf(row)
}

export interface Start {
  feed: string
  origin: Run['origin']
  startedBy?: string | undefined
  forced?: boolean | undefined
  dryRun?: boolean | undefined
  asOf?: string | undefined
}

/** A run that waits for its turn, or for its upload. Throws `feed-busy` while another of the feed is under way. */
export async function startRun(db: Sql, start: Start): Promise<Run> {
  const { feed, origin, startedBy = null, forced = false, dryRun = false, asOf = null } = start
  const status = origin === 'upload' ? 'uploading' : 'queued'
  const [active] = await db<{ id: number }>`
    select id from feeds.runs where feed = ${feed} and status in ('queued', 'reading', 'applying')`
  if (active) throw busy(feed, active.id)
  const [row] = await db<{ id: number }>`
    insert into feeds.runs (feed, status, origin, started_by, forced, dry_run, as_of)
    values (${feed}, ${status}, ${origin}, ${startedBy}, ${forced}, ${dryRun}, ${asOf}::timestamptz)
    on conflict do nothing
    returning id`
  if (!row) throw busy(feed)
  return getRun(db, row.id)
}

const busy = (feed: string, run?: number) =>
  new Rejected(
    'feed-busy',
    { feed, run },
    `${run === undefined ? 'another run' : `run ${run}`} of the feed ${feed} is under way`,
  )

/** The upload has arrived. */
export async function queueUpload(db: Sql, id: number): Promise<Run> {
  const { feed } = await getRun(db, id)
  await db`update feeds.runs set status = 'queued' where id = ${id} and status = 'uploading'`.catch((error) => {
    throw error.code === '23505' ? busy(feed) : error
  })
  return getRun(db, id)
}

/** A person's word on a held run; said twice it is the same. Throws `feed-run-not-held`, `feed-busy`. */
export async function decideRun(db: Sql, id: number, word: 'approve' | 'reject', by: string | undefined): Promise<Run> {
  const status = word === 'approve' ? 'applying' : 'rejected'
  const { count } = await db`
    update feeds.runs
    set    status = ${status}, decided_by = ${by ?? null}, decided_at = statement_timestamp(),
           finished_at = case when ${status} = 'rejected' then statement_timestamp() end
    where  id = ${id} and status = 'held'`.catch((error) => {
    throw error.code === '23505' ? busy('of this run') : error
  })
  const run = await getRun(db, id)
  const said = run.decidedAt !== null && (run.status === 'rejected') === (word === 'reject')
  if (count === 0 && !said)
    throw new Rejected('feed-run-not-held', { id, runStatus: run.status }, `run ${id} is ${run.status}, not held`)
  return run
}

/** The reading of a run was taken over, or its feed removed: whoever learns it stops. */
export class TakenOver extends Error {
  override name = 'TakenOver'
}

/** Begins to read, or begins anew after a crash: what was staged is forgotten. */
export async function beginReading(db: Database, id: number): Promise<{ attempt: number; asOf: Date }> {
  return db.begin(async (tx) => {
    const [row] = await tx<{ attempt: number; as_of: Date }>`
      update feeds.runs
      set    status = 'reading', attempt = attempt + 1, rows = 0, created = 0, changed = 0, unchanged = 0, refused = 0, bytes = 0
      where  id = ${id} and status in ('queued', 'reading')
      returning attempt, coalesce(as_of, statement_timestamp()) as as_of`
    if (!row) throw new TakenOver()
    await Promise.all([
      tx`delete from feeds.changes where run_id = ${id}`,
      tx`delete from feeds.keys where run_id = ${id}`,
    ])
    return { attempt: row.attempt, asOf: row.as_of }
  })
}

export interface Staged {
  keys: string[]
  changes: (Statement & { n: number; outcome: 'created' | 'changed'; changes: FieldChange[] })[]
}

/** Keeps a page of what was read, unless somebody else reads by now. */
export async function stage(db: Database, run: { id: number; attempt: number }, staged: Staged, progress: Progress) {
  const { keys, changes } = staged
  await db.begin(async (tx) => {
    const { count } = await tx`
      update feeds.runs
      set    bytes = ${progress.bytes}, bytes_total = ${progress.bytesTotal}, rows = ${progress.rows}, created = ${progress.created},
             changed = ${progress.changed}, unchanged = ${progress.unchanged}, refused = ${progress.refused}
      where  id = ${run.id} and attempt = ${run.attempt} and status = 'reading'`
    if (count === 0) throw new TakenOver()
    const writes: Promise<unknown>[] = []
    if (keys.length > 0) {
      writes.push(tx`
        insert into feeds.keys (run_id, key)
        select ${run.id}, key from unnest(string_to_array(${texts(keys)}, chr(30))) as k (key)
        on conflict do nothing`)
    }
    if (changes.length > 0) {
      writes.push(tx`
        insert into feeds.changes (run_id, n, line, key, outcome, says, changes)
        select ${run.id}, c.n, c.line, c.key, c.outcome, c.says::json, c.changes::json
        from   unnest(${changes.map(({ n }) => n)}::bigint[], ${changes.map(({ line }) => line)}::int[],
                      string_to_array(${texts(changes.map(({ key }) => key))}, chr(30)),
                      ${changes.map(({ outcome }) => outcome)}::text[],
                      string_to_array(${texts(changes.map(({ says }) => JSON.stringify(says)))}, chr(30)),
                      string_to_array(${texts(changes.map((change) => JSON.stringify(change.changes)))}, chr(30)))
               as c (n, line, key, outcome, says, changes)`)
    }
    await Promise.all(writes)
  })
}

/** How many of the baseline's keys the run has not. */
export async function lossOf(
  db: Sql,
  id: number,
  baselineRun: number | null,
): Promise<{ baseline: number; lost: number }> {
  const [row] = await db<{ baseline: number; lost: number }>`
    select count(*) as baseline,
           count(*) filter (where not exists (select from feeds.keys k where k.run_id = ${id} and k.key = b.key)) as lost
    from   feeds.keys b
    where  b.run_id = ${baselineRun}`
  return { baseline: row?.baseline ?? 0, lost: row?.lost ?? 0 }
}

export interface Ending {
  status: 'held' | 'applying' | 'done' | 'unchanged' | 'failed'
  complete?: boolean
  asOf?: string
  columns?: Record<string, string>
  removed?: number
  reasons?: Reason[]
  problems?: Problem[]
  problemsTotal?: number
  validators?: Validators
  error?: string
}

/** What came of the reading. A held run of the same feed that is older has had its time. */
export async function endReading(db: Database, run: Pick<Run, 'id' | 'feed'> & { attempt: number }, ending: Ending) {
  const { status, complete = false, columns = {}, removed = 0, reasons = [], problems = [], validators, error } = ending
  await db.begin(async (tx) => {
    const { count } = await tx`
      update feeds.runs
      set    status = ${status}, complete = ${complete}, as_of = coalesce(${ending.asOf ?? null}::timestamptz, as_of), columns = ${JSON.stringify(columns)}::json,
             removed = ${removed}, reasons = ${JSON.stringify(reasons)}::json, problems = ${JSON.stringify(problems)}::json,
             problems_total = ${ending.problemsTotal ?? problems.length}, error = ${error ?? null}, etag = ${validators?.etag ?? null},
             last_modified = ${validators?.lastModified ?? null}, sha256 = ${validators?.sha256 ?? null}, bytes = bytes_total,
             finished_at = case when ${status} <> 'applying' then statement_timestamp() end
      where  id = ${run.id} and attempt = ${run.attempt} and status = 'reading'`
    if (count === 0) throw new TakenOver()
    await tx`delete from feeds.pieces where run_id = ${run.id}`
    if (status === 'failed') await tryAgain(tx, run.feed)
    if (status === 'unchanged' || status === 'failed') return
    await tx`
      update feeds.runs set status = 'superseded', finished_at = statement_timestamp()
      where  feed = ${run.feed} and status = 'held' and id < ${run.id}`
  })
}

/** The next of what is still to be done, from behind `after`. */
export async function openChanges(db: Sql, id: number, after: number, limit: number): Promise<Change<never>[]> {
  const rows = await db<{ n: number; key: string; outcome: Change['outcome']; says: string }>`
    select n, key, outcome, says from feeds.changes where run_id = ${id} and n > ${after} and not done order by n limit ${limit}`
  return rows.map((row) => ({ ...row, says: JSON.parse(row.says) as never }))
}

export async function markDone(
  db: Database,
  id: number,
  done: { n: number; error: string | undefined }[],
): Promise<void> {
  await db.begin(async (tx) => {
    const [row] = await tx<{ applied: number; failed: number }>`
      with marked as (
        update feeds.changes c
        set    done = true, error = d.error
        from   unnest(${done.map(({ n }) => n)}::bigint[], ${done.map(({ error }) => error ?? null)}::text[]) as d (n, error)
        where  c.run_id = ${id} and c.n = d.n and not c.done
        returning c.error
      )
      select count(*) filter (where error is null) as applied, count(*) filter (where error is not null) as failed from marked`
    await tx`
      update feeds.runs set applied = applied + ${row?.applied ?? 0}, failed = failed + ${row?.failed ?? 0} where id = ${id}`
  })
}

/** Carried out: the run is what the next one is measured against, if it was read to its end. */
export async function endApplying(
  db: Database,
  { id, feed, complete }: Pick<Run, 'id' | 'feed' | 'complete'>,
): Promise<void> {
  await db.begin(async (tx) => {
    await tx`update feeds.runs set status = 'done', finished_at = statement_timestamp() where id = ${id} and status = 'applying'`
    if (complete) await tx`update feeds.feeds set baseline_run = ${id} where name = ${feed}`
  })
  await forgetOld(db, feed)
}

/** The latest runs of a feed keep all they did or would do, some more the beginning of it, and older ones their counts; of those that found nothing new, or got nowhere, nothing is kept. */
const [wholeKept, begunKept, beginning] = [3, 20, 100]

export async function forgetOld(db: Sql, feed: string): Promise<void> {
  await db`
    delete from feeds.keys k
    using  feeds.runs r, feeds.feeds f
    where  f.name = ${feed} and r.feed = f.name and r.id = k.run_id and r.id is distinct from f.baseline_run
      and  r.status in ('done', 'rejected', 'superseded', 'failed', 'unchanged')`
  await db`
    with ranked as (
      select id, status, row_number() over (order by id desc) as place
      from   feeds.runs where feed = ${feed} and status <> 'unchanged'
    )
    delete from feeds.changes c
    using  ranked r
    where  c.run_id = r.id and r.status not in ('held', 'reading', 'applying')
      and  (r.place > ${begunKept} or r.place > ${wholeKept} and c.n > ${beginning})`
  await db`
    delete from feeds.runs r
    using  feeds.feeds f
    where  f.name = ${feed} and r.feed = f.name and r.id is distinct from f.baseline_run
      and  (r.status = 'unchanged' or r.status = 'failed' and r.applied = 0
            or r.status = 'done' and r.created + r.changed + r.removed = 0)
      and  r.id not in (select id from feeds.runs where feed = ${feed} order by id desc limit ${begunKept})`
}

/**
 * What the source was last known by, if the feed is still defined as it was then. Of what could not be taken or done then nothing is known: it may
 * be possible by now.
 */
export async function lastKnown(db: Sql, feed: string): Promise<Validators | undefined> {
  const [row] = await db<Validators & { through: boolean }>`
    select r.etag, r.last_modified as "lastModified", r.sha256, r.status <> 'done' or r.refused = 0 and r.failed = 0 as through
    from   feeds.runs r
    join   feeds.feeds f on f.name = r.feed
    where  r.feed = ${feed} and r.status in ('done', 'held', 'rejected') and r.sha256 is not null and not r.dry_run
      and  r.created_at >= f.updated_at
    order  by r.id desc
    limit  1`
  return row?.through ? row : undefined
}
