/** What Prometheus reads at /metrics: our own names, document B's (Monitoring), what C, D and E want measured, and the process's. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { type ConsumerState, listConsumers } from '../engine/consumers.ts'
import type { Database } from '../engine/database.ts'
import type { Engine, EngineOptions } from '../engine/engine.ts'
import { matches } from '../engine/event.ts'

export interface Metrics {
  registry: Registry
  /** For the engine's options: called after each commit. */
  applied: NonNullable<EngineOptions['applied']>
  committed: NonNullable<EngineOptions['committed']>
  turnedAway: NonNullable<EngineOptions['turnedAway']>
  /** From here on a scrape asks the database, once for all gauges, and how many readers follow live. */
  follow(engine: Engine, parts?: { liveReaders?: () => number }): void
}

/** A scrape counts products anew at most so often: it reads every level. */
const COUNT_EVERY_MS = 10_000

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const commands = new Counter({
    name: 'lockstep_commands_total',
    help: 'Commands carried out. What several sources carry out together has one name: selling, products.',
    labelNames: ['source'],
    registers,
  })
  const refused = new Counter({
    name: 'lockstep_commands_refused_total',
    help: 'Commands turned away although no rule spoke against them: overload, deadline, lock, shortage (of disk), database, outcome-unknown.',
    labelNames: ['source', 'reason'],
    registers,
  })
  const batches = new Histogram({
    name: 'lockstep_batch_commands',
    help: 'Commands committed together.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000],
    registers,
  })
  const appliedSeconds = new Histogram({
    name: 'lockstep_applied_seconds',
    help: 'From an event’s commit to its application, in seconds; the oldest and the newest of each batch.',
    labelNames: ['consumer'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600],
    registers,
  })
  const handled = new Counter({
    name: 'lockstep_handled_total',
    help: 'Events, or their latest of each entity, that a consumer has applied in this process (E, Event Processing Rate).',
    labelNames: ['consumer'],
    registers,
  })
  return {
    registry,
    committed(source, count) {
      commands.inc({ source }, count)
      if (count > 0) batches.observe(count)
    },
    turnedAway(source, reason) {
      refused.inc({ source, reason })
    },
    applied(consumer, events, at) {
      handled.inc({ consumer }, events.length)
      for (const event of new Set([events[0], events.at(-1)]))
        if (event) appliedSeconds.observe({ consumer }, Math.max(0, at.getTime() - event.at.getTime()) / 1_000)
    },
    follow(engine, { liveReaders } = {}) {
      gauges(registry, engine.db)
      countWaiting(registry, engine)
      if (liveReaders) followLive(registry, liveReaders)
      const failures = new Counter({
        name: 'inventory_update_failures_total',
        help: 'Order lines that asked for more than there was, seen by this process (B).',
        registers,
      })
      engine.observe(['stock.update.failed'], (events) => failures.inc(events.length))
    },
  }
}

function gauges(registry: Registry, db: Database): void {
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [] })
  const lagEvents = gauge('lockstep_consumer_lag_events', 'Events a consumer has yet to look at.', ['consumer'])
  const lagSeconds = gauge('lockstep_consumer_lag_seconds', 'Age of the first of them, in seconds.', ['consumer'])
  const deadLetters = gauge('lockstep_dead_letters', 'Dead letters of a consumer.', ['consumer'])
  const retrying = gauge('lockstep_retrying', 'Failures of a consumer that are being tried again.', ['consumer'])
  const position = gauge('lockstep_log_position', 'Events ever published: its rate is the publishing rate (D).')
  const success = gauge(
    'lockstep_sync_success_ratio',
    'Share of what consumers looked at that did not fail, 0 to 1 (E).',
  )
  const updateLag = gauge(
    'inventory_update_lag_ms',
    'Age of the oldest stock event that a consumer has yet to apply (B).',
  )
  const outOfStock = gauge('out_of_stock_products_total', 'Active products of which nothing is left (B).')
  const dlq = gauge('dlq_message_count', 'Dead letters of all consumers (B).')
  const mails = gauge('lockstep_mails', 'Mails in the outbox by what became of them.', ['state'])
  let counted = { at: Number.NEGATIVE_INFINITY, products: 0, mails: [] as MailCount[] }
  const ask = async () => {
    if (performance.now() - counted.at > COUNT_EVERY_MS)
      counted = { at: performance.now(), products: await outOfStockProducts(db), mails: await mailCounts(db) }
    const consumers = await listConsumers(db)
    for (const { name, ...consumer } of consumers) {
      lagEvents.set({ consumer: name }, consumer.lagEvents)
      lagSeconds.set({ consumer: name }, consumer.lagSeconds)
      deadLetters.set({ consumer: name }, consumer.dead)
      retrying.set({ consumer: name }, consumer.retrying)
    }
    position.set(consumers[0]?.end ?? 0)
    success.set(successOf(consumers))
    const stock = consumers.filter(({ on }) => on.some((pattern) => matches(pattern, 'stock.updated')))
    updateLag.set(Math.max(0, ...stock.map((consumer) => consumer.lagSeconds)) * 1_000)
    outOfStock.set(counted.products)
    mails.reset()
    for (const { state, count } of counted.mails) mails.set({ state }, count)
    dlq.set(consumers.reduce((sum, { dead }) => sum + dead, 0))
  }
  // The first gauge asks for all: prom-client collects them together. Without the database they keep what they said last.
  let asked: Promise<void> | undefined
  for (const each of [
    lagEvents,
    lagSeconds,
    deadLetters,
    retrying,
    position,
    success,
    updateLag,
    outOfStock,
    dlq,
    mails,
  ]) {
    Object.assign(each, {
      collect: () =>
        (asked ??= ask()
          .catch(() => {})
          .finally(() => {
            asked = undefined
          })),
    })
    registry.registerMetric(each)
  }
}

/** E, Synchronization Success Rate: of each consumer's events, those without a failure that stands. */
export function successOf(consumers: readonly Pick<ConsumerState, 'position' | 'retrying' | 'dead'>[]): number {
  const looked = consumers.reduce((sum, { position }) => sum + position, 0)
  const failed = consumers.reduce((sum, { retrying, dead }) => sum + retrying + dead, 0)
  return looked === 0 ? 1 : Math.max(0, 1 - failed / looked)
}

function followLive(registry: Registry, readers: () => number): void {
  new Gauge({
    name: 'lockstep_live_readers',
    help: 'Who follows the storefront live in this process.',
    registers: [registry],
    collect() {
      this.set(readers())
    },
  })
}

function countWaiting(registry: Registry, engine: Engine): void {
  new Gauge({
    name: 'lockstep_commands_waiting',
    help: 'Commands of a source that wait for a batch in this process.',
    labelNames: ['source'],
    registers: [registry],
    collect() {
      for (const [source, count] of engine.commandsWaiting) this.set({ source }, count)
    },
  })
}

interface MailCount {
  state: string
  count: number
}

const mailCounts = (db: Database) =>
  db<MailCount>`select state, count(*)::int as count from notifications.mails group by state`

async function outOfStockProducts(db: Database): Promise<number> {
  const [row] = await db<{ count: number }>`
    select count(*)::int as count
    from   (select   s.product_id
            from     inventory.stock s
            left     join inventory.levels l using (sku)
            where    s.active
            group by s.product_id
            having   coalesce(sum(greatest(l.on_hand - l.backordered - l.reserved - l.safety_stock + l.backorder, 0)), 0) <= 0) as gone`
  return row?.count ?? 0
}
