/** Everything at a glance: each number with what it was as long before. */
import type { Database } from '../../engine/database.ts'
import type { Line } from './counts.ts'
import { readLatencies } from './latencies.ts'
import type { Range } from './range.ts'
import { customersReport, eventsReport, ordersReport, reservationsReport, salesReport } from './reports.ts'
import { stockLevels } from './stock-report.ts'
import { gaugeNames } from './world.ts'

export interface Trend {
  value: number
  /** As long before; null when it is not kept any more. */
  previous: number | null
  /** As a share: 0.25 is a quarter more. */
  change: number | null
}

const trend = ({ total, previous, change }: Line): Trend => ({ value: total, previous, change })

export async function overview(db: Database, range: Range, zone: string) {
  const [stock, sales, reservations, orders, customers, events, latency, [products]] = await Promise.all([
    stockLevels(db, range, { of: 'all', item: '' }),
    salesReport(db, range, undefined, 1),
    reservationsReport(db, range),
    ordersReport(db, range),
    customersReport(db, range),
    eventsReport(db, range),
    readLatencies(db, range, zone),
    db<{ live: number }>`
      select coalesce(sum(amount), 0)::bigint as live from analytics.totals where measure = 'live products'`,
  ])
  const [sold] = sales.series
  if (!sold) throw new Error('a report without a group has one series')
  const money = (lines: typeof sold.revenue) => lines.map((line) => ({ currency: line.currency, ...trend(line) }))
  return {
    products: products?.live ?? 0,
    stock: Object.fromEntries(
      gaugeNames.map((name) => {
        const { value, previous, change } = stock[name]
        return [name, { value, previous, change } satisfies Trend]
      }),
    ) as Record<(typeof gaugeNames)[number], Trend>,
    sales: {
      orders: trend(sold.orders),
      units: trend(sold.units),
      returnedUnits: trend(sold.returnedUnits),
      revenue: money(sold.revenue),
      refunds: money(sold.refunds),
    },
    reservations: Object.fromEntries(
      reservations.series.map(({ outcome, units }) => [outcome, trend(units)]),
    ) as Record<'reserved' | 'confirmed' | 'released' | 'expired', Trend>,
    orders: orders.now,
    customers: { now: customers.now, created: trend(customers.created), consents: customers.consents },
    events: events.series.map((line) => ({ type: line.item, ...trend(line) })),
    latencyMs: latency.overall,
  }
}
