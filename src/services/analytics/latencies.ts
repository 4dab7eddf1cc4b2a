/** How long events took from their commit until they were counted: percentiles out of bins that grow by 5 %, so that they are right within 2.5 %. */
import type { Sql } from '../../engine/database.ts'
import type { Range } from './range.ts'

const GROWTH = 1.05
const PERCENTILES = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 } as const

/** Milliseconds; null without events. */
export interface Percentiles {
  count: number
  p50: number | null
  p90: number | null
  p95: number | null
  p99: number | null
  /** The upper end of the highest bin. */
  max: number | null
}

export async function readLatencies(sql: Sql, { by, buckets }: Range, zone: string) {
  const rows = await sql<{ at: string; bin: number; count: number }>`
    select case ${by}::text when 'day' then (at at time zone ${zone})::date::text
           else to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"') end as at, bin, count
      from analytics.latencies
     where grain = ${by}
       and at >= case ${by}::text when 'day' then ${buckets[0]}::timestamp at time zone ${zone} else ${buckets[0]}::timestamptz end
       and at <= case ${by}::text when 'day' then ${buckets.at(-1)}::timestamp at time zone ${zone} else ${buckets.at(-1)}::timestamptz end`
  const byBucket = Map.groupBy(rows, ({ at }) => at)
  return {
    overall: percentilesOf(rows),
    series: buckets.map((at) => ({ at, ...percentilesOf(byBucket.get(at) ?? []) })),
  }
}

/** Any number of histograms at once: equal bins are added. */
export function percentilesOf(bins: readonly { bin: number; count: number }[]): Percentiles {
  const counts = new Map<number, number>()
  for (const { bin, count } of bins) counts.set(bin, (counts.get(bin) ?? 0) + count)
  const sorted = [...counts].sort(([a], [b]) => a - b)
  const count = sorted.reduce((sum, [, each]) => sum + each, 0)
  const at = (share: number) => {
    let left = Math.ceil(count * share)
    const found = sorted.find(([, each]) => (left -= each) <= 0)
    return found ? rounded((2 * GROWTH ** found[0]) / (GROWTH + 1)) : null
  }
  const last = sorted.at(-1)
  return {
    count,
    p50: at(PERCENTILES.p50),
    p90: at(PERCENTILES.p90),
    p95: at(PERCENTILES.p95),
    p99: at(PERCENTILES.p99),
    max: last ? rounded(GROWTH ** last[0]) : null,
  }
}

const rounded = (ms: number) => Number(ms.toPrecision(3))
