/** What inventory knows while it decides: a SKU's stock, a reservation, an order, a delivery, a warehouse; each an entity of its own. */
import { createHash } from 'node:crypto'
import type { EntityId, Versioned } from '../../engine/decider.ts'
import type { Stock } from './events.ts'

/** A SKU over all its warehouses, `stock/<sku>`. */
export interface StockState {
  /** As events carry it; levels in the order orders take from them. Shared with events: never changed in place. */
  stock: Stock
  /** Available at or below it is low stock in document C's answers. */
  reorderThreshold: number
  targetLevel: number
  /** Warehouses whose level has never moved: their first count may still be set. */
  untouched: readonly string[]
  /** Lines of reservations whose time is over but which still hold units. */
  expired: readonly ExpiredLine[]
}

export interface ExpiredLine extends Held {
  reservationId: string
  orderId?: string
  expiresAt: Date
}

/** Units held in one level. */
export interface Held {
  sku: string
  warehouseId: string
  quantity: number
}

export type ReservationStatus = 'held' | 'confirmed' | 'released' | 'expired'

/** `reservation/<id>`; `lines` are those that still hold units. */
export interface ReservationState {
  reservationId: string
  orderId?: string
  status: ReservationStatus
  expiresAt: Date
  /** A line of it has been released because its time was over: it can't be confirmed any more, whatever a clock says. */
  lapsed: boolean
  lines: readonly Held[]
}

/** `sale/<order id>`: what an order took and gave back, by level, from the ledger. The order itself is another's. */
export interface OrderState {
  lines: readonly (Held & { returned: number })[]
}

/** `delivery/<id>`: goods on their way to a warehouse. */
export interface DeliveryState {
  deliveryId: string
  /** The warehouse they left; none: they come from a supplier. */
  from?: string
  to: string
  reference?: string
  /** ISO 8601, UTC. */
  expectedAt?: string
  status: 'under-way' | 'received' | 'cancelled'
  /** Each SKU once. */
  lines: readonly { sku: string; quantity: number; received: number }[]
}

/** `warehouse/<id>`. */
export interface WarehouseState {
  active: boolean
  /** SKUs that a stocktake of this batch has counted. */
  counted?: readonly string[]
}

/** `count/<time>@<warehouse>`: a warehouse's levels at that time, from the ledger. Stocktakes entered later count as done before. */
export interface CountState {
  onHand: ReadonlyMap<string, number>
  /** SKUs that a stocktake has counted then or later. */
  countedSince: ReadonlySet<string>
}

export type State = StockState | ReservationState | OrderState | DeliveryState | WarehouseState | CountState
export type States = ReadonlyMap<EntityId, Versioned<State>>

export const stockId = (sku: string): EntityId => `stock/${sku}`
export const reservationId = (id: string): EntityId => `reservation/${id}`
export const saleId = (id: string): EntityId => `sale/${id}`
export const deliveryId = (id: string): EntityId => `delivery/${id}`
export const warehouseId = (id: string): EntityId => `warehouse/${id}`

// An entity's prefix says which state it has; these six are the only places that rely on it.
export const stockIn = (states: States, sku: string) => states.get(stockId(sku))?.state as StockState | undefined
export const reservationIn = (states: States, id: string) =>
  states.get(reservationId(id))?.state as ReservationState | undefined
export const orderIn = (states: States, id: string) => states.get(saleId(id))?.state as OrderState | undefined
export const deliveryIn = (states: States, id: string) => states.get(deliveryId(id))?.state as DeliveryState | undefined
export const countId = (warehouse: string, countedAt: string): EntityId => `count/${countedAt}@${warehouse}`
export const countIn = (states: States, warehouse: string, countedAt: string) =>
  states.get(countId(warehouse, countedAt))?.state as CountState | undefined
export const warehouseIn = (states: States, id: string) =>
  states.get(warehouseId(id))?.state as WarehouseState | undefined

/** The SKUs of a reservation that holds units; who sells or releases it names the reservation alone. */
export function heldBy(_entity: EntityId, state: State): EntityId[] | undefined {
  if (!('expiresAt' in state) || !('lapsed' in state) || state.status !== 'held') return undefined
  return [...new Set(state.lines.map((line) => stockId(line.sku)))]
}

/** The item's id in document C, the same on every machine: one SKU in one warehouse. */
export function itemId(sku: string, warehouse: string): string {
  return `inv_${createHash('sha256').update(`${sku}\n${warehouse}`).digest('hex').slice(0, 20)}`
}
