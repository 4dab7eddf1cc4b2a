/** Stock and orders as a checkout asks for them. Refusals that say "it is so already" or "it never was" are none. */
import { Rejected } from '../engine/decider.ts'
import type { AnySource } from '../engine/joint.ts'
import type { Selling, Subject } from '../services/checkout/ports.ts'
import type { InventoryService } from '../services/inventory/service.ts'
import type { OrdersService } from '../services/orders/service.ts'

export interface Sellers {
  /** Inventory's source. */
  stock: AnySource
  inventory: Pick<InventoryService, 'execute'>
  orders: Pick<OrdersService, 'execute' | 'deedsOf'>
  /** Life of a checkout's reservation. */
  ttlSeconds: number
}

const actor = 'checkout'

export function sellingFrom({ stock, inventory, orders, ttlSeconds }: Sellers): Selling {
  return {
    async reserve({ id: orderId, reservationId, lines: wanted }) {
      const lines = wanted.map(({ sku, quantity }) => ({ sku, quantity }))
      return [{ source: stock, command: { type: 'reserve', reservationId, orderId, lines, ttlSeconds } }]
    },

    release: (subject, key) =>
      unless(
        ['not-found', 'reservation-confirmed'],
        inventory.execute({ type: 'release', reservationId: subject.reservationId }, by(key, subject)),
      ),

    confirmOrder({ id: orderId, reservationId, customerId, currency, lines: wanted }) {
      const lines = wanted.map(({ sku, quantity, unitPrice }) => {
        return { sku, quantity, unitPrice: { amount: unitPrice, currency } }
      })
      const customer = customerId === null ? {} : { customerId }
      return orders.deedsOf({ type: 'confirm', orderId, reservationId, ...customer, lines }, actor)
    },

    cancelOrder: (subject, key) =>
      unless(
        ['not-found'],
        orders.execute({ type: 'cancel', orderId: subject.id, reason: 'checkout' }, by(key, subject)),
      ),

    markPaid: ({ id }) => orders.deedsOf({ type: 'mark', orderId: id, status: 'paid' }, actor),
  }
}

const by = (key: string, { correlationId }: Subject) => ({ key, actor, correlationId })

async function unless(codes: string[], work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof Rejected && codes.includes(error.code))) throw error
  }
}
