/** Orders, reservations and movements as they can be read: the ledger is the record of what was sold and given back. */
import type { Sql } from '../../engine/database.ts'

export interface OrderView {
  orderId: string
  status: 'confirmed' | 'partly-returned' | 'cancelled'
  placedAt: string
  updatedAt: string
  /** `quantity` is what the order still has: ordered − returned. */
  lines: {
    sku: string
    ordered: number
    returned: number
    quantity: number
    allocations: { warehouseId: string; quantity: number }[]
  }[]
}

interface OrderRow {
  id: string
  sku: string
  warehouse_id: string
  ordered: number
  returned: number
  placed_at: Date
  updated_at: Date
}

/** In the order of the ids; those that are no orders are left out. */
export async function readOrders(sql: Sql, ids: string[]): Promise<OrderView[]> {
  const rows = await sql<OrderRow>`
    select reference as id, sku, warehouse_id, min(at) as placed_at, max(at) as updated_at,
           coalesce(-sum(on_hand_delta) filter (where trigger = 'ORDER_CONFIRMED'), 0)::bigint as ordered,
           coalesce( sum(on_hand_delta) filter (where trigger = 'ORDER_RETURNED'), 0)::bigint as returned
      from inventory.ledger
     where reference = any(${ids}::text[])
       and reference_type = 'ORDER'
       and trigger in ('ORDER_CONFIRMED', 'ORDER_RETURNED')
     group by reference, sku, warehouse_id
     order by reference, min(version), sku`
  const orders = Map.groupBy(rows, (row) => row.id)
  return ids.flatMap((id) => {
    const its = orders.get(id)
    return its ? [orderFrom(id, its)] : []
  })
}

function orderFrom(orderId: string, rows: OrderRow[]): OrderView {
  const lines = new Map<string, OrderView['lines'][number]>()
  for (const row of rows) {
    const line = lines.get(row.sku) ?? { sku: row.sku, ordered: 0, returned: 0, quantity: 0, allocations: [] }
    line.ordered += row.ordered
    line.returned += row.returned
    line.quantity = line.ordered - line.returned
    line.allocations.push({ warehouseId: row.warehouse_id, quantity: row.ordered - row.returned })
    lines.set(row.sku, line)
  }
  const all = [...lines.values()]
  const some = all.some((line) => line.quantity > 0)
  return {
    orderId,
    status: !some ? 'cancelled' : all.some((line) => line.returned > 0) ? 'partly-returned' : 'confirmed',
    placedAt: new Date(Math.min(...rows.map((row) => row.placed_at.getTime()))).toISOString(),
    updatedAt: new Date(Math.max(...rows.map((row) => row.updated_at.getTime()))).toISOString(),
    lines: all,
  }
}

/** An order's parcels: what each warehouse sends. */
export function shipmentsOf(lines: { sku: string; allocations: { warehouseId: string; quantity: number }[] }[]) {
  const shipments = new Map<string, { warehouseId: string; lines: { sku: string; quantity: number }[] }>()
  for (const { sku, allocations } of lines) {
    for (const { warehouseId, quantity } of allocations) {
      if (quantity === 0) continue
      const shipment = shipments.get(warehouseId) ?? { warehouseId, lines: [] }
      shipment.lines.push({ sku, quantity })
      shipments.set(warehouseId, shipment)
    }
  }
  return [...shipments.values()]
}

export interface OrderPlace {
  orderId: string
  /** As Postgres writes it, to the microsecond. */
  at: string
}

/**
 * The latest orders before a place, newest first. The ledger has no b-tree by time (its schema says why), so it is read in windows:
 * the last second, then eight times as much each time that was not enough; twelve reach back further than any shop.
 */
export async function latestOrders(sql: Sql, before: OrderPlace | undefined, limit: number): Promise<OrderPlace[]> {
  const until = before?.at ?? null
  for (let seconds = 1; ; seconds *= 8) {
    const rows = await sql<OrderPlace>`
      select reference as "orderId", at::text as at
        from inventory.ledger
       where trigger = 'ORDER_CONFIRMED'
         and reference_type = 'ORDER'
         and at >= coalesce(${until}::timestamptz, statement_timestamp()) - make_interval(secs => ${seconds})
         and (${until}::timestamptz is null or (at, reference) < (${until}::timestamptz, ${before?.orderId ?? ''}))
       group by inventory.ledger.at, reference
       order by inventory.ledger.at desc, reference desc
       limit ${limit}`
    if (rows.length === limit || seconds > 1e9) return rows
  }
}

export interface ReservationView {
  reservationId: string
  orderId?: string
  status: 'held' | 'confirmed' | 'released' | 'expired'
  expiresAt: string
  createdAt: string
  lines: { sku: string; warehouseId: string; quantity: number }[]
}

/** Past its time it reads as expired, whether or not it was swept. */
export async function readReservation(sql: Sql, id: string): Promise<ReservationView | undefined> {
  const [row] = await sql<{
    status: ReservationView['status']
    order_id: string | null
    expires_at: Date
    created_at: Date
    lines: ReservationView['lines']
  }>`
    select case when r.status = 'held' and r.expires_at <= statement_timestamp() then 'expired' else r.status end as status,
           r.order_id, r.expires_at, r.created_at,
           (select coalesce(jsonb_agg(jsonb_build_object('sku', l.sku, 'warehouseId', l.warehouse_id, 'quantity', l.quantity)
                                      order by l.sku, l.warehouse_id), '[]')
              from inventory.reservation_lines l
             where l.reservation_id = r.id) as lines
      from inventory.reservations r
     where r.id = ${id}`
  if (!row) return undefined
  return {
    reservationId: id,
    ...(row.order_id !== null && { orderId: row.order_id }),
    status: row.status,
    expiresAt: row.expires_at.toISOString(),
    createdAt: row.created_at.toISOString(),
    lines: row.lines,
  }
}

export interface MovementPlace {
  at: string
  sku: string
  version: number
}

export interface MovementView extends MovementPlace {
  warehouseId: string
  onHandDelta: number
  reservedDelta: number
  /** The level's counters after it: the running balance. */
  onHand: number
  reserved: number
  trigger: string
  reason: string | null
  referenceType: string | null
  reference: string | null
  actor: string | null
}

/** The movements of a product's SKUs, or of one of them, newest first. */
export async function readMovements(
  sql: Sql,
  { productId, sku, before, limit }: { productId: string; sku?: string; before?: MovementPlace; limit: number },
): Promise<MovementView[]> {
  const rows = await sql<MovementView & { time: Date }>`
    select m.at as time, m.at::text as at, m.sku, m.version, m.warehouse_id as "warehouseId",
           m.on_hand_delta as "onHandDelta", m.reserved_delta as "reservedDelta",
           m.on_hand_after as "onHand", m.reserved_after as reserved,
           m.trigger, m.reason, m.reference_type as "referenceType", m.reference, m.actor
      from inventory.stock s
     cross join lateral (
             select *
               from inventory.ledger l
              where l.sku = s.sku
                and (${before?.sku ?? null}::text is distinct from l.sku or l.version < ${before?.version ?? 0})
                and (${before?.at ?? null}::timestamptz is null
                     or (l.at, l.sku, l.version) < (${before?.at ?? null}::timestamptz, ${before?.sku ?? ''}, ${before?.version ?? 0}))
              order by l.version desc
              limit ${limit}
           ) m
     where s.product_id = ${productId}
       and (${sku ?? null}::text is null or s.sku = ${sku ?? null})
     order by time desc, m.sku desc, m.version desc
     limit ${limit}`
  return rows.map(({ time: _, ...row }) => row)
}
