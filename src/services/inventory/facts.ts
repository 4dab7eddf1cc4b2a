/** What can happen in inventory, what each fact makes of the state, and the event that tells it. */
import type { Fact } from '../../engine/decider.ts'
import type { Data, FieldChange } from '../../engine/event.ts'
import { sellable } from './allocation.ts'
import type { Level, Stock, Trigger } from './events.ts'
import type { DeliveryState, Held, OrderState, ReservationState, State, StockState, WarehouseState } from './state.ts'

/**
 * One movement of one level: one ledger row, one event, one version. All fields are always set, in one order: the hot path makes one
 * for every order line.
 */
export interface Movement extends Fact {
  type: 'stock.updated' | 'stock.reserved' | 'stock.released'
  warehouseId: string
  itemId: string
  /** The warehouse had none of this SKU before, not even a level at zero. */
  opens: boolean
  onHandDelta: number
  reservedDelta: number
  /** The level's counters afterwards; on hand below zero is what is backordered, in both. */
  onHand: number
  reserved: number
  trigger: Trigger
  reason: string | undefined
  referenceType: string | undefined
  reference: string | undefined
  /** The reservation whose line this movement opens or closes. */
  reservationId: string | undefined
  /** Until when the reservation holds; on a release: it holds on to what else it has. */
  expiresAt: Date | undefined
  /** What becomes of the item itself: opened, given to another product, made active or inactive. */
  item: Item | undefined
}

export interface Item {
  sku: string
  productId: string
  active: boolean
  reorderThreshold: number
  targetLevel: number
  /** The moved level's from now on; as they were when absent. */
  safetyStock?: number
  backorderLimit?: number
  changes: FieldChange[]
}

export interface Crossing extends Fact {
  type: 'stock.low' | 'stock.out' | 'stock.back'
  threshold: number
  trigger: Trigger
}

export interface UpdateFailed extends Fact {
  type: 'stock.update.failed'
  requested: number
  available: number
  referenceType: string
  reference: string
}

/** So many units of a SKU are under way with a delivery; none: it brings no more. */
export interface Expected extends Fact {
  type: 'stock.expected'
  warehouseId: string
  quantity: number
  expectedAt: string | undefined
  referenceType: string
  reference: string
}

export interface Stocktake {
  stocktakeId: string
  warehouseId: string
  countedAt: string
  lines: { sku: string; counted: number; expected: number }[]
}

/** Bookkeeping of reservations, orders, deliveries and stocktakes: no event of its own, since each movement has one. */
export type Bookkeeping =
  | { type: 'reservation.held'; entity: string; reservation: ReservationState }
  | { type: 'reservation.closed'; entity: string; status: 'confirmed' | 'released' | 'expired' }
  | { type: 'reservation.reduced'; entity: string; lines: Held[] }
  | { type: 'reservation.extended'; entity: string; expiresAt: Date }
  | { type: 'delivery.announced' | 'delivery.changed'; entity: string; delivery: DeliveryState }
  | { type: 'stocktake.taken'; entity: string; stocktake: Stocktake }
  | { type: 'order.placed' | 'order.returned'; entity: string; lines: Held[] }

export type InventoryFact = Movement | Crossing | UpdateFailed | Expected | Bookkeeping

export const isMovement = (fact: InventoryFact): fact is Movement =>
  fact.type === 'stock.updated' || fact.type === 'stock.reserved' || fact.type === 'stock.released'

/** Shares everything a fact does not change with the state before. */
export function evolve(state: State | undefined, fact: InventoryFact): State | undefined {
  switch (fact.type) {
    case 'stock.updated':
    case 'stock.reserved':
    case 'stock.released':
      return move(state as StockState | undefined, fact)
    case 'reservation.held':
      return fact.reservation
    case 'reservation.closed':
      return { ...(state as ReservationState), status: fact.status }
    case 'reservation.reduced':
      return { ...(state as ReservationState), lines: without((state as ReservationState).lines, fact.lines) }
    case 'reservation.extended':
      return { ...(state as ReservationState), expiresAt: fact.expiresAt }
    case 'delivery.announced':
    case 'delivery.changed':
      return fact.delivery
    case 'stocktake.taken':
      return countedIn(state as WarehouseState, fact.stocktake)
    case 'order.placed':
      return place(state as OrderState | undefined, fact.lines)
    case 'order.returned':
      return giveBack(state as OrderState, fact.lines)
    default:
      return state
  }
}

/** A stock after a movement. */
export function move(before: StockState | undefined, fact: Movement): StockState {
  const { warehouseId, item } = fact
  const was = before?.stock
  const levels = was ? was.levels.slice() : []
  const at = levels.findIndex((found) => found.warehouseId === warehouseId)
  const old = levels[at]
  const { itemId: inventoryItemId, reserved: held } = fact
  const level: Level = { warehouseId, inventoryItemId, onHand: Math.max(0, fact.onHand), reserved: held }
  const safetyStock = item?.safetyStock ?? old?.safetyStock
  if (safetyStock) level.safetyStock = safetyStock
  if (fact.onHand < 0) level.backordered = -fact.onHand
  const backorderLimit = item?.backorderLimit ?? old?.backorderLimit
  if (backorderLimit) level.backorderLimit = backorderLimit
  if (at < 0) levels.push(level)
  else levels[at] = level
  const onHand = (was?.onHand ?? 0) - (old?.onHand ?? 0) + level.onHand
  const reserved = (was?.reserved ?? 0) + fact.reservedDelta
  const stock: Stock = {
    sku: (item ?? (was as Stock)).sku,
    productId: (item ?? (was as Stock)).productId,
    active: (item ?? (was as Stock)).active,
    onHand,
    reserved,
    available: (was?.available ?? 0) - (old ? sellable(old) : 0) + sellable(level),
    levels,
  }
  return {
    stock,
    reorderThreshold: (item ?? (before as StockState)).reorderThreshold,
    targetLevel: (item ?? (before as StockState)).targetLevel,
    untouched: stillUntouched(before, fact, at < 0),
    expired: stillExpired(before, fact),
  }
}

