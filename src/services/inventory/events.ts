/** What inventory tells: the contracts of its events, and the stock they carry. */
import { z } from 'zod'
import { fieldChange } from '../catalog/events.ts'

export const level = z.strictObject({
  warehouseId: z.string(),
  /** The item's id in document C: one SKU in one warehouse. */
  inventoryItemId: z.string(),
  onHand: z.int(),
  reserved: z.int(),
  /** Units kept back from sale; left out when there are none. */
  safetyStock: z.int().optional(),
  /** Units sold beyond what is on hand, and how many may be; left out when there are none. */
  backordered: z.int().optional(),
  backorderLimit: z.int().optional(),
})

export const stock = z.strictObject({
  sku: z.string(),
  productId: z.string(),
  /** False once the product was deleted: no more orders, the history stays (C, ProductDeletedEvent). */
  active: z.boolean(),
  /** Units over all warehouses. available is what is for sale: each level's onHand − backordered − reserved − safetyStock + backorderLimit, but not less than none. */
  onHand: z.int(),
  reserved: z.int(),
  available: z.int(),
  levels: z.array(level),
})
export type Stock = z.infer<typeof stock>

/** Why a quantity moved. The first three are document B's; the rest are ours. */
export const trigger = z.enum([
  'ORDER_CONFIRMED',
  'ADMIN_UPDATE',
  'SCHEDULED_SYNC',
  'ORDER_RETURNED',
  'IMPORTED',
  'PRODUCT_CREATED',
  'PRODUCT_DELETED',
  'RESERVED',
  'RELEASED',
  'EXPIRED',
])
export type Trigger = z.infer<typeof trigger>

const movement = {
  stock,
  warehouseId: z.string(),
  inventoryItemId: z.string(),
  trigger,
  reason: z.string().optional(),
  /** What the movement answers to: an order, a reservation, a count (C: referenceType, referenceNumber). */
  referenceType: z.string().optional(),
  reference: z.string().optional(),
}

/** key = the product's id, entity = `stock/<sku>`. Every event is one version of that stock. */
export const inventoryEvents = {
  /** On hand changed in one warehouse, from previousQuantity to newQuantity. */
  'stock.updated': z.strictObject({
    ...movement,
    previousQuantity: z.int(),
    newQuantity: z.int(),
    changes: z.array(fieldChange),
  }),
  'stock.reserved': z.strictObject({
    ...movement,
    reservationId: z.string(),
    quantity: z.int(),
    expiresAt: z.string(),
  }),
  'stock.released': z.strictObject({
    ...movement,
    reservationId: z.string(),
    quantity: z.int(),
    cause: z.enum(['released', 'expired']),
  }),
  /** Available fell to LOW_STOCK_THRESHOLD or below; once per crossing. */
  'stock.low': z.strictObject({ stock, threshold: z.int(), trigger }),
  /** Available fell to OUT_OF_STOCK_THRESHOLD or below; once per crossing. */
  'stock.out': z.strictObject({ stock, threshold: z.int(), trigger }),
  /** Available rose above OUT_OF_STOCK_THRESHOLD again. */
  'stock.back': z.strictObject({ stock, threshold: z.int(), trigger }),
  /** So many units are under way to a warehouse with a receipt or a transfer; 0: it brings no more of them. */
  'stock.expected': z.strictObject({
    stock,
    warehouseId: z.string(),
    quantity: z.int(),
    expectedAt: z.string().optional(),
    referenceType: z.string(),
    reference: z.string(),
  }),
  /** An order asked for more than there is; the stock is as it was (B, Flow 1 step 3b). */
  'stock.update.failed': z.strictObject({
    stock,
    requested: z.int(),
    available: z.int(),
    reason: z.literal('insufficient-stock'),
    referenceType: z.string().optional(),
    reference: z.string().optional(),
  }),
}
export type StockData = { stock: Stock }
export type Level = z.infer<typeof level>
