/** Reads counts as lines for a chart: one number a bucket, their sum, and how that compares with as long before. */
import type { Sql } from '../../engine/database.ts'
import { changeOf, type Range } from './range.ts'
import type { Grain } from './settings.ts'

export interface Line {
  /** One a bucket. */
  values: number[]
  total: number
  /** Of as many buckets right before; null when they are not kept any more. */
  previous: number | null
  change: number | null
}

/** By item, by measure. A measure that never occurred is not there. */
export type Lines = Map<string, Map<string, Line>>

const tables: Record<Grain, string> = { minute: 'minutes', hour: 'hours', day: 'days' }
const column: Record<Grain, string> = { minute: 'timestamptz', hour: 'timestamptz', day: 'date' }
/** A bucket's name out of its row. */
export const named: Record<Grain, string> = {
  minute: `to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"')`,
  hour: `to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"')`,
  day: 'at::text',
}

interface Asked {
  /** Names, or LIKE patterns: `revenue %`. */
  measures: string[]
  dimension: string
  /** All unless given. */
  items?: string[] | undefined
}

export async function readLines(sql: Sql, range: Range, { measures, dimension, items }: Asked): Promise<Lines> {
  const { by, buckets, before } = range
  const all = [...(before ?? []), ...buckets]
  const rows = await sql.text<{ measure: string; item: string; at: string; amount: string }>(
    `select measure, item, ${named[by]} as at, amount
       from analytics.${tables[by]}
      where measure like any($1::text[]) and dimension = $2 and at between $3::${column[by]} and $4::${column[by]}
        and ($5::text[] is null or item = any($5::text[]))`,
    [measures, dimension, all[0], all.at(-1), items ?? null],
  )
  const places = new Map(all.map((bucket, n) => [bucket, n - (before?.length ?? 0)]))
  const lines: Lines = new Map()
  for (const { measure, item, at, amount } of rows) {
    const line = lineOf(lines, item, measure, range)
    const place = places.get(at)
    if (place === undefined) continue
    if (place < 0) line.previous = (line.previous ?? 0) + Number(amount)
    else {
      line.values[place] = (line.values[place] ?? 0) + Number(amount)
      line.total += Number(amount)
    }
  }
  for (const each of lines.values())
    for (const line of each.values()) line.change = changeOf(line.total, line.previous ?? undefined)
  return lines
}

function lineOf(lines: Lines, item: string, measure: string, range: Range): Line {
  const measures = lines.get(item) ?? new Map<string, Line>()
  lines.set(item, measures)
  const line = measures.get(measure) ?? emptyLine(range)
  measures.set(measure, line)
  return line
}

export const emptyLine = ({ buckets, before }: Range): Line => ({
  values: buckets.map(() => 0),
  total: 0,
  previous: before ? 0 : null,
  change: null,
})

/** The items with most of a measure in this time, the most first; one more than `limit` if there are more. */
export async function topItems(sql: Sql, { by, buckets }: Range, measure: string, dimension: string, limit: number) {
  const rows = await sql.text<{ item: string }>(
    `select   item
       from   analytics.${tables[by]}
      where   measure = $1 and dimension = $2 and at between $3::${column[by]} and $4::${column[by]}
      group by item
      order by sum(amount) desc, item
      limit   $5`,
    [measure, dimension, buckets[0], buckets.at(-1), limit + 1],
  )
  return rows.map(({ item }) => item)
}

/** What has been counted from the beginning: by item, by measure. For a gauge, its value now. */
export async function readTotals(sql: Sql, { measures, dimension, items }: Asked) {
  const rows = await sql<{ measure: string; item: string; amount: string }>`
    select measure, item, amount
      from analytics.totals
     where measure like any(${measures}::text[]) and dimension = ${dimension}
       and (${items ?? null}::text[] is null or item = any(${items ?? null}::text[]))`
  const totals = new Map<string, Map<string, number>>()
  for (const { measure, item, amount } of rows) {
    const of = totals.get(item) ?? new Map<string, number>()
    totals.set(item, of.set(measure, Number(amount)))
  }
  return totals
}

export interface Level {
  /** At the end of each bucket. */
  values: number[]
  /** At the end of the last one. */
  value: number
  /** Right before the first one. */
  previous: number
  change: number | null
}

/** Gauges of one item: their values now, less what changed since. */
export async function readLevels(sql: Sql, range: Range, dimension: string, item: string, measures: string[]) {
  const { by, buckets } = range
  const [totals, rows] = await Promise.all([
    readTotals(sql, { measures, dimension, items: [item] }),
    sql.text<{ measure: string; at: string; amount: string }>(
      `select measure, ${named[by]} as at, amount
         from analytics.${tables[by]}
        where measure = any($1::text[]) and dimension = $2 and item = $3 and at >= $4::${column[by]}`,
      [measures, dimension, item, buckets[0]],
    ),
  ])
  const levels = new Map<string, Level>()
  for (const measure of measures) {
    const changes = new Map<string, number>()
    let value = totals.get(item)?.get(measure) ?? 0
    const last = buckets.at(-1) as string
    for (const row of rows) {
      if (row.measure !== measure) continue
      if (row.at > last) value -= Number(row.amount)
      else changes.set(row.at, Number(row.amount))
    }
    const values: number[] = []
    for (const bucket of buckets.toReversed()) {
      values.unshift(value)
      value -= changes.get(bucket) ?? 0
    }
    const end = values.at(-1) as number
    levels.set(measure, { values, value: end, previous: value, change: changeOf(end, value) })
  }
  return levels
}
