/** Stock and orders as a checkout asks for them. Refusals that say "it is so already" or "it never was" are none. */
import { Rejected } from '../engine/decider.ts'
import type { Selling, Subject } from '../services/checkout/ports.ts'
import type { InventoryService } from '../services/inventory/service.ts'
import type { OrdersService } from '../services/orders/service.ts'

export interface Sellers {
  inventory: Pick<InventoryService, 'execute'>
  orders: Pick<OrdersService, 'execute'>
  /** Life of a checkout's reservation. */
  ttlSeconds: number
}

export function sellingFrom({ inventory, orders, ttlSeconds }: Sellers): Selling {
  return {
    async reserve(subject, key) {
      const { id: orderId, reservationId } = subject
      const lines = subject.lines.map(({ sku, quantity }) => ({ sku, quantity }))
      await inventory.execute({ type: 'reserve', reservationId, orderId, lines, ttlSeconds }, by(key, subject))
    },

    release: (subject, key) =>
      unless(
        ['not-found', 'reservation-confirmed'],
        inventory.execute({ type: 'release', reservationId: subject.reservationId }, by(key, subject)),
      ),

    async confirmOrder(subject, key) {
      const { id: orderId, reservationId, customerId, currency } = subject
      const lines = subject.lines.map(({ sku, quantity, unitPrice }) => {
        return { sku, quantity, unitPrice: { amount: unitPrice, currency } }
      })
      const customer = customerId === null ? {} : { customerId }
      await orders.execute({ type: 'confirm', orderId, reservationId, ...customer, lines }, by(key, subject))
    },

    cancelOrder: (subject, key) =>
      unless(
        ['not-found'],
        orders.execute({ type: 'cancel', orderId: subject.id, reason: 'checkout' }, by(key, subject)),
      ),

    // Without a key: an order that is paid is not made so twice.
    async markPaid({ id, correlationId }) {
      await orders.execute({ type: 'mark', orderId: id, status: 'paid' }, { actor: 'checkout', correlationId })
    },
  }
}

const by = (key: string, { correlationId }: Subject) => ({ key, actor: 'checkout', correlationId })

async function unless(codes: string[], work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!(error instanceof Rejected && codes.includes(error.code))) throw error
  }
}
