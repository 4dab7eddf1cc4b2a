/** How reservations are locked, read and kept. */
import { numbers } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Changed, EntityId } from '../../engine/decider.ts'
import type { InventoryFact, Movement } from './facts.ts'
import { type Read, type Refers, refer } from './locked.ts'
import { type Held, type ReservationState, type ReservationStatus, reservationId, type State } from './state.ts'

type Batch = Changed<State, InventoryFact>
type Moved = Batch['facts'][number] & { fact: Movement }

const skuOf = (entity: string) => entity.slice('stock/'.length)

export async function saveReservations(tx: Sql, { facts }: Batch): Promise<void> {
  const held: ReservationState[] = []
  const closed: Extract<InventoryFact, { type: 'reservation.closed' }>[] = []
  const extended = new Map<string, Date>()
  for (const { fact } of facts) {
    if (fact.type === 'reservation.held') held.push(fact.reservation)
    else if (fact.type === 'reservation.closed') closed.push(fact)
    else if (fact.type === 'reservation.extended')
      extended.set(fact.entity.slice('reservation/'.length), fact.expiresAt)
  }
  const work: Promise<unknown>[] = []
  if (held.length > 0) {
    work.push(tx`
      insert into inventory.reservations (id, status, order_id, expires_at)
      select id, 'held', order_id, expires_at
        from unnest(${held.map((one) => one.reservationId)}::text[], ${held.map((one) => one.orderId)}::text[],
                    ${held.map((one) => one.expiresAt.toISOString())}::timestamptz[]) as v (id, order_id, expires_at)`)
  }
  if (extended.size > 0) {
    work.push(tx`
      update inventory.reservations r
         set expires_at = v.expires_at
        from unnest(${[...extended.keys()]}::text[], ${[...extended.values()].map((at) => at.toISOString())}::timestamptz[])
             as v (id, expires_at)
       where r.id = v.id`)
  }
  if (closed.length > 0) {
    work.push(tx`
      update inventory.reservations r
         set status = v.status
        from unnest(${closed.map((fact) => fact.entity.slice('reservation/'.length))}::text[],
                    ${closed.map((fact) => fact.status)}::text[]) as v (id, status)
       where r.id = v.id`)
  }
  await Promise.all(work)
}

/** A line is made by the movement that reserves it, reduced by releases of some of it, and closed by what sells or releases the rest. */
export async function saveLines(tx: Sql, movements: Moved[]): Promise<void> {
  const facts = movements.map((entry) => entry.fact).filter((fact) => fact.reservationId !== undefined)
  const made = facts.filter((fact) => fact.type === 'stock.reserved')
  const reduced = facts.filter((fact) => fact.type === 'stock.released' && fact.expiresAt !== undefined)
  const closed = facts.filter((fact) => fact.type !== 'stock.reserved' && fact.expiresAt === undefined)
  const work: Promise<unknown>[] = []
  if (made.length > 0) {
    work.push(tx`
      insert into inventory.reservation_lines (reservation_id, sku, warehouse_id, quantity)
      select * from unnest(${made.map((fact) => fact.reservationId)}::text[], ${made.map((fact) => skuOf(fact.entity))}::text[],
                           ${made.map((fact) => fact.warehouseId)}::text[],
                           ${numbers(made.map((fact) => fact.reservedDelta))}::bigint[])`)
  }
  if (reduced.length > 0) work.push(reduceLines(tx, reduced))
  if (closed.length > 0) {
    work.push(tx`
      update inventory.reservation_lines l
         set released_at = statement_timestamp()
        from unnest(${closed.map((fact) => fact.reservationId)}::text[], ${closed.map((fact) => skuOf(fact.entity))}::text[],
                    ${closed.map((fact) => fact.warehouseId)}::text[]) as v (reservation_id, sku, warehouse_id)
       where l.reservation_id = v.reservation_id and l.sku = v.sku and l.warehouse_id = v.warehouse_id`)
  }
  await Promise.all(work)
}

