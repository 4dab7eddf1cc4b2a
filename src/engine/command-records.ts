/** What was carried out under which key, and what the caller was told: the same key gives the first answer again. No window in time. */
import { hash } from 'node:crypto'
import type { Executed, Job } from './batch.ts'
import { texts } from './columns.ts'
import type { Sql } from './database.ts'

export interface Answered {
  scope: string
  key: string
  fingerprint: string | null
  /** JSON of `Executed`. */
  answer: string
}

let batches = 0
const batchesOf = hash('sha1', `${process.pid} ${process.hrtime.bigint()} ${Math.random()}`, 'base64url')

/** The records of those commands that were carried out before. */
export async function findRecords(tx: Sql, jobs: Job<unknown>[]): Promise<Answered[]> {
  const found = await Promise.all(
    [...Map.groupBy(jobs, (job) => job.scope)].map(
      ([scope, ofScope]) => tx<Answered>`
        select scope, key, fingerprint, answer
        from   lockstep.commands
        where  scope = ${scope} and key = any(string_to_array(${texts(ofScope.map((job) => job.key))}, chr(30)))`,
    ),
  )
  return found.flat()
}

/** A row for every command with a key; one for the whole batch if there are commands without. */
export function writeRecords(tx: Sql, done: { job: Job<unknown>; executed: Executed }[]): Promise<unknown> {
  const keyed = done.filter(({ job }) => job.fingerprint !== null)
  const keyless = done.filter(({ job }) => job.fingerprint === null)
  const statements = [...Map.groupBy(keyed, ({ job }) => job.scope)].map(
    ([scope, ofScope]) => tx`
      insert into lockstep.commands (scope, key, fingerprint, answer)
      select ${scope}, key, fingerprint, answer::json
      from   unnest(string_to_array(${texts(ofScope.map(({ job }) => job.key))}, chr(30)),
                    string_to_array(${texts(ofScope.map(({ job }) => job.fingerprint as string))}, chr(30)),
                    string_to_array(${texts(ofScope.map(({ executed }) => JSON.stringify(executed)))}, chr(30)))
             as c (key, fingerprint, answer)`,
  )
  if (keyless.length > 0) {
    const batch = `${batchesOf}${++batches}`
    for (const { job, executed } of keyless) job.pending = { executed, batch }
    statements.push(tx`insert into lockstep.commands (scope, key, answer) values ('batch', ${batch}, '{}')`)
  }
  return Promise.all(statements)
}

/**
 * Did the batch's transaction commit? Its record is found (after waiting for a commit under way), or written here so that it never can. The
 * answer stays the same however often it is asked: the first asking may have lost its connection too.
 */
export async function wasCommitted(sql: Sql, batch: string): Promise<boolean> {
  const [record] = await sql<{ fingerprint: string | null }>`
    insert into lockstep.commands as c (scope, key, fingerprint, answer) values ('batch', ${batch}, 'given up', '{}')
    on conflict (scope, key) do update set fingerprint = c.fingerprint
    returning fingerprint`
  return record?.fingerprint === null
}

/** A batch's record is asked for within its commands' deadline, and its transaction cannot last as long: records with a key stay for good. */
const BATCHES_KEPT_MINUTES = 10

/** Forgets batches whose outcome nobody can ask for any more; answers how many. */
export async function forgetBatches(sql: Sql): Promise<number> {
  const { count } = await sql`
    delete from lockstep.commands
    where  scope = 'batch' and at < clock_timestamp() - make_interval(mins => ${BATCHES_KEPT_MINUTES})`
  return count
}
