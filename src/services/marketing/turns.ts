/** Looks again at customers whose answer changes by time alone: "ordered within 30 days" ends on a day when nothing happens. */
import type { Logger } from 'pino'
import type { Database } from '../../engine/database.ts'
import { pause } from '../../engine/deadline.ts'
import { alone, askedLists, evaluate, knownCustomers } from './membership.ts'

const everyMs = 5_000
/** Customers in one transaction. */
const most = 1_000

/** Several processes may do it at once: they take turns, and the second finds nothing left. */
export async function followTime(db: Database, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      while ((await turnOnce(db)) === most && !signal.aborted);
    } catch (error) {
      log.warn({ err: error }, 'marketing lists could not follow the time; trying again')
    }
    await pause(everyMs, signal)
  }
}

/** Answers how many customers were due. */
export function turnOnce(db: Database): Promise<number> {
  return db.begin(async (tx) => {
    const now = await alone(tx)
    const due = await tx<{ id: string }>`
      select customer_id as id from marketing.turns where at <= to_timestamp(${now}::float8 / 1000) group by customer_id limit ${most}`
    if (due.length > 0) {
      const customers = await knownCustomers(
        tx,
        due.map(({ id }) => id),
      )
      await evaluate(await askedLists(tx), customers, now, tx)
    }
    return due.length
  })
}