function stillExpired(before: StockState | undefined, fact: Movement): StockState['expired'] {
  const expired = before?.expired ?? []
  if (expired.length === 0 || fact.reservationId === undefined) return expired
  return expired.flatMap((line) => {
    if (line.reservationId !== fact.reservationId || line.warehouseId !== fact.warehouseId) return line
    const quantity = fact.expiresAt === undefined ? 0 : line.quantity + fact.reservedDelta
    return quantity > 0 ? { ...line, quantity } : []
  })
}

const none: readonly string[] = []

function stillUntouched(before: StockState | undefined, fact: Movement, opened: boolean): readonly string[] {
  const untouched = before?.untouched ?? none
  if (fact.onHandDelta === 0 && fact.reservedDelta === 0) return opened ? [...untouched, fact.warehouseId] : untouched
  return untouched.length === 0 ? none : untouched.filter((warehouseId) => warehouseId !== fact.warehouseId)
}

const sameLevel = (a: Held, b: Held) => a.sku === b.sku && a.warehouseId === b.warehouseId

const without = (lines: readonly Held[], given: readonly Held[]) =>
  lines.flatMap((line) => {
    const less = given.find((one) => sameLevel(one, line))?.quantity ?? 0
    return line.quantity > less ? [{ ...line, quantity: line.quantity - less }] : []
  })

function countedIn(warehouse: WarehouseState, { lines }: Stocktake): WarehouseState {
  return { ...warehouse, counted: [...(warehouse.counted ?? []), ...lines.map((line) => line.sku)] }
}

function place(order: OrderState | undefined, taken: Held[]): OrderState {
  const lines = (order?.lines ?? []).map((line) => {
    const more = taken.find((one) => sameLevel(one, line))
    return more ? { ...line, quantity: line.quantity + more.quantity } : line
  })
  const fresh = taken.filter((one) => !lines.some((line) => sameLevel(one, line)))
  return { lines: [...lines, ...fresh.map((line) => ({ ...line, returned: 0 }))] }
}

function giveBack(order: OrderState, given: Held[]): OrderState {
  return {
    lines: order.lines.map((line) => {
      const back = given.find((one) => sameLevel(one, line))
      return back ? { ...line, returned: line.returned + back.quantity } : line
    }),
  }
}

/** The event that tells a fact, by the contracts in events.ts; a product's stock shares the product's key. */
export function tell(fact: InventoryFact, state: State | undefined): { key: string; data: Data } | undefined {
  if (!fact.type.startsWith('stock.')) return undefined
  const { stock } = state as StockState
  return { key: stock.productId, data: dataOf(fact as Told, stock) }
}

type Told = Exclude<InventoryFact, Bookkeeping>

function dataOf(fact: Told, stock: Stock): Data {
  switch (fact.type) {
    case 'stock.updated':
      return {
        stock,
        warehouseId: fact.warehouseId,
        inventoryItemId: fact.itemId,
        trigger: fact.trigger,
        reason: fact.reason,
        referenceType: fact.referenceType,
        reference: fact.reference,
        previousQuantity: Math.max(0, fact.onHand - fact.onHandDelta),
        newQuantity: Math.max(0, fact.onHand),
        changes: changesOf(fact),
      }
    case 'stock.reserved':
    case 'stock.released':
      return {
        stock,
        warehouseId: fact.warehouseId,
        inventoryItemId: fact.itemId,
        trigger: fact.trigger,
        reason: fact.reason,
        referenceType: fact.referenceType,
        reference: fact.reference,
        reservationId: fact.reservationId,
        quantity: Math.abs(fact.reservedDelta),
        ...(fact.type === 'stock.reserved'
          ? { expiresAt: fact.expiresAt?.toISOString() }
          : { cause: fact.trigger === 'EXPIRED' ? 'expired' : 'released' }),
      }
    case 'stock.update.failed':
      return {
        stock,
        requested: fact.requested,
        available: fact.available,
        reason: 'insufficient-stock',
        referenceType: fact.referenceType,
        reference: fact.reference,
      }
    case 'stock.expected':
      return {
        stock,
        warehouseId: fact.warehouseId,
        quantity: fact.quantity,
        expectedAt: fact.expectedAt,
        referenceType: fact.referenceType,
        reference: fact.reference,
      }
    default:
      return { stock, threshold: fact.threshold, trigger: fact.trigger }
  }
}

/** Field paths name the level: `levels.main.onHand`. */
function changesOf(fact: Movement): FieldChange[] {
  const changes = fact.item ? [...fact.item.changes] : []
  const { warehouseId, onHand, reserved, onHandDelta, reservedDelta } = fact
  if (onHandDelta !== 0) {
    const change = (name: string, oldValue: number, newValue: number) => {
      if (oldValue !== newValue) changes.push({ field: `levels.${warehouseId}.${name}`, oldValue, newValue })
    }
    const before = onHand - onHandDelta
    change('onHand', Math.max(0, before), Math.max(0, onHand))
    change('backordered', Math.max(0, -before), Math.max(0, -onHand))
  }
  if (reservedDelta !== 0) {
    changes.push({ field: `levels.${warehouseId}.reserved`, oldValue: reserved - reservedDelta, newValue: reserved })
  }
  return changes
}
