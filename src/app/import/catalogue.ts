/** Takes a catalogue from a file: Shopify's product CSV, JSON or NDJSON in our own shape, any table with a map; or stock alone. */
import {
  columnsByMap,
  columnsByName,
  type FieldMap,
  mustHave,
  orderFields,
  parseMap,
  productFields,
} from './columns.ts'
import { Unreadable } from './csv.ts'
import type { DecimalMark } from './decimal.ts'
import { OwnShapeReader } from './own-shape.ts'
import { type PriceStyle, ProductReader } from './products.ts'
import { type Progress, ProgressMeter } from './progress.ts'
import { type Report, ReportWriter } from './report.ts'
import type { Table } from './rows.ts'
import type { Shop } from './shop.ts'
import { readStockLines } from './stock-lines.ts'
import { openTable } from './table.ts'
import { Taking } from './taking.ts'
import { type Format, formatOf, ImportRefused, inspect } from './text-file.ts'

export interface CatalogueOptions {
  file: string
  /** By the file's first character when absent. */
  format?: Format
  /** `title=Name,sku=Code`, `@map.json`, or the map itself; by well-known names when absent. */
  map?: string | FieldMap
  /**
   * `initial` (the usual): a count is taken for stock that never moved; orders taken since are never forgotten. `set`: on hand becomes
   * what the file says. `ignore`: no stock.
   */
  stock?: 'initial' | 'set' | 'ignore'
  /** Reads, checks and compares everything, changes nothing. */
  dryRun?: boolean
  /** ISO 4217 code of prices that name none; EUR when absent. */
  currency?: string
  /** The file's decimal mark; told by each price itself when absent, and prices with two readings are refused. */
  decimalMark?: DecimalMark
  /** Stock alone: makes a draft product of each SKU that there is none of. */
  createMissing?: boolean
  /** Path for a file with an entry for every record (NDJSON). */
  report?: string
  onProgress?: (progress: Progress) => void
  /** Stops between two records; what was taken stays. */
  signal?: AbortSignal
}

/**
 * Takes the file and reports, with line numbers, what was taken, changed on the way, and refused. The same file again changes nothing.
 * Throws `ImportRefused` when it can't be read at all: no such file, no such column, a map that fits nothing.
 */
export async function importCatalogue(options: CatalogueOptions, shop: Shop): Promise<Report> {
  const currency = currencyCode(options.currency)
  const file = await inspect(options.file)
  const format = options.format ?? formatOf(file)
  const meter = new ProgressMeter(file.bytes, options.onProgress)
  const table = await openTable(file, format, (bytes) => meter.read(bytes))
  const map = typeof options.map === 'string' ? await parseMap(options.map) : options.map
  const ownShape = format !== 'csv' && !map && table.found.includes('variants')
  if (!map) refuseOrders(table.found)
  const columns = map ? columnsByMap(table.found, map, productFields) : columnsByName(table.found, productFields)
  const stockAlone =
    !ownShape && !columns.has('title') && columns.has('stock') && (columns.has('sku') || columns.has('id'))
  if (!ownShape && !stockAlone)
    mustHave(columns, ['title', 'price'], table.found, 'title=Name,sku=Code,price=Price,stock=Qty')

  const head = {
    file: options.file,
    kind: 'catalogue' as const,
    format,
    encoding: file.encoding,
    dryRun: options.dryRun ?? false,
  }
  const report = new ReportWriter({ ...head, kind: stockAlone ? 'stock' : 'catalogue' }, options.report)
  if (!ownShape) report.columns = columns
  if (file.encoding === 'windows-1252') report.note('the file is not UTF-8; it was read as Windows-1252 (Latin-1)')
  if (file.damaged) report.note('some bytes of this UTF-8 file are broken; the rows that have them are refused')

  const taking = new Taking(options, shop, report)
  let stopped: Report['stopped']
  try {
    const drafts = ownShape
      ? ownShapeDrafts(table, meter)
      : stockAlone
        ? readStockLines(table.rows(columns), shop, { createMissing: options.createMissing ?? false, currency }, meter)
        : tableDrafts(table, columns, { currency, mark: options.decimalMark }, meter)
    for await (const piece of drafts) {
      await taking.take(piece)
      meter.tell()
      if (options.signal?.aborted) {
        stopped = { reason: 'interrupted' }
        break
      }
    }
  } catch (error) {
    if (!(error instanceof Unreadable)) stopped = { reason: (error as Error).message }
    else stopped = { line: error.line, reason: error.message }
  }
  await taking.done().catch((error: Error) => {
    stopped ??= { reason: error.message }
  })
  meter.tell(true)
  return report.finish(meter.rows, stopped)
}

/** Order lines have SKUs and quantities as stock has: taken for stock, they would count the shop anew. */
function refuseOrders(found: string[]): void {
  const { order, sku, quantity } = orderFields
  const ids = order.filter((name) => name !== 'name')
  const columns = columnsByName(found, { order: ids, sku, quantity })
  if (columns.size < 3) return
  throw new ImportRefused(
    `these look like order lines (${[...columns.values()].join(', ')}): lockstep import-orders takes them; --map takes them as products or stock all the same`,
  )
}

/** Throws `ImportRefused` for what is no ISO 4217 code. */
export function currencyCode(given = 'EUR'): string {
  if (/^[A-Z]{3}$/.test(given)) return given
  throw new ImportRefused(`"${given}" is no currency; an ISO 4217 code is like EUR`)
}

/** Products of a table's rows. Throws `Unreadable` after those before it. */
export async function* tableDrafts(
  table: Table,
  columns: Map<string, string>,
  prices: PriceStyle,
  meter: Pick<ProgressMeter, 'rows'>,
) {
  const reader = new ProductReader(columns, prices)
  try {
    for await (const rows of table.rows(columns)) {
      meter.rows += rows.length
      yield rows.flatMap((row) => reader.add(row))
    }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    yield reader.abandon('the file can’t be read from within or right after this product')
    throw error
  }
  yield reader.end()
}

/** Products of elements in our own shape. */
export async function* ownShapeDrafts(table: Table, meter: Pick<ProgressMeter, 'rows'>) {
  const reader = new OwnShapeReader()
  for await (const records of table.values?.() ?? []) {
    meter.rows += records.length
    yield records.map((record) => reader.read(record))
  }
}
