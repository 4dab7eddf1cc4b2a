/**
 * How fast a catalogue of half a million rows is taken, and in how much memory. Generates the file, takes it twice (the second time nothing
 * changes). `node bench/import.ts 50000` takes fewer.
 */
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { importCatalogue } from '../src/app/import/catalogue.ts'
import { catalogService } from '../src/services/catalog/service.ts'
import { inventoryService } from '../src/services/inventory/service.ts'
import { bench, type Finding, type Server } from './bench.ts'

const ROWS = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 500_000)

/** Two rows a product, as Shopify writes its variants. */
function* lines() {
  yield 'Handle,Title,Body (HTML),Vendor,Type,Tags,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price,Image Src\n'
  const body = `"<p>${'A cup, a bowl and a plate of stoneware. '.repeat(6)}</p>"`
  for (let n = 0; n < ROWS / 2; n++) {
    yield `cup-${n},Cup ${n},${body},Vendor ${n % 50},Category ${n % 20},"new, table",Size,S,CUP-${n}-S,${n % 100},${5 + (n % 40)}.99,https://cdn.test/${n}.jpg\n`
    yield `cup-${n},,,,,,,L,CUP-${n}-L,${n % 90},${9 + (n % 40)}.99,\n`
  }
}

async function imported({ engine: open }: Server): Promise<Finding> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-bench-import-'))
  try {
    const file = join(directory, 'products.csv')
    await pipeline(Readable.from(lines()), createWriteStream(file))
    const engine = open()
    const catalog = catalogService(engine)
    const inventory = inventoryService(engine)
    await engine.install([catalog, inventory])
    const shop = { catalog, inventory, db: engine.db }
    const first = await importCatalogue({ file }, shop)
    const again = await importCatalogue({ file }, shop)
    await engine.close()
    const rate = first.rows / first.seconds
    const unchanged = again.rows / again.seconds
    const per = (value: number) => `${Math.round(value).toLocaleString('en')} rows/s`
    return {
      line: `${first.rows.toLocaleString('en')} rows at ${per(rate)}; again, unchanged, at ${per(unchanged)}`,
      figures: { rows: first.rows, rate, unchanged },
      goals: {
        'every row taken': first.rows === ROWS && first.stopped === undefined,
        'again nothing changes': again.stopped === undefined && again.counts.productsUnchanged === ROWS / 2,
      },
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

await bench(import.meta, 'import', imported)
