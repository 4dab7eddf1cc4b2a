/** Reads and locks what a batch of commands needs to know. */
import { texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { EntityId } from '../../engine/decider.ts'
import { sellable } from './allocation.ts'
import { loadDeliveries, lockDeliveries } from './delivery-store.ts'
import type { Level } from './events.ts'
import { type Read, type Refers, refer } from './locked.ts'
import { lockReservations, readReservations } from './reservation-store.ts'
import {
  type DeliveryState,
  type ExpiredLine,
  type OrderState,
  type ReservationState,
  type State,
  type StockState,
  saleId,
  stockId,
  warehouseId,
} from './state.ts'
import { readCount } from './stocktake-store.ts'

interface Asked {
  skus: string[]
  reservations: string[]
  orders: string[]
  deliveries: string[]
  warehouses: string[]
  /** Time and warehouse of stocktakes. */
  counts: string[]
}

interface Loaded {
  states: Read
  blocked: EntityId[]
}

/**
 * Locks reservations, then deliveries, warehouses and SKUs, each in id order, and reads everything else only then: after the wait for a
 * lock, a statement of its own sees what the holder before has committed, which a join in the locking statement would not (read
 * committed). Whoever asks for a delivery or an order that is there, or waits for a reservation, takes more than one round trip, to learn its
 * SKUs. Who does not wait need not keep the order: nobody can wait for him in a circle.
 */
export async function load(tx: Sql, ids: EntityId[], { skipLocked }: { skipLocked: boolean }): Promise<Loaded> {
  const asked = sorted(ids)
  const states: Read = new Map()
  const blocked = new Set<EntityId>()
  const refers: Refers = new Map()
  const reserved =
    asked.reservations.length > 0 && lockReservations(tx, asked.reservations, skipLocked, refers, blocked)
  if (!skipLocked) await reserved
  if (asked.deliveries.length > 0) await lockDeliveries(tx, asked.deliveries, skipLocked, refers, blocked)
  const tried = new Set([...asked.skus, ...[...refers.values()].flat()])
  await Promise.all([
    reserved,
    readWarehouses(tx, asked.warehouses, states), // first: it may wait, and expiry should be read just before the decider's clock
    readStock(tx, [...tried], skipLocked, states, blocked),
    readReservations(tx, asked.reservations, states),
    loadDeliveries(tx, asked.deliveries, states),
    findOrders(tx, asked.orders, refers),
    ...asked.counts.map((count) => readCount(tx, count, asked.skus, states)),
  ])
  while (refers.size > 0) {
    // An order may have got another SKU while we waited. Locking that one too is out of order; Postgres would break a deadlock.
    await readOrders(
      tx,
      asked.orders.filter((id) => refers.has(saleId(id))),
      states,
    )
    for (const [id, its] of refers) refers.set(id, [...its, ...linesOf(states.get(id)?.state)])
    const fresh = [...refers.values()].flat().filter((sku) => !tried.has(sku))
    if (fresh.length === 0) break
    for (const sku of fresh) tried.add(sku)
    await Promise.all([
      readStock(tx, [...new Set(fresh)].sort(), skipLocked, states, blocked),
      readReservations(tx, asked.reservations, states),
    ])
  }
  if (skipLocked) {
    for (const [id, its] of refers) if (its.some((sku) => !states.has(stockId(sku)))) blocked.add(id)
  }
  for (const id of blocked) states.delete(id)
  return { states, blocked: [...blocked] }
}

function sorted(ids: EntityId[]): Asked {
  const asked: Asked = { skus: [], reservations: [], orders: [], deliveries: [], warehouses: [], counts: [] }
  for (const id of new Set(ids)) {
    const slash = id.indexOf('/')
    const name = id.slice(slash + 1)
    switch (id.slice(0, slash)) {
      case 'stock':
        asked.skus.push(name)
        break
      case 'reservation':
        asked.reservations.push(name)
        break
      case 'sale':
        asked.orders.push(name)
        break
      case 'count':
        asked.counts.push(name)
        break
      case 'delivery':
        asked.deliveries.push(name)
        break
      default:
        asked.warehouses.push(name)
    }
  }
  return asked
}

/** Most orders asked for are new, and not found. */
async function findOrders(tx: Sql, ids: string[], refers: Refers) {
  if (ids.length === 0) return
  const lines = await tx<{ id: string; sku: string }>`
    select distinct reference as id, sku
      from inventory.ledger
     where reference = any(string_to_array(${texts(ids)}, chr(30))) and reference_type = 'ORDER'`
  for (const { id, sku } of lines) refer(refers, saleId(id), sku)
}

interface StockRow {
  sku: string
  product_id: string
  version: number
  active: boolean
  reorder_threshold: number
  target_level: number
}

interface LevelRow {
  sku: string
  warehouse_id: string
  item_id: string
  on_hand: number
  reserved: number
  safety_stock: number
  backorder: number
  backordered: number
  moved: boolean
}

interface ExpiredRow {
  sku: string
  warehouse_id: string
  quantity: number
  reservation_id: string
  order_id: string | null
  expires_at: Date
}

async function readStock(tx: Sql, skus: string[], skipLocked: boolean, states: Read, blocked: Set<EntityId>) {
  if (skus.length === 0) return
  const rows = skipLocked
    ? tx<StockRow>`
        select sku, product_id, version, active, reorder_threshold, target_level
          from inventory.stock
         where sku = any(${skus}::text[])
         order by sku
           for update skip locked`
    : tx<StockRow>`
        select sku, product_id, version, active, reorder_threshold, target_level
          from inventory.stock
         where sku = any(${skus}::text[])
         order by sku
           for update`
  const levels = tx<LevelRow>`
    select l.sku, l.warehouse_id, l.item_id, l.on_hand, l.reserved, l.safety_stock, l.backorder, l.backordered, l.moved
      from inventory.levels l
      join inventory.warehouses w on w.id = l.warehouse_id
     where l.sku = any(${skus}::text[])
     order by l.sku, w.priority, w.id`
  // The second more than due is for the decider's clock, which is read a moment later; it looks at expires_at itself.
  const expired = tx<ExpiredRow>`
    select l.sku, l.warehouse_id, l.quantity, r.id as reservation_id, r.order_id, r.expires_at
      from inventory.reservations r
      join inventory.reservation_lines l on l.reservation_id = r.id and l.released_at is null
     where r.status = 'held'
       and r.expires_at <= clock_timestamp() + interval '1 second'
       and l.sku = any(${skus}::text[])`
  // Together: when the lock is not to be had all of them fail, and none may fail unheard.
  const [found, kept, over] = await Promise.all([rows, levels, expired])
  compose(found, kept, over, states)
  if (skipLocked) {
    for (const { sku } of kept) if (!states.has(stockId(sku))) blocked.add(stockId(sku))
  }
}

function compose(rows: StockRow[], levels: LevelRow[], expired: ExpiredRow[], states: Read): void {
  const open = new Map<string, { state: Writable<StockState>; untouched: string[]; expired: ExpiredLine[] }>()
  for (const row of rows) {
    const { sku, product_id: productId, active } = row
    const state: StockState = {
      stock: { sku, productId, active, onHand: 0, reserved: 0, available: 0, levels: [] },
      reorderThreshold: row.reorder_threshold,
      targetLevel: row.target_level,
      untouched: [],
      expired: [],
    }
    open.set(sku, { state, untouched: state.untouched as string[], expired: state.expired as ExpiredLine[] })
    states.set(stockId(sku), { version: row.version, state })
  }
  for (const row of levels) {
    const found = open.get(row.sku)
    if (!found) continue
    const { stock } = found.state
    const { warehouse_id: warehouseId, item_id: inventoryItemId, on_hand: onHand, reserved } = row
    const level: Level = { warehouseId, inventoryItemId, onHand, reserved }
    if (row.safety_stock > 0) level.safetyStock = row.safety_stock
    if (row.backordered > 0) level.backordered = row.backordered
    if (row.backorder > 0) level.backorderLimit = row.backorder
    stock.levels.push(level)
    stock.onHand += onHand
    stock.reserved += reserved
    stock.available += sellable(level)
    if (!row.moved) found.untouched.push(warehouseId)
  }
  for (const { sku, warehouse_id, quantity, reservation_id, order_id, expires_at } of expired) {
    open.get(sku)?.expired.push({
      sku,
      warehouseId: warehouse_id,
      quantity,
      reservationId: reservation_id,
      orderId: order_id ?? undefined,
      expiresAt: expires_at,
    })
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

async function readOrders(tx: Sql, ids: string[], states: Read): Promise<void> {
  if (ids.length === 0) return
  const rows = await tx<{ id: string; lines: OrderState['lines'] }>`
    select id, jsonb_agg(jsonb_build_object(
                 'sku', sku, 'warehouseId', warehouse_id, 'quantity', sold, 'returned', returned) order by first) as lines
      from (select reference as id, sku, warehouse_id, min(version) as first,
                   coalesce(-sum(on_hand_delta) filter (where trigger = 'ORDER_CONFIRMED'), 0) as sold,
                   coalesce( sum(on_hand_delta) filter (where trigger = 'ORDER_RETURNED'), 0) as returned
              from inventory.ledger
             where reference = any(${ids}::text[])
               and reference_type = 'ORDER'
             group by reference, sku, warehouse_id) levels
     where sold > 0
     group by id`
  for (const { id, lines } of rows) states.set(saleId(id), { version: 0, state: { lines } })
}

/** Shared locks: a warehouse stays what it is until the goods are in. */
async function readWarehouses(tx: Sql, ids: string[], states: Read): Promise<void> {
  if (ids.length === 0) return
  const rows = await tx<{ id: string; active: boolean }>`
    select id, active from inventory.warehouses where id = any(${ids}::text[]) order by id for share`
  for (const { id, active } of rows) states.set(warehouseId(id), { version: 0, state: { active } })
}

/** The SKUs of an order, reservation or delivery, as read after the locks. */
function linesOf(state: State | undefined): string[] {
  return ((state as OrderState | ReservationState | DeliveryState | undefined)?.lines ?? []).map((line) => line.sku)
}
