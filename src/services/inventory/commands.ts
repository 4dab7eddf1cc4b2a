/** What inventory can be asked to do. Quantities are whole units; ids were checked at the edge. */
import type { EntityId } from '../../engine/decider.ts'
import type { Trigger } from './events.ts'
import { countId, deliveryId, reservationId, saleId, stockId, warehouseId } from './state.ts'

export interface Line {
  sku: string
  quantity: number
}

/** Why, and in answer to what; for the ledger and the event. */
export interface Cause {
  trigger?: Trigger
  reason?: string
  referenceType?: string
  reference?: string
}

export type Command =
  /** Takes all lines or none. Repeated SKUs are summed. `resting`: SKUs that the catalog has not for sale, whatever their items say. */
  | { type: 'order'; orderId: string; customerId?: string; lines: Line[]; resting?: string[] }
  /** Gives units back to the warehouses they came from, never more than the order still has; without lines, all of it. */
  | { type: 'return'; orderId: string; returnId?: string; lines?: Line[]; reason?: string }
  /** Gives everything back that the order still has. */
  | { type: 'cancel'; orderId: string; reason?: string }
  /** Holds all lines or none until the time is over. */
  | { type: 'reserve'; reservationId: string; orderId?: string; lines: Line[]; ttlSeconds: number; resting?: string[] }
  /** Makes a reservation's units sold. */
  | { type: 'confirm'; reservationId: string }
  /** Gives back what is held, never more; without lines, all of it. */
  | { type: 'release'; reservationId: string; lines?: Line[] }
  /** Holds it until so many seconds from now at least. */
  | { type: 'extend'; reservationId: string; ttlSeconds: number }
  /** Gives back what reservations past their time still hold; harmless for others. */
  | { type: 'expire'; reservationIds: string[] }
  /** Goods on their way to a warehouse; with `from` a transfer, which leaves that warehouse now. `expectedAt` is ISO 8601 in UTC. */
  | ({ type: 'announce'; to: string; from?: string; lines: Line[]; reference?: string; expectedAt?: string } & Delivery)
  /** Brings goods in, never more than are under way; without lines, the rest. */
  | ({ type: 'receive'; kind: DeliveryKind; lines?: Line[] } & Delivery)
  /** No more will come: what a transfer has under way goes back. */
  | ({ type: 'call-off'; kind: DeliveryKind } & Delivery)
  /** Sets what is on hand in a warehouse; opens the level if the warehouse has none of this SKU. */
  | ({ type: 'set-quantity'; sku: string; warehouseId: string; quantity: number } & Cause)
  /** Adds to, or with a negative delta takes from, what is on hand; without a warehouse, in the preferred one. */
  | ({ type: 'adjust'; sku: string; warehouseId?: string; delta: number } & Cause)
  /** Makes on hand what a count of its own time (ISO 8601 in UTC) says it should be; each SKU once. */
  | ({
      type: 'stocktake'
      stocktakeId: string
      warehouseId: string
      countedAt: string
      lines: Line[]
      dryRun: boolean
    } & Pick<Cause, 'trigger' | 'reason'>)
  /** A first count: creates the item if need be, sets on hand only while its level never moved. */
  | ({ type: 'set-initial'; sku: string; productId: string; warehouseId: string; quantity: number } & Cause &
      Thresholds)
  /** Items for a product's SKUs in these warehouses, active; what is there already stays (document C, ProductCreatedEvent). */
  | ({ type: 'open'; productId: string; skus: string[]; warehouseIds: string[] } & Cause & Thresholds)
  /** Keeps units of a level back from sale, lets so many be sold beyond what is on hand, and sets its item's thresholds; what is left out stays. */
  | ({
      type: 'plan'
      sku: string
      warehouseId: string
      safetyStock?: number
      backorderLimit?: number
      reason?: string
    } & Thresholds)
  /** No more orders for these SKUs of the product; their history stays (document C, ProductDeletedEvent). */
  | ({ type: 'deactivate'; productId: string; skus: string[] } & Cause)

interface Delivery {
  deliveryId: string
}
export type DeliveryKind = 'receipt' | 'transfer'

/** For new items; the settings' values when absent. */
export interface Thresholds {
  reorderThreshold?: number
  targetLevel?: number
}

/** The entities to lock for a command; the store adds the SKUs of orders, reservations and deliveries. */
export function touches(command: Command): EntityId[] {
  switch (command.type) {
    case 'order':
      return [saleId(command.orderId), ...command.lines.map((line) => stockId(line.sku))]
    case 'return':
    case 'cancel':
      return [saleId(command.orderId)]
    case 'reserve':
      return [reservationId(command.reservationId), ...command.lines.map((line) => stockId(line.sku))]
    case 'confirm':
    case 'release':
    case 'extend':
      return [reservationId(command.reservationId)]
    case 'expire':
      return command.reservationIds.map(reservationId)
    case 'announce':
      return [
        deliveryId(command.deliveryId),
        ...command.lines.map((line) => stockId(line.sku)),
        ...(command.from === undefined ? [] : [warehouseId(command.from)]),
        warehouseId(command.to),
      ]
    case 'receive':
    case 'call-off':
      return [deliveryId(command.deliveryId)]
    case 'set-quantity':
    case 'set-initial':
      return [stockId(command.sku), warehouseId(command.warehouseId)]
    case 'plan':
      return [stockId(command.sku)]
    case 'stocktake':
      return [
        ...command.lines.map((line) => stockId(line.sku)),
        warehouseId(command.warehouseId),
        countId(command.warehouseId, command.countedAt),
      ]
    case 'adjust':
      return command.warehouseId === undefined
        ? [stockId(command.sku)]
        : [stockId(command.sku), warehouseId(command.warehouseId)]
    case 'open':
      return [...command.skus.map(stockId), ...command.warehouseIds.map(warehouseId)]
    case 'deactivate':
      return command.skus.map(stockId)
  }
}

/** New orders, reservations and deliveries have new ids. */
export function creates(command: Command): EntityId[] {
  if (command.type === 'order') return [saleId(command.orderId)]
  if (command.type === 'announce') return [deliveryId(command.deliveryId)]
  return command.type === 'reserve' ? [reservationId(command.reservationId)] : []
}
