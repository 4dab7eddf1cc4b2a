/** Feeds and runs as the API and the command line show them; the value of a feed's header is shown to nobody. */
import { z } from 'zod'
import type { Sql } from '../../engine/database.ts'
import type { FieldChange } from '../../engine/event.ts'
import { fieldChange } from '../../services/catalog/events.ts'
import { feedInput } from './definition.ts'
import type { FeedView } from './feeds.ts'
import type { Run } from './runs.ts'

const time = z.iso.datetime()
const statuses = [
  'uploading',
  'queued',
  'reading',
  'held',
  'applying',
  'done',
  'unchanged',
  'rejected',
  'superseded',
  'failed',
] as const

export const feedView = feedInput.omit({ source: true }).extend({
  source: z
    .union([
      z.object({ file: z.string() }),
      z.object({ url: z.string(), header: z.object({ name: z.string() }).optional() }),
    ])
    .nullable(),
  updatedAt: time,
  nextAt: time.nullable(),
  lastRun: z.object({ id: z.int(), status: z.enum(statuses), at: time }).nullable(),
})

export function shownFeed({ feed, updatedAt, nextAt, lastRun }: FeedView): z.infer<typeof feedView> {
  const { source } = feed
  const shown =
    source && 'url' in source
      ? { url: source.url, ...(source.header && { header: { name: source.header.name } }) }
      : source
  return {
    ...feed,
    source: shown,
    updatedAt: updatedAt.toISOString(),
    nextAt: nextAt?.toISOString() ?? null,
    lastRun: lastRun && { ...lastRun, at: lastRun.at.toISOString() },
  }
}

const count = z.int()
export const runView = z.object({
  id: z.int(),
  feed: z.string(),
  status: z.enum(statuses),
  origin: z.enum(['schedule', 'request', 'upload']),
  startedBy: z.string().nullable(),
  dryRun: z.boolean(),
  asOf: time.nullable(),
  createdAt: time,
  finishedAt: time.nullable(),
  /** Why a person must look first. */
  reasons: z.array(z.object({ code: z.string(), detail: z.string() })),
  counts: z.object({
    rows: count,
    created: count,
    changed: count,
    removed: count,
    unchanged: count,
    refused: count,
    applied: count,
    failed: count,
  }),
  progress: z.object({ bytes: count, bytesTotal: count }),
  columns: z.record(z.string(), z.string()),
  error: z.string().nullable(),
  decidedBy: z.string().nullable(),
  decidedAt: time.nullable(),
})

export function shownRun(run: Run): z.infer<typeof runView> {
  const { id, feed, status, origin, startedBy, dryRun, reasons, columns, error, decidedBy } = run
  const { rows, created, changed, removed, unchanged, refused, applied, failed, bytes, bytesTotal } = run
  return {
    ...{ id, feed, status, origin, startedBy, dryRun, asOf: run.asOf?.toISOString() ?? null },
    ...{ createdAt: run.createdAt.toISOString(), finishedAt: run.finishedAt?.toISOString() ?? null, reasons },
    counts: { rows, created, changed, removed, unchanged, refused, applied, failed },
    progress: { bytes, bytesTotal },
    ...{ columns, error, decidedBy, decidedAt: run.decidedAt?.toISOString() ?? null },
  }
}

export const outcomes = ['created', 'changed', 'removed'] as const
export const changeView = z.object({
  n: z.int(),
  line: z.int().nullable(),
  key: z.string(),
  outcome: z.enum(outcomes),
  changes: z.array(fieldChange),
  done: z.boolean(),
  error: z.string().nullable(),
})
export type ShownChange = z.infer<typeof changeView>

const problem = z.object({
  line: z.int(),
  column: z.string().optional(),
  kind: z.enum(['repaired', 'refused', 'rejected']),
  what: z.string().optional(),
  reason: z.string(),
})
/** A run with what it would do: the first of each outcome, and of the rows that were repaired or refused. */
export const runDetails = runView.extend({
  samples: z.record(z.enum(outcomes), z.array(changeView)),
  failures: z.array(changeView),
  problems: z.array(problem),
  problemsTotal: count,
})

const samplesOfEach = 10

export async function runWithSamples(db: Sql, run: Run): Promise<z.infer<typeof runDetails>> {
  const lists = await Promise.all([
    ...outcomes.map((outcome) => readChanges(db, run.id, { outcome }, 0, samplesOfEach)),
    run.failed > 0 ? readChanges(db, run.id, { failed: true }, 0, samplesOfEach) : [],
  ])
  const [created = [], changed = [], removed = [], failures = []] = lists
  const { problems, problemsTotal } = run
  return { ...shownRun(run), samples: { created, changed, removed }, failures, problems, problemsTotal }
}

/** In the feed's order, from behind a number. */
export async function readChanges(
  db: Sql,
  runId: number,
  { outcome, failed = false }: { outcome?: (typeof outcomes)[number] | undefined; failed?: boolean | undefined },
  after: number,
  limit: number,
): Promise<ShownChange[]> {
  const rows = await db<Omit<ShownChange, 'changes'> & { changes: string }>`
    select n, line, key, outcome, changes, done, error
    from   feeds.changes
    where  run_id = ${runId} and n > ${after} and (${outcome ?? null}::text is null or outcome = ${outcome ?? null})
      and  (not ${failed}::boolean or error is not null)
    order  by n
    limit  ${limit}`
  return rows.map((row) => ({ ...row, changes: JSON.parse(row.changes) as FieldChange[] }))
}
