/** What orders tell: the contracts of their events, and the order they carry. */
import { z } from 'zod'
import { fieldChange, money } from '../catalog/events.ts'

/**
 * Where an order stands. `confirmed` has taken its stock, in the transaction that made the order (document B, Flow 1); `partly-returned` and `returned`
 * have given some or all of it back after the sale, `cancelled` instead of it. `pending` has taken nothing yet: orders of other systems may be, none
 * of ours is, since what is being bought but not sold yet is a checkout.
 */
export const orderStatus = z.enum([
  'pending',
  'confirmed',
  'paid',
  'fulfilled',
  'partly-returned',
  'returned',
  'cancelled',
])
export type OrderStatus = z.infer<typeof orderStatus>

export const orderLine = z.strictObject({
  sku: z.string(),
  productId: z.string().nullable(),
  /** As ordered; what was given back of it is in `returned`. */
  quantity: z.int(),
  returned: z.int(),
  /** What one unit was sold at; null when nobody knew a price. */
  unitPrice: money.nullable(),
  /** The warehouses that what is left of it was taken from. */
  allocations: z.array(z.strictObject({ warehouseId: z.string(), quantity: z.int() })),
})
export type OrderedLine = z.infer<typeof orderLine>

/** What the lines were sold for, by currency; what was returned is not taken off, lines without a price are not in it. */
export const orderTotal = money
export type OrderTotal = z.infer<typeof orderTotal>

/** One step of an order's life, oldest first. */
export const statusEntry = z.strictObject({
  status: orderStatus,
  at: z.string(),
  actor: z.string().nullable(),
  reason: z.string().nullable(),
})
export type StatusEntry = z.infer<typeof statusEntry>

/** An order as events carry it. Of its customer there is the id alone: what is personal stays with customers. */
export const order = z.strictObject({
  id: z.string(),
  status: orderStatus,
  customerId: z.string().nullable(),
  /** The reservation it came from; null for one that took its stock at once. */
  reservationId: z.string().nullable(),
  /** Each SKU once. */
  lines: z.array(orderLine),
  totals: z.array(orderTotal),
  history: z.array(statusEntry),
  createdAt: z.string(),
  updatedAt: z.string(),
})
export type Order = z.infer<typeof order>

/** key = the order's id with `order/` before it, as entity; so an order never shares a product's key. */
export const orderEvents = {
  'order.created': z.strictObject({ order }),
  /** Also for each further return of a `partly-returned` order; `changes` names what is other: `status`, `lines.KIT-1.returned`. */
  'order.status.changed': z.strictObject({
    order,
    previousStatus: orderStatus,
    newStatus: orderStatus,
    reason: z.string().nullable(),
    changes: z.array(fieldChange),
  }),
}
export type OrderData = z.infer<(typeof orderEvents)['order.created']>
export type OrderStatusData = z.infer<(typeof orderEvents)['order.status.changed']>
