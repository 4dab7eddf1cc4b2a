/** A stretch of time cut into minutes, hours or days, as charts want it: every bucket is there, the empty ones too. */
import { z } from 'zod'
import { invalidRequest } from '../../engine/http.ts'
import { dayIn } from './days.ts'
import { type AnalyticsSettings, DAY_MS, type Grain, HOUR_MS } from './settings.ts'

const MAX_BUCKETS = 1_500
/** What is shown when nothing else is asked for. */
const USUAL: Record<Grain, number> = { minute: 60, hour: 24, day: 30 }
const LENGTH: Record<Grain, number> = { minute: 60_000, hour: HOUR_MS, day: DAY_MS }
const LONGER: Record<Grain, Grain | undefined> = { minute: 'hour', hour: 'day', day: undefined }

const instant = z
  .string()
  .max(40, 'is too long')
  .transform((text) => new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text))
  .refine(
    (date) => date.getUTCFullYear() >= 1970 && date.getUTCFullYear() < 10_000,
    'must be a day or a time such as 2026-11-20 or 2026-11-20T08:00:00Z',
  )

export const rangeQuery = {
  from: instant.optional().meta({ description: 'the first bucket is the one it is in' }),
  to: instant.optional().meta({ description: 'the last bucket is the one before it; now unless given' }),
  by: z.enum(['minute', 'hour', 'day'], { error: 'must be minute, hour or day' }).default('hour'),
}

export interface Range {
  by: Grain
  /** Names of the buckets in order: an instant, or the day in the time zone. */
  buckets: string[]
  /** As many, right before. Undefined when they are not kept any more. */
  before: string[] | undefined
}

interface Asked {
  from?: Date | undefined
  to?: Date | undefined
  by: Grain
}

/** Throws `invalid-request`, with what to ask for instead. */
export function rangeOf(asked: Asked, now: Date, zone: string, kept: AnalyticsSettings): Range {
  const { by } = asked
  const length = LENGTH[by]
  const to = asked.to ?? new Date(now.getTime() + 1)
  const from = asked.from ?? new Date(to.getTime() - 1 - (USUAL[by] - 1) * length)
  if (from >= to) throw refusal('from', `must be before to, which is ${to.toISOString()}`)
  const span = (to.getTime() - from.getTime()) / length
  if (span > MAX_BUCKETS) {
    const longer = LONGER[by]
    const advice = longer ? `ask by=${longer}, or for a shorter time` : 'ask for a shorter time'
    throw refusal('by', `would be ${Math.ceil(span)} ${by}s, and at most ${MAX_BUCKETS} are answered: ${advice}`)
  }
  const since = keptSince(by, now, kept)
  const buckets = by === 'day' ? daysBetween(from, to, zone) : instantsBetween(from, to, length)
  if (by !== 'day' && Date.parse(buckets[0] as string) < since) {
    const reached = new Date(since).toISOString()
    throw refusal('by', `is too fine: ${by}s go back to ${reached}; ask by=${LONGER[by]}, or from then on`)
  }
  const before = rightBefore(buckets, length)
  const isKept = by === 'day' || Date.parse(before[0] as string) >= since
  return { by, buckets, before: isKept ? before : undefined }
}

/** The start of the first minute or hour that is whole and kept. */
function keptSince(by: Grain, now: Date, { minutesKeptHours, hoursKeptDays }: AnalyticsSettings): number {
  const kept = by === 'minute' ? minutesKeptHours * HOUR_MS : hoursKeptDays * DAY_MS
  return Math.ceil((now.getTime() - kept) / LENGTH[by]) * LENGTH[by]
}

function instantsBetween(from: Date, to: Date, length: number): string[] {
  const buckets: string[] = []
  for (let at = Math.floor(from.getTime() / length) * length; at < to.getTime(); at += length)
    buckets.push(new Date(at).toISOString())
  return buckets
}

/** A day may have 23 or 25 hours. */
function daysBetween(from: Date, to: Date, zone: string): string[] {
  const dayOf = dayIn(zone)
  const last = dayOf(to.getTime() - 1)
  const days: string[] = []
  for (let day = dayOf(from.getTime()); day <= last; day = nextDay(day)) days.push(day)
  return days
}

/** As many buckets, up to the first of these. */
function rightBefore(buckets: string[], length: number): string[] {
  const first = buckets[0] as string
  return buckets
    .map((_, n) => new Date(Date.parse(first) - (buckets.length - n) * length).toISOString())
    .map((at) => at.slice(0, first.length === 10 ? 10 : undefined))
}

const nextDay = (day: string) => new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10)

const refusal = (field: string, message: string) => invalidRequest({ in: 'query', field, message })

/** How much more than before, as a share: 0.25 is a quarter more. Null where there is nothing to compare with. */
export const changeOf = (value: number, before: number | undefined): number | null =>
  before === undefined || before === 0 ? null : Math.round(((value - before) / before) * 10_000) / 10_000
