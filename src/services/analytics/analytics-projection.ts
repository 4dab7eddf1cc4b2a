/**
 * Counts every event of the log once. A retried key is handed its latest change alone, so it keeps its own place in the log, in
 * the transaction of what it counts, and reads what was left out: no crash, repetition, retry or takeover counts an event twice or never.
 */
import type { Logger } from 'pino'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { readAt } from '../../engine/log.ts'
import { thinnedUpTo } from '../../engine/retention.ts'
import { Additions } from './additions.ts'
import { count } from './count.ts'
import { loadWorld } from './load.ts'
import { measureLatencies, saveAdditions, saveWorld } from './save.ts'
import { type AnalyticsSettings, analyticsDefaults } from './settings.ts'

/** Events counted together at most. */
const CHUNK = 10_000

interface State {
  position: number
  measured: number
  zone: string
  low: number
  out: number
  now: Date
}

export function analyticsProjection(log: Logger, given: Partial<AnalyticsSettings> = {}): Projection {
  const settings = { ...analyticsDefaults, ...given }
  let warned = false
  return projection({
    name: 'analytics',
    on: ['*'],
    every: true,
    async apply(changes, tx) {
      const state = await held(tx, settings)
      if (!warned && isOther(state, settings)) {
        warned = true
        log.warn({ counted: state }, 'analytics counts with its former time zone or thresholds until it is replayed')
      }
      const known = new Map(changes.map((change) => [change.position, change]))
      const last = changes.reduce((end, { position }) => Math.max(end, position), 0)
      while (state.position < last) {
        const upTo = Math.min(last, state.position + CHUNK)
        await countUpTo(upTo, known, state, settings, log, tx)
      }
    },
    async reset(tx) {
      // What is gone from the log could not be counted again.
      const position = await thinnedUpTo(tx)
      if (position > 0)
        throw new Rejected(
          'left-the-log',
          { position: 1, first: position + 1 },
          `events up to position ${position} have left the log: their counts are here alone`,
        )
      await Promise.all([
        tx`truncate analytics.minutes, analytics.hours, analytics.days, analytics.totals, analytics.closings,
                    analytics.products, analytics.stock, analytics.consents`,
        tx`update analytics.state set position = 0, zone = null, low = null, out = null`,
      ])
    },
  })
}

/** Nobody else counts until this transaction is over. */
async function held(tx: Sql, { timeZone, low, out }: AnalyticsSettings): Promise<State> {
  const [state] = await tx<State>`
    update analytics.state
       set zone = coalesce(zone, ${timeZone}), low = coalesce(low, ${low}), out = coalesce(out, ${out})
    returning position, measured, zone, low, out, clock_timestamp() as now`
  if (!state) throw new Error('analytics.state has lost its row')
  return state
}

const isOther = (state: State, settings: AnalyticsSettings) =>
  state.zone !== settings.timeZone || state.low !== settings.low || state.out !== settings.out

async function countUpTo(
  upTo: number,
  known: ReadonlyMap<number, LoggedEvent>,
  state: State,
  settings: AnalyticsSettings,
  log: Logger,
  tx: Sql,
): Promise<void> {
  const events = await eventsBetween(state.position, upTo, known, tx)
  const world = await loadWorld(events, state, tx)
  const additions = new Additions()
  for (const { event, error } of count(events, world, additions))
    log.error(
      { err: error, eventId: event.id, type: event.type },
      'analytics can not read an event, and counts it as such',
    )
  const fresh = events.filter((event) => event.position > state.measured)
  await Promise.all([
    ...saveAdditions(additions, state, settings, tx),
    ...saveWorld(world, state, settings, tx),
    ...(fresh.length > 0 ? [measureLatencies(fresh, state.zone, tx)] : []),
    tx`update analytics.state set position = ${upTo}, measured = greatest(measured, ${upTo})`,
  ])
  state.position = upTo
  state.measured = Math.max(state.measured, upTo)
}

/** All of them in order: those at hand, the others from the log. */
async function eventsBetween(after: number, upTo: number, known: ReadonlyMap<number, LoggedEvent>, tx: Sql) {
  const missing: number[] = []
  const events: LoggedEvent[] = []
  for (let position = after + 1; position <= upTo; position++) {
    const event = known.get(position)
    if (event) events.push(event)
    else missing.push(position)
  }
  if (missing.length === 0) return events
  return [...events, ...(await readAt(tx, missing))].sort((a, b) => a.position - b.position)
}
