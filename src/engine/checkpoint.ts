/** How far a consumer has come, written by its owner alone. */
import type { Sql } from './database.ts'

/** Somebody else owns the consumer now, or its position was set anew: what is in flight must not commit. */
export class Fenced extends Error {
  override name = 'Fenced'
}

/** What the owner knows of its checkpoint: to be set to where a commit has moved it. */
export interface Held {
  epoch: number
  position: number
}

/**
 * Moves the checkpoint in the caller's transaction. Throws Fenced unless the epoch still stands and the checkpoint is where its owner left it, which
 * it is not in a database that lost that commit; a commit sent along fails then. Answers the database's clock.
 */
export async function advance(tx: Sql, consumer: string, held: Held, position: number): Promise<Date> {
  try {
    const [row] = await tx<{ now: Date }>`
      select lockstep.advance(${consumer}, ${held.epoch}, ${held.position}, ${position}) as now`
    return (row as { now: Date }).now
  } catch (error) {
    throw (error as { code?: string }).code === 'LS001' ? new Fenced((error as Error).message) : error
  }
}

/** Throws Fenced unless the epoch still stands, and keeps it standing until the caller's transaction is over. */
export async function hold(tx: Sql, consumer: string, epoch: number): Promise<void> {
  const [row] = await tx`select from lockstep.consumers where name = ${consumer} and epoch = ${epoch} for share`
  if (!row) throw new Fenced(`${consumer} has another owner, or was set to another position`)
}

/**
 * Begins a new epoch of the same owner, after a step whose outcome is unknown: what that step may still commit is fenced off or is in the
 * position answered. Without it the step would be done twice when only the answer to its commit was lost.
 */
export async function renew(sql: Sql, consumer: string, epoch: number): Promise<{ epoch: number; position: number }> {
  const [row] = await sql<{ epoch: number; position: number }>`
    update lockstep.consumers set epoch = epoch + 1 where name = ${consumer} and epoch = ${epoch} returning epoch, position`
  if (!row) throw new Fenced(`${consumer} has another owner, or was set to another position`)
  return row
}

/** Throws Fenced unless the epoch still stands: an owner with nothing to write learns here that it was paused or set back. */
export async function confirm(sql: Sql, consumer: string, epoch: number): Promise<void> {
  const [row] = await sql`select from lockstep.consumers where name = ${consumer} and epoch = ${epoch}`
  if (!row) throw new Fenced(`${consumer} has another owner, or was set to another position`)
}
