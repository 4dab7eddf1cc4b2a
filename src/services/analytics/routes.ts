/** `/analytics/overview`, `sales` and `stock`: for charts as JSON, for spreadsheets with `format=csv`. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type App, invalidRequest } from '../../engine/http.ts'
import { identifier } from '../../engine/text.ts'
import { format, frameOf, lineRows, longHeader, type Row, sendCsv } from './frame.ts'
import { overview } from './overview.ts'
import { type Range, rangeQuery } from './range.ts'
import { type Sales, salesReport, titlesOf } from './reports.ts'
import { type AnalyticsSettings, DAY_MS, HOUR_MS } from './settings.ts'
import * as shapes from './shapes.ts'
import { type About, scarceSkus, stockByGroup, stockLevels } from './stock-report.ts'

const tags = ['analytics']
const config = { roles: ['analyst'] }
const limit = z.coerce
  .number({ error: 'must be a whole number' })
  .int('must be a whole number')
  .min(1, 'must be at least 1')
  .max(100, 'must be at most 100')
  .default(20)

/** The windows of an overview, and what they are made of. */
const windows = { hour: ['minute', 60], day: ['hour', 24], week: ['hour', 168], month: ['day', 30] } as const
const lengths = { minute: 60_000, hour: HOUR_MS, day: DAY_MS }

export function analyticsRoutes(app: App, db: Database, settings: AnalyticsSettings): void {
  app.get(
    '/analytics/overview',
    {
      schema: {
        querystring: z.strictObject({
          window: z
            .enum(['hour', 'day', 'week', 'month'], { error: 'must be hour, day, week or month' })
            .default('day'),
          format,
        }),
        response: { 200: shapes.overviewAnswer },
        summary: 'Stock, sales, events and latencies at a glance, each beside what it was as long before',
        tags,
      },
      config,
    },
    async ({ query: { window, format } }, reply) => {
      const [by, count] = windows[window]
      const from = new Date(Date.now() - (count - 1) * lengths[by])
      const { range, head } = await frameOf(db, settings, { by, from })
      const { buckets, ...rest } = head
      const glance = await overview(db, range, head.timeZone)
      if (format === 'csv') return sendCsv(reply, 'overview', ['measure', 'value', 'previous', 'change'], flat(glance))
      return { ...rest, window, from: buckets[0] as string, ...glance }
    },
  )
  app.get(
    '/analytics/sales',
    {
      schema: {
        querystring: z.strictObject({
          ...rangeQuery,
          group: z.enum(['product', 'category', 'vendor'], { error: 'must be product, category or vendor' }).optional(),
          limit,
          format,
        }),
        response: { 200: shapes.salesAnswer },
        summary: 'Orders, units and revenue per currency over time; by product, category or vendor what sold the most',
        tags,
      },
      config,
    },
    async ({ query }, reply) => {
      const { range, head } = await frameOf(db, settings, query)
      const report = await salesReport(db, range, query.group, query.limit)
      if (query.format === 'json') return { ...head, ...report }
      const rows = report.series.flatMap((each) => salesRows(each, range))
      return sendCsv(reply, 'sales', longHeader, rows)
    },
  )
  app.get(
    '/analytics/stock',
    {
      schema: {
        querystring: z.strictObject({
          ...rangeQuery,
          product: identifier.optional(),
          vendor: identifier.optional(),
          warehouse: identifier.optional(),
          limit,
          format,
        }),
        response: { 200: shapes.stockAnswer },
        summary: 'Stock levels, low and out of stock, over time: of all, or of a product, vendor or warehouse',
        tags,
      },
      config,
    },
    async ({ query }, reply) => {
      const about = aboutOf(query)
      if (about.of === 'product' && query.by === 'minute') throw notByMinute
      const { range, head } = await frameOf(db, settings, query)
      const levels = await stockLevels(db, range, about)
      if (query.format === 'csv') {
        const rows = Object.entries(levels).flatMap(([name, level]) => lineRows(level, about.item, name, range))
        return sendCsv(reply, 'stock', longHeader, rows)
      }
      const everywhere = about.of === 'all'
      const [scarce, vendors, warehouses, titles] = await Promise.all([
        scarceSkus(db, about, query.limit),
        everywhere ? stockByGroup(db, 'vendor', query.limit) : [],
        everywhere ? stockByGroup(db, 'warehouse', query.limit) : [],
        titlesOf(db, about.of === 'product' ? [about.item] : []),
      ])
      const title = titles.get(about.item)
      const { of, item } = about
      return { ...head, of, item: item || null, ...(title && { title }), levels, scarce, vendors, warehouses }
    },
  )
}

const notByMinute = invalidRequest({
  in: 'query',
  field: 'by',
  message: "must be hour or day: a product's stock is kept by these",
})

function aboutOf({
  product,
  vendor,
  warehouse,
}: Partial<Record<Exclude<About['of'], 'all'>, string | undefined>>): About {
  const given = Object.entries({ product, vendor, warehouse }).filter(([, item]) => item !== undefined)
  const [first, second] = given
  if (!first) return { of: 'all', item: '' }
  if (!second) return { of: first[0] as About['of'], item: first[1] as string }
  const message = `can't be combined with ${first[0]}: ask for one at a time`
  throw invalidRequest({ in: 'query', field: second[0], message })
}

function salesRows(sales: Sales, range: Range): Row[] {
  const item = sales.item ?? ''
  return [
    ...lineRows(sales.orders, item, 'orders', range),
    ...lineRows(sales.units, item, 'units', range),
    ...lineRows(sales.returnedUnits, item, 'returned units', range),
    ...sales.revenue.flatMap((line) => lineRows(line, item, `revenue ${line.currency}`, range)),
    ...sales.refunds.flatMap((line) => lineRows(line, item, `refunds ${line.currency}`, range)),
  ]
}

/** Every number under its path: `sales.units`, `sales.revenue.EUR`. */
function flat(told: object, path: string[] = []): Row[] {
  if ('value' in told && 'previous' in told && 'change' in told)
    return [[path.join('.'), ...([told.value, told.previous, told.change] as (number | null)[])]]
  return Object.entries(told).flatMap(([name, value]: [string, unknown]): Row[] => {
    if (typeof value === 'number') return [[[...path, name].join('.'), value, null, null]]
    if (typeof value !== 'object' || value === null) return []
    const { type, currency } = value as { type?: string; currency?: string }
    return flat(value, [...path, type ?? currency ?? name])
  })
}
