/** `/analytics/events`, `latency`, `reservations`, `orders` and `customers`: each a range of time and what was counted in it. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import type { App } from '../../engine/http.ts'
import type { Line } from './counts.ts'
import { type Frame, format, frameOf, lineRows, longHeader, type Row, sendCsv } from './frame.ts'
import { readLatencies } from './latencies.ts'
import { type Range, rangeQuery } from './range.ts'
import { customersReport, eventsReport, ordersReport, reservationsReport } from './reports.ts'
import type { AnalyticsSettings } from './settings.ts'
import * as shapes from './shapes.ts'

interface Chart<Report> {
  name: string
  summary: string
  shape: z.ZodType
  read(db: Database, frame: Frame): Promise<Report>
  header?: string[]
  rows(report: Report, range: Range): Row[]
}

export function chartRoutes(app: App, db: Database, settings: AnalyticsSettings): void {
  const chart = <Report extends object>({ name, summary, shape, read, header, rows }: Chart<Report>) =>
    app.get(
      `/analytics/${name}`,
      {
        schema: {
          querystring: z.strictObject({ ...rangeQuery, format }),
          response: { 200: shape },
          summary,
          tags: ['analytics'],
        },
        config: { roles: ['analyst'] },
      },
      async ({ query }, reply): Promise<unknown> => {
        const frame = await frameOf(db, settings, query)
        const report = await read(db, frame)
        if (query.format === 'csv') return sendCsv(reply, name, header ?? longHeader, rows(report, frame.range))
        return { ...frame.head, ...report }
      },
    )

  chart({
    name: 'events',
    summary: 'How many events there were of each type over time',
    shape: shapes.eventsAnswer,
    read: (db, { range }) => eventsReport(db, range),
    rows: ({ series }, range) => series.flatMap((line) => lineRows(line, line.item, 'events', range)),
  })
  chart({
    name: 'latency',
    summary: 'Milliseconds from an event’s commit until it was counted: percentiles over time, right within 2.5 %',
    shape: shapes.latencyAnswer,
    read: (db, { range, head }) => readLatencies(db, range, head.timeZone),
    header: ['at', 'count', 'p50', 'p90', 'p95', 'p99', 'max'],
    rows: ({ series }) => series.map(({ at, count, p50, p90, p95, p99, max }) => [at, count, p50, p90, p95, p99, max]),
  })
  chart({
    name: 'reservations',
    summary: 'What was reserved, and what became of it, over time',
    shape: shapes.reservationsAnswer,
    read: (db, { range }) => reservationsReport(db, range),
    rows: ({ series }, range) =>
      series.flatMap(({ outcome, lines, units }) => [
        ...lineRows(lines, outcome, 'lines', range),
        ...lineRows(units, outcome, 'units', range),
      ]),
  })
  chart({
    name: 'orders',
    summary: 'How many orders are in each status now, and how many reached it over time',
    shape: shapes.ordersAnswer,
    read: (db, { range }) => ordersReport(db, range),
    rows: ({ series }, range) => series.flatMap((line) => lineRows(line, line.item, 'orders', range)),
  })
  chart({
    name: 'customers',
    summary: 'How many customers there are and what they agree to now, and what changed over time; nothing personal',
    shape: shapes.customersAnswer,
    read: (db, { range }) => customersReport(db, range),
    rows: ({ created, updated, preferencesUpdated, erased }, range) =>
      Object.entries({ created, updated, preferencesUpdated, erased } satisfies Record<string, Line>).flatMap(
        ([what, line]) => lineRows(line, '', what, range),
      ),
  })
}
