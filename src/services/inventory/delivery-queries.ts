/** Deliveries as they are kept. */
import type { Sql } from '../../engine/database.ts'
import type { DeliveryState } from './state.ts'

interface Row {
  id: string
  from_warehouse: string | null
  to_warehouse: string
  reference: string | null
  expected_at: Date | null
  status: DeliveryState['status']
  lines: DeliveryState['lines']
}

export async function readDeliveries(sql: Sql, ids: string[]): Promise<DeliveryState[]> {
  if (ids.length === 0) return []
  const rows = await sql<Row>`
    select d.id, d.from_warehouse, d.to_warehouse, d.reference, d.expected_at, d.status,
           (select jsonb_agg(jsonb_build_object('sku', l.sku, 'quantity', l.quantity, 'received', l.received) order by l.sku)
              from inventory.delivery_lines l
             where l.delivery_id = d.id) as lines
      from inventory.deliveries d
     where d.id = any(${ids}::text[])`
  return rows.map((row) => ({
    deliveryId: row.id,
    from: row.from_warehouse ?? undefined,
    to: row.to_warehouse,
    reference: row.reference ?? undefined,
    expectedAt: row.expected_at?.toISOString(),
    status: row.status,
    lines: row.lines.map(({ sku, quantity, received }) => ({ sku, quantity, received })),
  }))
}

/** Units on their way to a warehouse. */
export interface Incoming {
  sku: string
  warehouseId: string
  quantity: number
  /** The earliest time still to come at which some of them are expected. */
  expectedAt: string | null
}

export async function incomingOfProduct(sql: Sql, productId: string): Promise<Incoming[]> {
  const rows = await sql<{ sku: string; warehouse_id: string; quantity: number; expected_at: Date | null }>`
    select l.sku, d.to_warehouse as warehouse_id, sum(l.quantity - l.received)::bigint as quantity,
           min(d.expected_at) filter (where d.expected_at > statement_timestamp()) as expected_at
      from inventory.stock s
      join inventory.delivery_lines l on l.sku = s.sku and l.received < l.quantity
      join inventory.deliveries d on d.id = l.delivery_id and d.status = 'under-way'
     where s.product_id = ${productId}
     group by l.sku, d.to_warehouse`
  return rows.map(({ sku, warehouse_id: warehouseId, quantity, expected_at }) => ({
    sku,
    warehouseId,
    quantity,
    expectedAt: expected_at?.toISOString() ?? null,
  }))
}

/** The earliest of them. */
export function restockOf(incoming: readonly Incoming[]): string | null {
  const times = incoming.flatMap((one) => one.expectedAt ?? [])
  return times.sort()[0] ?? null
}
