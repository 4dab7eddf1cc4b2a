/** Reads and locks what a batch of commands needs to know. */
import { texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { EntityId, Versioned } from '../../engine/decider.ts'
import { sellable } from './allocation.ts'
import { readDeliveries } from './delivery-queries.ts'
import type { Level } from './events.ts'
import {
  countId,
  type DeliveryState,
  deliveryId,
  type ExpiredLine,
  type Held,
  type OrderState,
  orderId,
  type ReservationState,
  type ReservationStatus,
  reservationId,
  type State,
  type StockState,
  stockId,
  warehouseId,
} from './state.ts'

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
  states: Map<EntityId, Versioned<State>>
  blocked: EntityId[]
}

/**
 * Locks reservations, then deliveries, warehouses and SKUs, each in id order, and reads everything else only then: after the wait for a lock, a statement of its
 * own sees what the holder before has committed, which a join in the locking statement would not (read committed). New orders for known
 * SKUs take one round trip; whoever asks for a reservation, delivery or order that is there takes more, to learn its SKUs.
 */
export async function load(tx: Sql, ids: EntityId[], { skipLocked }: { skipLocked: boolean }): Promise<Loaded> {
  const asked = sorted(ids)
  const states: Loaded['states'] = new Map()
  const blocked = new Set<EntityId>()
  const refers: Refers = new Map()
  if (asked.reservations.length > 0) await lockReservations(tx, asked.reservations, skipLocked, refers, blocked)
  if (asked.deliveries.length > 0) await lockDeliveries(tx, asked.deliveries, skipLocked, refers, blocked)
  const tried = new Set([...asked.skus, ...[...refers.values()].flat()])
  await Promise.all([
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
      asked.orders.filter((id) => refers.has(orderId(id))),
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

/** The SKUs that a reservation, a delivery or an order is about. */
type Refers = Map<EntityId, string[]>

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
      case 'order':
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

const refer = (refers: Refers, id: EntityId, sku: string) => void refers.set(id, [...(refers.get(id) ?? []), sku])

async function lockReservations(tx: Sql, ids: string[], skipLocked: boolean, refers: Refers, blocked: Set<EntityId>) {
  const [locked, lines] = await Promise.all([
    skipLocked
      ? tx<{ id: string }>`
          select id from inventory.reservations where id = any(${ids}::text[]) order by id for update skip locked`
      : tx<{ id: string }>`
          select id from inventory.reservations where id = any(${ids}::text[]) order by id for update`,
    tx<{ id: string; sku: string | null }>`
      select distinct r.id, l.sku
        from inventory.reservations r
        left join inventory.reservation_lines l on l.reservation_id = r.id and l.released_at is null
       where r.id = any(${ids}::text[])`,
  ])
  const ours = new Set(locked.map((row) => row.id))
  for (const { id, sku } of lines) {
    if (!ours.has(id)) skipLocked && blocked.add(reservationId(id))
    else if (sku !== null) refer(refers, reservationId(id), sku)
  }
}

async function lockDeliveries(tx: Sql, ids: string[], skipLocked: boolean, refers: Refers, blocked: Set<EntityId>) {
  const [locked, lines] = await Promise.all([
    skipLocked
      ? tx<{ id: string }>`
          select id from inventory.deliveries where id = any(${ids}::text[]) order by id for update skip locked`
      : tx<{ id: string }>`
          select id from inventory.deliveries where id = any(${ids}::text[]) order by id for update`,
    // Which SKUs a delivery is about never changes.
    tx<{ id: string; sku: string }>`
      select delivery_id as id, sku from inventory.delivery_lines where delivery_id = any(${ids}::text[])`,
  ])
  const ours = new Set(locked.map((row) => row.id))
  for (const { id, sku } of lines) {
    if (ours.has(id)) refer(refers, deliveryId(id), sku)
    else if (skipLocked) blocked.add(deliveryId(id))
  }
}

async function loadDeliveries(tx: Sql, ids: string[], states: Loaded['states']): Promise<void> {
  for (const state of await readDeliveries(tx, ids)) states.set(deliveryId(state.deliveryId), { version: 0, state })
}

/** Most orders asked for are new, and not found. */
async function findOrders(tx: Sql, ids: string[], refers: Refers) {
  if (ids.length === 0) return
  const lines = await tx<{ id: string; sku: string }>`
    select distinct reference as id, sku
      from inventory.ledger
     where reference = any(string_to_array(${texts(ids)}, chr(30))) and reference_type = 'ORDER'`
  for (const { id, sku } of lines) refer(refers, orderId(id), sku)
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

async function readStock(
  tx: Sql,
  skus: string[],
  skipLocked: boolean,
  states: Loaded['states'],
  blocked: Set<EntityId>,
) {
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
    select l.sku, l.warehouse_id, l.item_id, l.on_hand, l.reserved, l.safety_stock, l.moved
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
  compose(await rows, await levels, await expired, states)
  if (skipLocked) {
    for (const { sku } of await levels) if (!states.has(stockId(sku))) blocked.add(stockId(sku))
  }
}

function compose(rows: StockRow[], levels: LevelRow[], expired: ExpiredRow[], states: Loaded['states']): void {
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

async function readReservations(tx: Sql, ids: string[], states: Loaded['states']): Promise<void> {
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

async function readOrders(tx: Sql, ids: string[], states: Loaded['states']): Promise<void> {
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
  for (const { id, lines } of rows) states.set(orderId(id), { version: 0, state: { lines } })
}

/** Shared locks: a warehouse stays what it is until the goods are in. */
async function readWarehouses(tx: Sql, ids: string[], states: Loaded['states']): Promise<void> {
  if (ids.length === 0) return
  const rows = await tx<{ id: string; active: boolean }>`
    select id, active from inventory.warehouses where id = any(${ids}::text[]) order by id for share`
  for (const { id, active } of rows) states.set(warehouseId(id), { version: 0, state: { active } })
}

/** Under the locks of its SKUs: what is on hand now, without what moved since. */
async function readCount(tx: Sql, count: string, skus: string[], states: Loaded['states']): Promise<void> {
  const at = count.indexOf('@')
  const countedAt = count.slice(0, at)
  const warehouse = count.slice(at + 1)
  const rows = await tx<{ sku: string; on_hand: number; again: boolean }>`
    select l.sku,
           (l.on_hand - coalesce((select sum(m.on_hand_delta)
                                    from inventory.ledger m
                                   where m.sku = l.sku
                                     and m.warehouse_id = l.warehouse_id
                                     and m.at > ${countedAt}::timestamptz
                                     and m.reference_type is distinct from 'STOCKTAKE'), 0))::bigint as on_hand,
           exists (select
                     from inventory.stocktake_lines c
                     join inventory.stocktakes t on t.id = c.stocktake_id
                    where c.sku = l.sku
                      and t.warehouse_id = l.warehouse_id
                      and t.counted_at >= ${countedAt}::timestamptz) as again
      from inventory.levels l
     where l.warehouse_id = ${warehouse}
       and l.sku = any(${skus}::text[])`
  const state = {
    onHand: new Map(rows.map((row) => [row.sku, row.on_hand])),
    countedSince: new Set(rows.filter((row) => row.again).map((row) => row.sku)),
  }
  states.set(countId(warehouse, countedAt), { version: 0, state })
}

/** The SKUs of an order, reservation or delivery, as read after the locks. */
function linesOf(state: State | undefined): string[] {
  return ((state as OrderState | ReservationState | DeliveryState | undefined)?.lines ?? []).map((line) => line.sku)
}
