/**
 * Stock feeds: units on hand by SKU and warehouse, at the time the feed speaks of. They go in as stocktakes of that time: the ledger knows what was
 * on hand then, so orders taken since are not forgotten, however long the feed lay or waited for a word.
 */
import { Rejected } from '../../../engine/decider.ts'
import type { Data } from '../../../engine/event.ts'
import type { Read } from '../../../services/inventory/locked.ts'
import { type CountState, countIn } from '../../../services/inventory/state.ts'
import { readCount } from '../../../services/inventory/stocktake-store.ts'
import { columnsByMap, columnsByName, mustHave, productFields } from '../../import/columns.ts'
import { FirstSeen } from '../../import/first-seen.ts'
import { asIdentifier } from '../../import/names.ts'
import type { StockLine } from '../../import/products.ts'
import type { Row } from '../../import/rows.ts'
import { defaultWarehouse, patiently } from '../../import/shop.ts'
import { readStockLines } from '../../import/stock-lines.ts'
import { emptied } from './emptied.ts'
import {
  type Change,
  type Comparison,
  emptyPiece,
  type Kind,
  type Refusal,
  refuse,
  type Statement,
  type Work,
} from './kind.ts'

interface Says {
  sku: string
  warehouseId: string
  quantity: number
  productId: string
  /** ISO 8601, UTC; the run's when absent. */
  asOf?: string
}

const { id, handle, sku, stock, warehouse } = productFields
const fields = { id: [...id, ...handle], sku, stock, warehouse, asOf: ['as of', 'counted at', 'timestamp'] }

/** Lines of one command at most. */
const linesMax = 200

export const stockFeed: Kind<Says> = {
  columns(table, { map }) {
    const columns = map ? columnsByMap(table.found, map, fields) : columnsByName(table.found, fields)
    mustHave(columns, ['stock', columns.has('id') ? 'id' : 'sku'], table.found, 'sku=Code,stock=Qty,warehouse=Site')
    return columns
  },

  async *read(table, columns, { shop, feed }) {
    const seen = new FirstSeen()
    const meter = { rows: 0 }
    let rows: Row[] = []
    async function* watched() {
      for await (const some of table.rows(columns as Map<string, string>)) {
        rows = some
        yield some
      }
    }
    const options = { createMissing: false, currency: feed.currency }
    let before = 0
    for await (const drafts of readStockLines(watched(), shop, options, meter)) {
      const piece = emptyPiece<Says>(meter.rows - before)
      before = meter.rows
      // One draft a row, in their order.
      for (const [n, draft] of drafts.entries()) {
        const row = rows[n] as Row
        const [line] = draft.stock
        const [problem] = draft.problems.filter(({ kind }) => kind === 'refused')
        piece.problems.push(...draft.problems.filter(({ kind }) => kind !== 'refused'))
        const says = line
          ? sayingOf(row, line, feed.warehouse, seen)
          : { refused: problem?.reason.replace(/; --create-missing.*$/, '') ?? 'has no quantity' }
        const key = keyOf(row, feed.warehouse, line?.sku)
        if ('refused' in says) refuse(piece, row, key, says)
        else piece.statements.push({ key, line: row.line, says })
      }
      yield piece
    }
  },

  async compare(statements, work) {
    const known = await knownOf(statements, work)
    const groups = Map.groupBy(statements, ({ says }) => countOf(says, work))
    const counts: Read = new Map()
    await Promise.all(
      [...groups].map(([count, some]) =>
        readCount(
          work.shop.db,
          count,
          some.map(({ says }) => says.sku),
          counts,
        ),
      ),
    )
    return statements.map(({ says }) =>
      comparisonOf(says, countIn(counts, says.warehouseId, says.asOf ?? work.asOf), known, work),
    )
  },

  async apply(changes, work) {
    const outcomes = new Map<number, string | undefined>()
    const stocked = new Set(
      (
        await work.shop.db<{ sku: string }>`
          select sku from inventory.stock where sku = any(${changes.map(({ says }) => says.sku)}::text[])`
      ).map((row) => row.sku),
    )
    const groups = Map.groupBy(
      changes.filter(({ says }) => stocked.has(says.sku)),
      ({ says }) => countOf(says, work),
    )
    const parts = [...groups.values()].flatMap((some) =>
      Array.from({ length: Math.ceil(some.length / linesMax) }, (_, n) => some.slice(n * linesMax, (n + 1) * linesMax)),
    )
    await Promise.all([
      ...parts.map((part) => count(part, work, outcomes)),
      ...changes.filter(({ says }) => !stocked.has(says.sku)).map((change) => open(change, work, outcomes)),
    ])
    return changes.map(({ n }) => outcomes.get(n))
  },

  absence: emptied,
}

/** A count as the store names it: its time and its place. */
const countOf = ({ warehouseId, asOf }: Says, work: Work) => `${asOf ?? work.asOf}@${warehouseId}`

