/** What analytics answers: sales, events, reservations, orders, customers, latencies, each over a range of time. */
import type { Database } from '../../engine/database.ts'
import { emptyLine, type Line, readLines, readTotals, topItems } from './counts.ts'
import type { Range } from './range.ts'

export type Group = 'product' | 'category' | 'vendor'

export interface Money extends Line {
  currency: string
}

export interface Sales {
  /** What it is about; null for what has none: no vendor, no category, a product nobody knows. */
  item: string | null
  /** Of a product. */
  title?: string
  orders: Line
  units: Line
  returnedUnits: Line
  revenue: Money[]
  refunds: Money[]
}

const salesMeasures = ['orders', 'units', 'returned units', 'revenue %', 'returned revenue %']

/** The items that sold the most units; `more` says whether there are others. Without a group everything is one. */
export async function salesReport(db: Database, range: Range, group: Group | undefined, limit: number) {
  const dimension = group ?? 'all'
  const top = group ? await topItems(db, range, 'units', group, limit) : ['']
  const items = top.slice(0, limit)
  const [lines, titles] = await Promise.all([
    readLines(db, range, { measures: salesMeasures, dimension, items }),
    group === 'product' ? titlesOf(db, items) : undefined,
  ])
  const series = items.map((item): Sales => {
    const of = lines.get(item) ?? new Map<string, Line>()
    const line = (measure: string) => of.get(measure) ?? emptyLine(range)
    const title = titles?.get(item)
    return {
      item: group && item !== '' ? item : null,
      ...(title !== undefined && { title }),
      orders: line('orders'),
      units: line('units'),
      returnedUnits: line('returned units'),
      revenue: moneyOf(of, 'revenue '),
      refunds: moneyOf(of, 'returned revenue '),
    }
  })
  return { group: group ?? null, series, more: top.length > limit }
}

const moneyOf = (lines: Map<string, Line>, prefix: string): Money[] =>
  [...lines]
    .filter(([measure]) => measure.startsWith(prefix))
    .map(([measure, line]) => ({ currency: measure.slice(prefix.length), ...line }))
    .sort((a, b) => (a.currency < b.currency ? -1 : 1))

export async function titlesOf(db: Database, ids: string[]): Promise<Map<string, string>> {
  const rows = await db<{ id: string; title: string }>`
    select product_id as id, title from analytics.products where product_id = any(${ids}::text[])`
  return new Map(rows.map(({ id, title }) => [id, title]))
}

export type Counted = Line & { item: string }

/** One line an item, the largest first. */
async function ranked(db: Database, range: Range, measure: string, dimension: string): Promise<Counted[]> {
  const lines = await readLines(db, range, { measures: [measure], dimension })
  return [...lines]
    .map(([item, of]) => ({ item, ...(of.get(measure) ?? emptyLine(range)) }))
    .sort((a, b) => b.total - a.total || (a.item < b.item ? -1 : 1))
}

export async function eventsReport(db: Database, range: Range) {
  const [series, unreadable] = await Promise.all([
    ranked(db, range, 'events', 'type'),
    ranked(db, range, 'unreadable events', 'type'),
  ])
  return { series, unreadable }
}

/** Lines and units by what became of them: reserved, confirmed, released, expired. */
export async function reservationsReport(db: Database, range: Range) {
  const lines = await readLines(db, range, { measures: ['reservation %', 'refused units'], dimension: 'outcome' })
  const refused = await readLines(db, range, { measures: ['refused units'], dimension: 'all' })
  const outcomes = ['reserved', 'confirmed', 'released', 'expired'] as const
  return {
    series: outcomes.map((outcome) => ({
      outcome,
      lines: lines.get(outcome)?.get('reservation lines') ?? emptyLine(range),
      units: lines.get(outcome)?.get('reservation units') ?? emptyLine(range),
    })),
    /** Units that orders asked for in vain. */
    refusedUnits: refused.get('')?.get('refused units') ?? emptyLine(range),
  }
}

/** How many orders are in each status now, and how many came to be in it. */
export async function ordersReport(db: Database, range: Range) {
  const [now, series] = await Promise.all([
    readTotals(db, { measures: ['orders now'], dimension: 'status' }),
    ranked(db, range, 'orders reached', 'status'),
  ])
  const counts = [...now].map(([status, of]) => [status, of.get('orders now') ?? 0] as const).filter(([, n]) => n !== 0)
  return { now: Object.fromEntries(counts.sort(([a], [b]) => (a < b ? -1 : 1))), series }
}

/** How many customers there are and what they agreed to now, and what happened to their records. */
export async function customersReport(db: Database, range: Range) {
  const [customers, consents, lines] = await Promise.all([
    readTotals(db, { measures: ['customers'], dimension: 'all' }),
    readTotals(db, { measures: ['consents'], dimension: 'purpose' }),
    readLines(db, range, {
      measures: ['events'],
      dimension: 'type',
      items: ['customer.created', 'customer.updated', 'customer.preferences.updated', 'customer.erased'],
    }),
  ])
  const line = (type: string) => lines.get(type)?.get('events') ?? emptyLine(range)
  return {
    now: customers.get('')?.get('customers') ?? 0,
    consents: Object.fromEntries([...consents].map(([purpose, of]) => [purpose, of.get('consents') ?? 0])),
    created: line('customer.created'),
    updated: line('customer.updated'),
    preferencesUpdated: line('customer.preferences.updated'),
    erased: line('customer.erased'),
  }
}
