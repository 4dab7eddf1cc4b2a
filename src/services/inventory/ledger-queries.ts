/** Reservations and movements as they can be read: the ledger is the record of what was sold and given back. */
import type { Sql } from '../../engine/database.ts'

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
