/**
 * A large catalogue, imported by the real program with a heap of 96 MB. PROOF has a file of 50 MB; this one has 20, for it is taken three times within the
 * time that a test has. Each of its letters takes two bytes in memory: if the file, or the products made of it, were kept, there would be no room for them.
 */
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterAll, expect, test } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { createTestDatabase } from '../database.ts'
import { until } from './ownership.ts'
import { runProgram } from './program.ts'

const PRODUCTS = 4_000
const LETTERS = 5_000

const folder = mkdtempSync(join(tmpdir(), 'lockstep-large-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Shopify's columns, quotes within quotes, and a dash that takes two bytes and with it every letter beside it. */
async function catalogue(): Promise<string> {
  const text = 'Bright — and warm, with a ""shade"" of linen. '.repeat(LETTERS / 44)
  function* lines() {
    yield 'Handle,Title,Body (HTML),Variant SKU,Variant Price,Variant Inventory Qty\n'
    for (let n = 0; n < PRODUCTS; n++) yield `lamp-${n},Lamp ${n},"<p>${n} ${text}</p>",L-${n},19.95,${1 + (n % 50)}\n`
  }
  const path = join(folder, 'products.csv')
  await pipeline(Readable.from(lines()), createWriteStream(path))
  return path
}

/** Runs the import to its end, or until it is killed. */
async function take(url: string, file: string, killed?: () => Promise<void>) {
  const options = { settings: { DATABASE_URL: url }, node: ['--max-old-space-size=96'] }
  const { ended, told } = await runProgram(options, ['import', file, '-o', 'json'], killed)
  return { ended, told, counts: JSON.parse(/^\{$.*^\}$/ms.exec(told)?.[0] ?? '{}').counts ?? {} }
}

test('a catalogue that its heap has no room for is taken although the first try is killed, each row once, and the same file again changes nothing', async () => {
  const { url } = await createTestDatabase()
  const db = openDatabase(url)
  const file = await catalogue()
  const taken = async () => {
    const [table] = await db<{ is: boolean }>`select to_regclass('catalog.products') is not null as is`
    const [row] = table?.is ? await db<{ n: number }>`select count(*)::int as n from catalog.products` : []
    return row?.n ?? 0
  }
  const first = await take(url, file, () => until(async () => (await taken()) > 0, 60_000))
  expect(first.ended).toBe('SIGKILL')
  const before = await taken()

  const second = await take(url, file)
  const { productsCreated: created = 0, productsUnchanged: unchanged = 0 } = second.counts
  expect(second.ended, second.told).toBe(0)
  expect(created).toBeGreaterThan(0) // or it had not been killed in time
  expect(unchanged).toBeGreaterThanOrEqual(before)
  expect(created + unchanged).toBe(PRODUCTS)
  const [sums] = await db`
    select (select count(*)::int from catalog.products where version = 1) as products,
           (select sum(on_hand)::int from inventory.levels) as units,
           (select count(*)::int from inventory.ledger) as movements,
           (select count(*)::int from lockstep.events where type = 'product.created') as told,
           (select position from lockstep.head) as position`
  expect(sums).toMatchObject({ products: PRODUCTS, units: (PRODUCTS * 51) / 2, movements: PRODUCTS, told: PRODUCTS })

  const again = await take(url, file)
  expect(again).toMatchObject({ ended: 0, counts: { productsUnchanged: PRODUCTS, stockUnchanged: PRODUCTS } })
  expect([...(await db`select position from lockstep.head`)]).toEqual([{ position: sums.position }])
  await db.close()
}, 180_000)
