/** The shapes of analytics' answers, stable for charts: `buckets` names the points of every `values`. */
import { z } from 'zod'

const share = z.number().nullable()

const head = {
  /** The log is counted up to here. */
  position: z.int(),
  /** Whose days. */
  timeZone: z.string(),
  by: z.enum(['minute', 'hour', 'day']),
}
const charted = { ...head, buckets: z.array(z.string()) }

const line = {
  values: z.array(z.number()),
  total: z.number(),
  previous: z.number().nullable(),
  change: share,
}
const money = z.object({ currency: z.string(), ...line })
const level = z.object({ values: z.array(z.number()), value: z.number(), previous: z.number(), change: share })
const gauges = { onHand: z.int(), reserved: z.int(), available: z.int(), skus: z.int(), low: z.int(), out: z.int() }
const trend = z.object({ value: z.number(), previous: z.number().nullable(), change: share })
const percentiles = {
  count: z.int(),
  p50: z.number().nullable(),
  p90: z.number().nullable(),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
  max: z.number().nullable(),
}
const counted = z.array(z.object({ item: z.string(), ...line }))

export const salesAnswer = z.object({
  ...charted,
  group: z.enum(['product', 'category', 'vendor']).nullable(),
  series: z.array(
    z.object({
      item: z.string().nullable(),
      title: z.string().optional(),
      orders: z.object(line),
      units: z.object(line),
      returnedUnits: z.object(line),
      revenue: z.array(money),
      refunds: z.array(money),
    }),
  ),
  more: z.boolean(),
})

const shelf = z.object({ item: z.string().nullable(), ...gauges })

export const stockAnswer = z.object({
  ...charted,
  of: z.enum(['all', 'vendor', 'warehouse', 'product']),
  item: z.string().nullable(),
  title: z.string().optional(),
  levels: z.object({ onHand: level, reserved: level, available: level, skus: level, low: level, out: level }),
  scarce: z.array(
    z.object({
      sku: z.string(),
      productId: z.string(),
      title: z.string().nullable(),
      vendorId: z.string().nullable(),
      available: z.int(),
      state: z.enum(['out', 'low']),
    }),
  ),
  vendors: z.array(shelf),
  warehouses: z.array(shelf),
})

export const eventsAnswer = z.object({ ...charted, series: counted, unreadable: counted })

export const latencyAnswer = z.object({
  ...charted,
  overall: z.object(percentiles),
  series: z.array(z.object({ at: z.string(), ...percentiles })),
})

export const reservationsAnswer = z.object({
  ...charted,
  series: z.array(
    z.object({
      outcome: z.enum(['reserved', 'confirmed', 'released', 'expired']),
      lines: z.object(line),
      units: z.object(line),
    }),
  ),
  refusedUnits: z.object(line),
})

export const ordersAnswer = z.object({ ...charted, now: z.record(z.string(), z.int()), series: counted })

export const customersAnswer = z.object({
  ...charted,
  now: z.int(),
  consents: z.record(z.string(), z.int()),
  created: z.object(line),
  updated: z.object(line),
  preferencesUpdated: z.object(line),
  erased: z.object(line),
})

const moneyTrend = z.object({ currency: z.string(), value: z.number(), previous: z.number().nullable(), change: share })

export const overviewAnswer = z.object({
  ...head,
  window: z.enum(['hour', 'day', 'week', 'month']),
  from: z.string(),
  products: z.int(),
  stock: z.object({ onHand: trend, reserved: trend, available: trend, skus: trend, low: trend, out: trend }),
  sales: z.object({
    orders: trend,
    units: trend,
    returnedUnits: trend,
    revenue: z.array(moneyTrend),
    refunds: z.array(moneyTrend),
  }),
  reservations: z.object({ reserved: trend, confirmed: trend, released: trend, expired: trend }),
  orders: z.record(z.string(), z.int()),
  customers: z.object({ now: z.int(), created: trend, consents: z.record(z.string(), z.int()) }),
  events: z.array(z.object({ type: z.string(), value: z.number(), previous: z.number().nullable(), change: share })),
  latencyMs: z.object(percentiles),
})
