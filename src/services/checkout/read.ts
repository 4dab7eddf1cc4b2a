/** What can be read of checkouts: never what pays for them. */
import type { Sql } from '../../engine/database.ts'
import { syncToken } from '../../engine/event.ts'
import { type CheckoutState, checkoutEntity } from './decider.ts'
import type { Checkout } from './events.ts'

export type CheckoutView = Checkout & { version: number; syncToken: string }

interface Row {
  version: number
  state: string
}

export function viewOf({ version, state }: Row): CheckoutView {
  const { checkout }: CheckoutState = JSON.parse(state)
  return { ...checkout, version, syncToken: syncToken(checkoutEntity(checkout.id), version) }
}

/** With what only its driver may know. */
export async function readState(db: Sql, id: string): Promise<CheckoutState | undefined> {
  const [row] = await db<Row>`select version, state from checkout.checkouts where id = ${id}`
  return row && JSON.parse(row.state)
}

export async function readCheckout(db: Sql, id: string): Promise<CheckoutView | undefined> {
  const [row] = await db<Row>`select version, state from checkout.checkouts where id = ${id}`
  return row && viewOf(row)
}

interface Asked {
  status?: Checkout['status'] | undefined
  stuck?: boolean | undefined
  before: string | undefined
  limit: number
}

/** Newest first: ids grow with time. */
export async function listCheckouts(db: Sql, { status, stuck, before, limit }: Asked): Promise<CheckoutView[]> {
  const values: unknown[] = [limit]
  const conditions = [
    before !== undefined && `id < $${values.push(before)}`,
    status !== undefined && `status = $${values.push(status)}`,
    stuck !== undefined && (stuck ? 'stuck' : 'not stuck'),
  ].filter((condition) => condition !== false)
  const rows = await db.text<Row>(
    `select version, state
       from checkout.checkouts
      ${conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''}
      order by id desc
      limit $1`,
    values,
  )
  return rows.map(viewOf)
}
