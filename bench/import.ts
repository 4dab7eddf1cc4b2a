/**
 * How fast a catalogue of half a million rows is taken, and in how much memory. Generates the file, takes it twice (the second time nothing
 * changes) and prints one line, or JSON with `--json`. `node bench/import.ts --rows 50000` for less.
 */
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { importCatalogue } from '../src/app/import/catalogue.ts'
import { openEmbeddedPostgres } from '../src/app/postgres.ts'
import { catalogService } from '../src/services/catalog/service.ts'
import { inventoryService } from '../src/services/inventory/service.ts'
import { testEngine } from '../src/testing.ts'

const { values } = parseArgs({ options: { rows: { type: 'string', default: '500000' }, json: { type: 'boolean' } } })
const rows = Number(values.rows)
const directory = await mkdtemp(join(tmpdir(), 'lockstep-bench-import-'))
const file = join(directory, 'products.csv')

/** Two rows a product, as Shopify writes its variants. */
function* lines() {
  yield 'Handle,Title,Body (HTML),Vendor,Type,Tags,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price,Image Src\n'
  const body = `"<p>${'A cup, a bowl and a plate of stoneware. '.repeat(6)}</p>"`
  for (let n = 0; n < rows / 2; n++) {
    yield `cup-${n},Cup ${n},${body},Vendor ${n % 50},Category ${n % 20},"new, table",Size,S,CUP-${n}-S,${n % 100},${5 + (n % 40)}.99,https://cdn.test/${n}.jpg\n`
    yield `cup-${n},,,,,,,L,CUP-${n}-L,${n % 90},${9 + (n % 40)}.99,\n`
  }
}

const postgres = await openEmbeddedPostgres({ directory: join(directory, 'postgres') })
try {
  await pipeline(Readable.from(lines()), createWriteStream(file))
  const { engine, services } = await testEngine(
    postgres.url,
    (to) => [catalogService(to), inventoryService(to)] as const,
  )
  const [catalog, inventory] = services
  const shop = { catalog, inventory, db: engine.db }
  let peak = 0
  const before = process.memoryUsage.rss()
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 50)
  const first = await importCatalogue({ file }, shop)
  const again = await importCatalogue({ file }, shop)
  clearInterval(watch)
  await engine.close()
  const result = {
    bench: 'import',
    rows: first.rows,
    rowsPerSecond: Math.round(first.rows / first.seconds),
    unchangedRowsPerSecond: Math.round(again.rows / again.seconds),
    rssMbBefore: Math.round(before / 2 ** 20),
    rssMbMax: Math.round(peak / 2 ** 20),
    counts: first.counts,
    countsAgain: again.counts,
    ...((first.stopped ?? again.stopped) && { stopped: first.stopped ?? again.stopped }),
  }
  if (values.json) console.log(JSON.stringify(result))
  else {
    console.log(
      `import: ${result.rows} rows, ${result.rowsPerSecond} rows/s; again, unchanged: ${result.unchangedRowsPerSecond} rows/s; RSS at most ${result.rssMbMax} MB (${result.rssMbBefore} before)`,
    )
  }
} finally {
  await postgres.close()
  await rm(directory, { recursive: true, force: true })
}
