/**
 * What changes lists without an event: time ("ordered within 30 days" ends on a day when nothing happens), and a new or changed list's question, which
 * is asked of the customers a little at a time.
 */
import type { Logger } from 'pino'
import type { Database } from '../../engine/database.ts'
import { pause } from '../../engine/deadline.ts'
import { type Asked, alone, askedLists, evaluate, evaluateFrom, knownCustomers } from './membership.ts'

const everyMs = 1_000
/** Customers in one transaction. */
const most = 1_000
/** Milliseconds that a step keeps customers' events waiting. */
const stepMs = 250

/** Several processes may do it at once: they take turns, and the second finds nothing left. */
export async function followTime(db: Database, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      while (!signal.aborted && ((await turnOnce(db)) === most || (await askOnce(db))));
    } catch (error) {
      log.warn({ err: error }, 'marketing lists could not follow the time; trying again')
    }
    await pause(everyMs, signal)
  }
}

/** Looks again at customers whose answer was to change by now. Answers how many there were. */
export async function turnOnce(db: Database): Promise<number> {
  const [any] = await db`select from marketing.turns where at <= clock_timestamp() limit 1`
  if (!any) return 0
  return db.begin(async (tx) => {
    const now = await alone(tx)
    const due = await tx<{ id: string }>`
      select customer_id as id from marketing.turns where at <= to_timestamp(${now}::float8 / 1000) group by customer_id limit ${most}`
    const customers = await knownCustomers(
      tx,
      due.map(({ id }) => id),
    )
    await evaluate(await askedLists(tx), customers, now, tx)
    return due.length
  })
}

/** Goes on with a list that has customers left to ask; false when there is none. */
export async function askOnce(db: Database): Promise<boolean> {
  const [any] = await db`select from marketing.lists where asked_up_to is not null limit 1`
  if (!any) return false
  return db.begin(async (tx) => {
    const now = await alone(tx)
    const [list] = await tx<Asked & { upTo: string }>`
      select id, purpose, rule, asked_up_to as "upTo" from marketing.lists where asked_up_to is not null order by id limit 1`
    if (!list) return false
    const upTo = await evaluateFrom(list, list.upTo, now, tx, stepMs)
    await tx`update marketing.lists set asked_up_to = ${upTo} where id = ${list.id}`
    return true
  })
}
