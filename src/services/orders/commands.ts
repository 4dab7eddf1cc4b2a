/** What orders can be asked to do, and what they answer. Each is one transaction with what it does to stock: both or neither. */
import type { Money } from '../catalog/events.ts'
import type { OrderStatus, OrderTotal } from './events.ts'

export interface LineToSell {
  sku: string
  /** Whole units; repeated SKUs are summed. */
  quantity: number
  /**
   * What one unit is sold at. Left out: what it costs now, or null when nobody knows. Given, it is somebody's word, and null is none; it makes nothing for
   * sale that is not.
   */
  unitPrice?: Money | null
}

export type OrdersCommand =
  /** Sells all lines at once, or none. Throws `insufficient-stock` with the short lines, `unknown-sku`, `inactive-sku`, `already-exists`. */
  | {
      type: 'place'
      orderId: string
      customerId?: string
      lines: LineToSell[]
      /** It was made elsewhere, or long ago: what is a draft or archived by now is sold all the same. */
      imported?: boolean
    }
  /**
   * Sells what a reservation of this order (`reserve` with the same orderId) holds, all of it; the lines say at which prices. Again with the same
   * reservation: the first answer. Throws `reservation-expired`, `reservation-released`, `reservation-mismatch`, `not-found`, `already-exists`.
   */
  | { type: 'confirm'; orderId: string; reservationId: string; customerId?: string; lines: LineToSell[] }
  /** Moves it on; asked again it changes nothing. Throws `order-status` when the order can't become that, `not-found`. */
  | { type: 'mark'; orderId: string; status: 'paid' | 'fulfilled'; reason?: string }
  /** Gives back all the stock it still has; asked again it changes nothing. Throws `order-status` for a fulfilled one, `not-found`. */
  | { type: 'cancel'; orderId: string; reason?: string }
  /** Gives some of it back, never more than the order still has; without lines the rest. Throws `return-exceeds-order`, `not-found`. */
  | { type: 'return'; orderId: string; returnId?: string; lines?: { sku: string; quantity: number }[]; reason?: string }

export interface AnsweredLine {
  sku: string
  productId?: string | null
  quantity: number
  /** Not there in answers of old. */
  unitPrice?: Money | null
  allocations: { warehouseId: string; quantity: number }[]
}

/** The answer of every command. Of `cancel` and `return` the lines are what was given back by it, of the others what was sold. */
export interface OrderAnswer {
  orderId: string
  status: OrderStatus
  customerId?: string
  returnId?: string
  lines: AnsweredLine[]
  totals: OrderTotal[]
}