/** A line released whole goes: one closed while its reservation is held would say that it lapsed. */
async function reduceLines(tx: Sql, facts: Movement[]): Promise<void> {
  const given = Map.groupBy(facts, (fact) => `${fact.reservationId}\n${fact.itemId}`)
  const lines = [...given.values()].map((all) => ({
    ...(all[0] as Movement),
    quantity: all.reduce((sum, fact) => sum - fact.reservedDelta, 0),
  }))
  const ids = lines.map((line) => line.reservationId)
  const skus = lines.map((line) => skuOf(line.entity))
  const warehouses = lines.map((line) => line.warehouseId)
  const quantities = numbers(lines.map((line) => line.quantity))
  await Promise.all([
    tx`
      delete from inventory.reservation_lines l
       using unnest(${ids}::text[], ${skus}::text[], ${warehouses}::text[], ${quantities}::bigint[])
             as v (reservation_id, sku, warehouse_id, quantity)
       where l.reservation_id = v.reservation_id and l.sku = v.sku and l.warehouse_id = v.warehouse_id
         and l.quantity = v.quantity`,
    tx`
      update inventory.reservation_lines l
         set quantity = l.quantity - v.quantity
        from unnest(${ids}::text[], ${skus}::text[], ${warehouses}::text[], ${quantities}::bigint[])
             as v (reservation_id, sku, warehouse_id, quantity)
       where l.reservation_id = v.reservation_id and l.sku = v.sku and l.warehouse_id = v.warehouse_id
         and l.quantity > v.quantity`,
  ])
}

/** Names their SKUs in `refers`. */
export async function lockReservations(
  tx: Sql,
  ids: string[],
  skipLocked: boolean,
  refers: Refers,
  blocked: Set<EntityId>,
): Promise<void> {
  const [locked, lines] = await Promise.all([
    skipLocked
      ? tx<{ id: string }>`
          select id from inventory.reservations where id = any(${ids}::text[]) order by id for update skip locked`
      : tx<{ id: string }>`
          select id from inventory.reservations where id = any(${ids}::text[]) order by id for update`,
    tx<{ id: string; sku: string | null }>`
      select distinct r.id, l.sku
        from inventory.reservations r
        left join inventory.reservation_lines l
               on l.reservation_id = r.id and (l.released_at is null or r.status = 'confirmed')
       where r.id = any(${ids}::text[])`,
  ])
  const ours = new Set(locked.map((row) => row.id))
  for (const { id, sku } of lines) {
    if (!ours.has(id)) skipLocked && blocked.add(reservationId(id))
    else if (sku !== null) refer(refers, reservationId(id), sku)
  }
}

export async function readReservations(tx: Sql, ids: string[], states: Read): Promise<void> {
  if (ids.length === 0) return
  const rows = await tx<{
    id: string
    status: ReservationStatus
    order_id: string | null
    expires_at: Date
    lapsed: boolean
    lines: Held[]
  }>`
    select r.id, r.status, r.order_id, r.expires_at,
           r.status = 'held' and coalesce(bool_or(l.released_at is not null), false) as lapsed,
           coalesce(
             jsonb_agg(jsonb_build_object('sku', l.sku, 'warehouseId', l.warehouse_id, 'quantity', l.quantity)
                       order by l.sku, l.warehouse_id) filter (where l.sku is not null and (l.released_at is null or r.status <> 'held')),
             '[]') as lines
      from inventory.reservations r
      left join inventory.reservation_lines l
             on l.reservation_id = r.id
     where r.id = any(${ids}::text[])
     group by r.id`
  for (const row of rows) {
    const state: ReservationState = {
      reservationId: row.id,
      orderId: row.order_id ?? undefined,
      status: row.status,
      expiresAt: row.expires_at,
      lapsed: row.lapsed,
      lines: row.lines,
    }
    states.set(reservationId(row.id), { version: 0, state })
  }
}
