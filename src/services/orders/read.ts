/** Orders as they can be read. */
import type { Sql } from '../../engine/database.ts'
import { syncToken } from '../../engine/event.ts'
import type { Buyer } from './buyers.ts'
import { orderEntity } from './decider.ts'
import type { Order, OrderStatus } from './events.ts'

export interface OrderRow {
  version: number
  order: Order
}

export type OrderView = ReturnType<typeof viewOf>

/** As it is answered; `quantity` of a line is what the order still has: ordered − returned. */
export function viewOf({ version, order }: OrderRow, buyers: ReadonlyMap<string, Buyer>) {
  const { id, lines, createdAt, updatedAt, ...rest } = order
  return {
    orderId: id,
    ...rest,
    placedAt: createdAt,
    updatedAt,
    lines: lines.map(({ quantity, ...line }) => ({ ...line, ordered: quantity, quantity: quantity - line.returned })),
    shipments: shipmentsOf(lines),
    customer: (order.customerId !== null && buyers.get(order.customerId)) || null,
    version,
    syncToken: syncToken(orderEntity(id), version),
  }
}

/** An order's parcels: what each warehouse sends; more than one is a split shipment. */
export function shipmentsOf(lines: { sku: string; allocations: { warehouseId: string; quantity: number }[] }[]) {
  const shipments = new Map<string, { warehouseId: string; lines: { sku: string; quantity: number }[] }>()
  for (const { sku, allocations } of lines) {
    for (const { warehouseId, quantity } of allocations) {
      const shipment = shipments.get(warehouseId) ?? { warehouseId, lines: [] }
      shipment.lines.push({ sku, quantity })
      shipments.set(warehouseId, shipment)
    }
  }
  return [...shipments.values()]
}

export async function readOrder(db: Sql, id: string): Promise<OrderRow | undefined> {
  const [row] = await db<{ version: number; state: string }>`
    select version, state from orders.orders where id = ${id}`
  return row && { version: row.version, order: JSON.parse(row.state) }
}

/** Where the next page goes on: the last order's time, as Postgres writes it, and its id. */
export interface OrderPlace {
  at: string
  id: string
}

export interface OrderFilter {
  status?: OrderStatus | undefined
  customerId?: string | undefined
  /** ISO 8601; orders placed then or later, and before. */
  from?: string | undefined
  to?: string | undefined
}

/** The latest orders before a place, newest first. */
export async function listOrders(
  db: Sql,
  { status, customerId, from, to }: OrderFilter,
  before: OrderPlace | undefined,
  limit: number,
): Promise<(OrderRow & { place: OrderPlace })[]> {
  const conditions: string[] = []
  const values: unknown[] = []
  const where = (condition: (n: string) => string, value: unknown) => {
    if (value !== undefined) conditions.push(condition(`$${values.push(value)}`))
  }
  where((n) => `customer_id = ${n}`, customerId)
  where((n) => `status = ${n}`, status)
  where((n) => `created_at >= ${n}::timestamptz`, from)
  where((n) => `created_at < ${n}::timestamptz`, to)
  if (before) {
    values.push(before.at, before.id)
    conditions.push(`(created_at, id) < ($${values.length - 1}::timestamptz, $${values.length})`)
  }
  const rows = await db.text<{ id: string; at: string; version: number; state: string }>(
    `select id, created_at::text as at, version, state
     from   orders.orders
     ${conditions.length === 0 ? '' : `where  ${conditions.join(' and ')}`}
     order  by created_at desc, id desc
     limit  ${limit}`,
    values,
  )
  return rows.map(({ id, at, version, state }) => ({ version, order: JSON.parse(state), place: { at, id } }))
}
