/** What every answer of analytics begins with, and how one becomes a table. */
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import type { Line } from './counts.ts'
import { csv } from './csv.ts'
import { type Range, rangeOf } from './range.ts'
import type { AnalyticsSettings } from './settings.ts'

export const format = z.enum(['json', 'csv'], { error: 'must be json or csv' }).default('json')

export interface Frame {
  range: Range
  now: Date
  /** How far the log is counted, the zone of the days, and what the points of a chart are called. */
  head: { position: number; timeZone: string; by: Range['by']; buckets: string[] }
}

/** Throws `invalid-request` for a range that can't be answered. */
export async function frameOf(db: Database, settings: AnalyticsSettings, asked: Parameters<typeof rangeOf>[0]) {
  const [state] = await db<{ position: number; zone: string | null; now: Date }>`
    select position, zone, clock_timestamp() as now from analytics.state`
  const timeZone = state?.zone ?? settings.timeZone
  const now = state?.now ?? new Date()
  const range = rangeOf(asked, now, timeZone, settings)
  const { by, buckets } = range
  return { range, now, head: { position: state?.position ?? 0, timeZone, by, buckets } } satisfies Frame
}

export type Row = (string | number | null)[]

/** A chart as a table: one row a point. */
export const longHeader = ['at', 'item', 'measure', 'value']

export const lineRows = ({ values }: Pick<Line, 'values'>, item: string, measure: string, { buckets }: Range): Row[] =>
  values.map((value, n) => [buckets[n] as string, item, measure, value])

/** Sends a table in place of what the route's schema says, which is its JSON. */
export function sendCsv(reply: FastifyReply, name: string, header: string[], rows: Row[]): never {
  reply
    .type('text/csv; charset=utf-8')
    .header('content-disposition', `attachment; filename="${name}.csv"`)
    .serializer(String)
  return reply.send(csv(header, rows)) as never
}