/** A line as import reads it, at its place and time. */
function sayingOf(row: Row, line: StockLine, scope: string | null, seen: FirstSeen): Says | Refusal {
  const warehouseId = asIdentifier(row.text('warehouse')) || scope || defaultWarehouse
  const before = seen.at(`${warehouseId}/${line.sku}`, row.line)
  if (before !== undefined) return { refused: `is counted in line ${before} already`, repeated: true }
  if (scope !== null && warehouseId !== scope)
    return { refused: `is in ${warehouseId}, the feed of ${scope}`, field: 'warehouse' }
  const says: Says = { sku: line.sku, warehouseId, quantity: line.quantity, productId: line.productId ?? '' }
  const text = row.text('asOf')
  if (text === '') return says
  const time = withOffset.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time))
    return { refused: `${JSON.stringify(text)} is no time with its offset, like 2026-01-31T08:00:00Z`, field: 'asOf' }
  if (time > Date.now()) return { refused: 'speaks of the future', field: 'asOf' }
  return { ...says, asOf: new Date(time).toISOString() }
}

const withOffset = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)$/

/** What a row is about, whether or not it can be taken; '' when it names nothing. */
function keyOf(row: Row, scope: string | null, sku?: string): string {
  const named = sku ?? (asIdentifier(row.text('sku').replace(/^'+/, '')) || asIdentifier(row.text('id')))
  return named && `${asIdentifier(row.text('warehouse')) || scope || defaultWarehouse}/${named}`
}

interface Known {
  warehouses: Set<string>
  /** Of the SKUs' products, where the feed has a vendor. */
  vendors: Map<string, string | null>
}

async function knownOf(statements: Statement<Says>[], { shop: { db }, feed }: Work): Promise<Known> {
  const [warehouses, vendors] = await Promise.all([
    db<{ id: string }>`select id from inventory.warehouses where active`,
    feed.vendor === null
      ? []
      : db<{ id: string; vendor: string | null }>`
          select id, vendor_id as vendor from catalog.products where id = any(${statements.map(({ says }) => says.productId)}::text[])`,
  ])
  return {
    warehouses: new Set(warehouses.map((row) => row.id)),
    vendors: new Map(vendors.map((row) => [row.id, row.vendor])),
  }
}

function comparisonOf(
  says: Says,
  count: CountState | undefined,
  { warehouses, vendors }: Known,
  { feed }: Work,
): Comparison {
  if (!warehouses.has(says.warehouseId)) return { refused: `there is no warehouse ${says.warehouseId} in use` }
  const vendor = vendors.get(says.productId)
  if (feed.vendor !== null && vendor !== feed.vendor)
    return { refused: `is a SKU of ${vendor ?? 'no vendor'}, the feed of ${feed.vendor}` }
  const then = count?.onHand.get(says.sku)
  if (says.quantity === (then ?? 0)) return 'unchanged'
  if (count?.countedSince.has(says.sku)) return { refused: 'was counted at that time or later already' }
  const changes = [{ field: 'onHand', oldValue: then ?? null, newValue: says.quantity }]
  return { outcome: then === undefined ? 'created' : 'changed', changes }
}

/** One stocktake; lines that can't be are named by its refusal, and the others are tried without them. */
async function count(changes: Change<Says>[], work: Work, outcomes: Map<number, string | undefined>): Promise<void> {
  let left = changes
  for (let attempt = 1; left.length > 0; attempt++) {
    const [first] = left as [Change<Says>]
    try {
      const command = {
        type: 'stocktake' as const,
        stocktakeId: `feed-${work.runId}-${first.n}${attempt > 1 ? `-${attempt}` : ''}`,
        warehouseId: first.says.warehouseId,
        countedAt: first.says.asOf ?? work.asOf,
        lines: left.map(({ says: { sku, quantity } }) => ({ sku, quantity })),
        dryRun: false,
        trigger: 'SCHEDULED_SYNC' as const,
        reason: `feed ${work.feed.name}`,
      }
      const options = work.options(first as Change<never>, attempt)
      await patiently(() => work.shop.inventory.execute(command, options))
      return
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      const named = new Set(((error.detail as Data).lines as { sku: string }[] | undefined)?.map((line) => line.sku))
      const wrong = left.filter(({ says }) => named.size === 0 || named.has(says.sku))
      for (const { n } of wrong) outcomes.set(n, error.message.slice(0, 500))
      left = wrong.length > 0 ? left.filter((change) => !wrong.includes(change)) : []
    }
  }
}

/** Of a SKU that inventory has not heard of yet there is nothing to compare with: a first count. */
async function open(change: Change<Says>, work: Work, outcomes: Map<number, string | undefined>): Promise<void> {
  const { sku, productId, warehouseId, quantity } = change.says
  const command = { type: 'set-initial', sku, productId, warehouseId, quantity, trigger: 'SCHEDULED_SYNC' } as const
  try {
    await patiently(() => work.shop.inventory.execute(command, work.options(change as Change<never>)))
  } catch (error) {
    if (!(error instanceof Rejected)) throw error
    outcomes.set(change.n, error.message)
  }
}
