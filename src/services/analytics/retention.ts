/** Lets old minutes and hours go: what they add up to is in the days. */
import type { Logger } from 'pino'
import type { Database } from '../../engine/database.ts'
import { pause } from '../../engine/deadline.ts'
import type { AnalyticsSettings } from './settings.ts'

const EVERY_MS = 60_000

/** Until the signal; any number of processes may. */
export async function retainCounts(db: Database, settings: AnalyticsSettings, log: Logger, signal: AbortSignal) {
  while (!signal.aborted) {
    await letGo(db, settings).catch((error) => log.warn({ err: error }, 'old counts stay for now'))
    await pause(EVERY_MS, signal)
  }
}

export async function letGo(db: Database, { minutesKeptHours, hoursKeptDays }: AnalyticsSettings): Promise<void> {
  const minutes = `${minutesKeptHours} hours`
  const hours = `${hoursKeptDays} days`
  await Promise.all([
    db`delete from analytics.minutes where at < clock_timestamp() - ${minutes}::interval`,
    db`delete from analytics.hours where at < clock_timestamp() - ${hours}::interval`,
    db`delete from analytics.closings where grain = 'hour' and at < clock_timestamp() - ${hours}::interval`,
    db`delete from analytics.latencies where grain = 'minute' and at < clock_timestamp() - ${minutes}::interval`,
    db`delete from analytics.latencies where grain = 'hour' and at < clock_timestamp() - ${hours}::interval`,
  ])
}
