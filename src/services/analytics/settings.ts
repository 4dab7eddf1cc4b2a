/** What can be set of analytics. */
import type { Thresholds } from './world.ts'

export interface AnalyticsSettings extends Thresholds {
  /** Whose days: an IANA name. What is there keeps its zone and thresholds until it is counted anew. */
  timeZone: string
  /** How long minutes and hours are kept; days are kept for good. */
  minutesKeptHours: number
  hoursKeptDays: number
}

/** B, Low-Stock Threshold Logic. */
export const analyticsDefaults: AnalyticsSettings = {
  low: 3,
  out: 0,
  timeZone: 'UTC',
  minutesKeptHours: 48,
  hoursKeptDays: 90,
}

export type Grain = 'minute' | 'hour' | 'day'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
