/** Replays order lines of a file as orders, cancellations as returns, write-offs as adjustments; each once, however often the file comes. */
import { currencyCode } from './catalogue.ts'
import { columnsByMap, columnsByName, type FieldMap, mustHave, orderFields, parseMap } from './columns.ts'
import { Unreadable } from './csv.ts'
import { type FileOrder, OrderReader } from './order-lines.ts'
import { type Progress, ProgressMeter } from './progress.ts'
import { Replay } from './replay.ts'
import { type Report, ReportWriter } from './report.ts'
import type { SellingShop } from './shop.ts'
import { openTable } from './table.ts'
import { formatOf, inspect } from './text-file.ts'

export interface OrdersOptions {
  file: string
  /** `order=InvoiceNo,sku=StockCode,quantity=Quantity,time=InvoiceDate`, `@map.json`, or the map itself. */
  map?: string | FieldMap
  /** Makes products of unknown SKUs, by the file's descriptions and prices. */
  createMissing?: boolean
  /** What products made so have on hand; 1,000 when absent. */
  initialStock?: number
  currency?: string
  /** Tries again what an earlier import of the file was refused. Otherwise an answer once given stands. */
  retryRejected?: boolean
  dryRun?: boolean
  /** Path for a file with an entry for every record (NDJSON). */
  report?: string
  onProgress?: (progress: Progress) => void
  signal?: AbortSignal
}

/**
 * Orders go in the file's order. Too little stock is an answer and no error: such an order counts as rejected. Throws `ImportRefused`
 * when the file or its map can't be read.
 */
export async function importOrders(options: OrdersOptions, shop: SellingShop): Promise<Report> {
  const currency = currencyCode(options.currency)
  const file = await inspect(options.file)
  const format = formatOf(file)
  const meter = new ProgressMeter(file.bytes, options.onProgress)
  const table = await openTable(file, format, (bytes) => meter.read(bytes))
  const map = typeof options.map === 'string' ? await parseMap(options.map) : options.map
  const columns = map ? columnsByMap(table.found, map, orderFields) : columnsByName(table.found, orderFields)
  mustHave(columns, ['order', 'sku', 'quantity'], table.found, 'order=OrderNo,sku=Code,quantity=Qty,time=Date')

  const head = {
    file: options.file,
    kind: 'orders' as const,
    format,
    encoding: file.encoding,
    dryRun: options.dryRun ?? false,
  }
  const report = new ReportWriter(head, options.report)
  report.columns = columns
  const replay = new Replay({ ...options, currency }, shop, report)
  const reader = new OrderReader()
  let stopped: Report['stopped']
  try {
    for await (const rows of table.rows(columns)) {
      meter.rows += rows.length
      await replay.meet(rows)
      const complete: FileOrder[] = []
      for (const row of rows) {
        const problem = reader.add(row, complete)
        if (problem) report.problem(problem)
      }
      for (const order of complete) await replay.carryOut(order)
      meter.tell()
      if (options.signal?.aborted) {
        stopped = { reason: 'interrupted' }
        break
      }
    }
    if (!stopped) for (const order of reader.end()) await replay.carryOut(order)
  } catch (error) {
    if (!(error instanceof Unreadable)) stopped = { reason: (error as Error).message }
    else stopped = { line: error.line, reason: error.message }
  }
  await replay.done().catch((error: Error) => {
    stopped ??= { reason: error.message }
  })
  if (reader.outOfTime) report.note('the file is not in the order of its times; it was replayed as it stands')
  meter.tell(true)
  return report.finish(meter.rows, stopped)
}
