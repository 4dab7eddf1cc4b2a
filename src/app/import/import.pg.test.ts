import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingServices } from '../../../test/selling.ts'
import type { OrdersService } from '../../services/orders/service.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { type CatalogueOptions, importCatalogue } from './catalogue.ts'
import { importOrders, type OrdersOptions } from './orders.ts'
import { formatReport } from './report.ts'
import type { SellingShop } from './shop.ts'

let engine: TestEngine
let shop: SellingShop
let orders: OrdersService
const directory = await mkdtemp(join(tmpdir(), 'lockstep-import-'))
let files = 0

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(url, sellingServices)
  engine = made.engine
  const [catalog, inventory, selling] = made.services
  orders = selling
  shop = { catalog, inventory, orders, db: engine.db }
  return () => engine[Symbol.asyncDispose]()
})

async function fileOf(content: string): Promise<string> {
  const path = join(directory, `${++files}`)
  await writeFile(path, content)
  return path
}

const take = async (content: string, options: Partial<CatalogueOptions> = {}) =>
  importCatalogue({ file: await fileOf(content), ...options }, shop)

const replay = async (content: string, options: Partial<OrdersOptions> = {}) =>
  importOrders({ file: await fileOf(content), ...options }, shop)

const position = async () => (await engine.db`select position from lockstep.head`)[0].position as number
const onHand = async (sku: string) =>
  (await engine.db`select warehouse_id, on_hand from inventory.levels where sku = ${sku} order by 1`).map((row) => [
    row.warehouse_id,
    row.on_hand,
  ])

const table = ['Title,SKU,Price,Stock', 'Tee,T1,19.99,5', 'Mug,M1,7,3', 'Cap,C1,free,1', ''].join('\n')

test('the same file again changes nothing: no event', async () => {
  const first = await take(table)
  expect(first.counts).toEqual({ productsCreated: 2, productsRefused: 1, refused: 1, stockSet: 2 })
  expect(first.problems).toEqual([
    { line: 4, column: 'Price', kind: 'refused', what: 'C1', reason: '"free" not a number' },
  ])
  expect(await onHand('T1')).toEqual([['main', 5]])
  const before = await position()
  const again = await take(table)
  expect(again.counts).toEqual({ productsUnchanged: 2, productsRefused: 1, refused: 1, stockUnchanged: 2 })
  expect(await position()).toBe(before)
})

test('a dry run tells the same and changes nothing', async () => {
  const before = await position()
  const report = await take(table.replace('19.99', '21').replace('C1,free', 'C1,5'), { dryRun: true })
  expect(report.counts).toEqual({ productsCreated: 1, productsUpdated: 1, productsUnchanged: 1, stockRead: 3 })
  expect(await position()).toBe(before)
})

test('an SKU of another product is refused, dry or not, and its neighbours are taken', async () => {
  const content = 'ID,Title,SKU,Price\nthief,Thief,T1,1\nhonest,Honest,H1,1\n'
  for (const dryRun of [true, false]) {
    const report = await take(content, { dryRun })
    expect(report.counts).toMatchObject({ productsCreated: 1, productsRefused: 1 })
    expect(report.problems).toMatchObject([
      { line: 2, kind: 'refused', what: 'thief', reason: expect.stringContaining('T1') },
    ])
  }
})

test('stock that was sold from is kept, unless told to set it', async () => {
  await take('Title,SKU,Price,Stock\nPen,P1,1,10\n')
  await replay('order,sku,quantity\nkept-1,P1,4\n')
  const kept = await take('Title,SKU,Price,Stock\nPen,P1,1,10\n')
  expect(kept.counts).toEqual({ productsUnchanged: 1, stockKept: 1 })
  expect(await onHand('P1')).toEqual([['main', 6]])
  const set = await take('Title,SKU,Price,Stock\nPen,P1,1,10\n', { stock: 'set' })
  expect(set.counts).toEqual({ productsUnchanged: 1, stockSet: 1 })
  expect(await onHand('P1')).toEqual([['main', 10]])
})

test('our own shape is taken from JSON and NDJSON alike', async () => {
  const product = (id: string) => ({
    id,
    title: id,
    variants: [{ sku: `${id}-1`, price: { amount: 1999, currency: 'JPY' }, stock: 2 }],
  })
  const json = await take(JSON.stringify([product('j1'), { ...product('j2'), titel: 'typo' }], null, 2))
  expect(json.counts).toEqual({ productsCreated: 1, productsRefused: 1, refused: 1, stockSet: 1 })
  expect(json.problems[0]).toMatchObject({ line: 16, reason: expect.stringContaining('titel') })
  const lines = await take([product('j1'), product('n1'), product('j1')].map((one) => JSON.stringify(one)).join('\n'))
  expect(lines.counts).toEqual({
    productsUnchanged: 1,
    productsCreated: 1,
    productsRefused: 1,
    refused: 1,
    stockUnchanged: 1,
    stockSet: 1,
  })
  expect(lines.problems[0]).toMatchObject({ line: 3, column: 'id', reason: 'is the product of line 1 already' })
})

test('stock alone goes to its warehouses, those that are missing are made and named', async () => {
  await take('Title,SKU,Price\nBox,B1,1\n')
  const content = 'product_id,warehouse_id,quantity_on_hand\nB1,north,7\nB1,south,8\nB2,north,9\n'
  const report = await take(content)
  expect(report.kind).toBe('stock')
  expect(report.counts).toEqual({ warehousesCreated: 2, stockSet: 2, stockRefused: 1, refused: 1 })
  expect(report.notes.sort()).toEqual([
    'there was no warehouse north: created',
    'there was no warehouse south: created',
  ])
  expect(report.problems).toMatchObject([{ line: 4, column: 'product_id', what: 'B2' }])
  expect(await onHand('B1')).toEqual([
    ['north', 7],
    ['south', 8],
  ])
  const made = await take(content, { createMissing: true })
  expect(made.counts).toMatchObject({ productsCreated: 1, stockUnchanged: 2, stockSet: 1 })
})

test('missing columns are told with what there is', async () => {
  await expect(take('Naam,Prise\nx,1\n')).rejects.toThrow(/no column for title[\s\S]*"Naam", "Prise"/)
})

test('what came before an endless quote is taken, the rest is told', async () => {
  const report = await take('Title,SKU,Price\nInk,I1,1\nNib,N1,"1\nNib,N2,1\n')
  expect(report.stopped).toEqual({ line: 3, reason: 'a quote opens in this record and never closes' })
  expect(report.counts).toEqual({ productsCreated: 1 })
})

test('orders are taken once, repeated rows summed, returns and write-offs moved', async () => {
  await take('Title,SKU,Price,Stock\nLamp,L1,1,100\nVase,V1,1,5\n')
  const content = [
    'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID',
    '1,L1,Lamp,6,2010-12-01 08:26:00,2.55,17850',
    '1,V1,Vase,1,2010-12-01 08:26:00,2.55,17850',
    '1,L1,Lamp,4,2010-12-01 08:26:00,2.55,17850',
    'C2,L1,Lamp,-3,2010-12-01 09:26:00,2.55,17850',
    '3,L1,damaged,-2,2010-12-01 09:30:00,0.0,',
    '4,V1,Vase,50,2010-12-01 09:40:00,2.55,17850',
    '5,GONE,Gone,1,2010-12-01 09:50:00,2.55,17850',
    '5,L1,Lamp,1,2010-12-01 09:50:00,2.55,17850',
    '6,L1,Lamp,1.5,2010-12-01 09:55:00,2.55,17850',
    '7,L1,Lamp,0,2010-12-01 09:55:00,2.55,17850',
  ].join('\n')
  const first = await replay(content)
  expect(first.counts).toEqual({
    ordersTaken: 2,
    ordersRejected: 1,
    returnsTaken: 1,
    writeOffsTaken: 1,
    refused: 3,
    rejected: 1,
  })
  expect(first.problems.map(({ line, kind, column }) => [line, kind, column])).toEqual([
    [7, 'rejected', undefined],
    [8, 'refused', 'StockCode'],
    [10, 'refused', 'Quantity'],
    [11, 'refused', 'Quantity'],
  ])
  expect(await onHand('L1')).toEqual([['main', 100 - 10 + 3 - 2 - 1]])
  expect(await onHand('V1')).toEqual([['main', 4]])
  const reasons =
    await engine.db`select reason, trigger, reference from inventory.ledger where sku = 'L1' and reference in ('C2', '3') order by version`
  expect(reasons).toMatchObject([
    { trigger: 'ORDER_RETURNED', reference: 'C2' },
    { trigger: 'ADMIN_UPDATE', reason: 'damaged', reference: '3' },
  ])
  const before = await position()
  const again = await replay(content)
  expect(await position()).toBe(before)
  expect(again.counts).toMatchObject({
    ordersUnchanged: 2,
    ordersRejected: 1,
    returnsUnchanged: 1,
    writeOffsUnchanged: 1,
  })
  expect(await onHand('L1')).toEqual([['main', 90]])
})

test('a file’s orders stand at the prices they were sold at, and what is returned of them is theirs', async () => {
  await take('Title,SKU,Price,Stock\nJug,J1,9,100\nPan,P1,9,100\n')
  const content = [
    'InvoiceNo,StockCode,Quantity,UnitPrice,CustomerID',
    '71,J1,6,2.55,17850',
    '71,J1,4,2.55,17850',
    '71,P1,2,1.00,17850',
    '71,P1,1,1.50,17850',
    '72,J1,1,,',
    'C71,J1,-3,2.55,17850',
    'C72,J1,-5,2.55,17850',
  ].join('\n')
  expect((await replay(content, { currency: 'GBP' })).counts).toEqual({ ordersTaken: 2, returnsTaken: 2 })
  expect(await onHand('J1')).toEqual([['main', 100 - 10 - 1 + 3 + 5]])
  const rows = await engine.db<{ state: string }>`select state from orders.orders where id in ('71', '72') order by id`
  expect(rows.map(({ state }) => JSON.parse(state))).toMatchObject([
    {
      status: 'partly-returned',
      customerId: '17850',
      totals: [{ amount: 2550, currency: 'GBP' }],
      lines: [
        { sku: 'J1', quantity: 10, returned: 3, unitPrice: { amount: 255, currency: 'GBP' } },
        { sku: 'P1', quantity: 3, returned: 0, unitPrice: null },
      ],
    },
    { status: 'confirmed', customerId: null, totals: [], lines: [{ sku: 'J1', returned: 0, unitPrice: null }] },
  ])
  const before = await position()
  expect((await replay(content, { currency: 'GBP' })).counts).toEqual({ ordersUnchanged: 2, returnsUnchanged: 2 })
  expect(await position()).toBe(before)
  expect(await orders.verify(engine.db)).toEqual([])
})

test('orders of old are taken though what they sold is archived by now', async () => {
  await take('Title,SKU,Price,Stock,Status\nOld jug,OLD1,9,5,archived\n')
  await expect(
    orders.execute({ type: 'place', orderId: 'o-1', lines: [{ sku: 'OLD1', quantity: 1, unitPrice: null }] }),
  ).rejects.toMatchObject({ code: 'inactive-sku' })
  expect((await replay('order,sku,quantity,price\no-1,OLD1,2,9\n')).counts).toEqual({ ordersTaken: 1 })
  expect(await onHand('OLD1')).toEqual([['main', 3]])
})

test('an order that was rejected stays so, until it is asked for again', async () => {
  await take('Title,SKU,Price,Stock\nDesk,D1,1,1\n')
  const content = 'order,sku,quantity\nd-1,D1,3\n'
  expect((await replay(content)).problems).toMatchObject([{ reason: 'D1: 3 asked for, 1 available' }])
  await take('Title,SKU,Price,Stock\nDesk,D1,1,9\n', { stock: 'set' })
  expect((await replay(content)).counts).toEqual({ ordersRejected: 1, rejected: 1 })
  expect(await onHand('D1')).toEqual([['main', 9]])
  expect((await replay(content, { retryRejected: true })).counts).toEqual({ ordersTaken: 1 })
  expect((await replay(content, { retryRejected: true })).counts).toEqual({ ordersUnchanged: 1 })
  expect(await onHand('D1')).toEqual([['main', 6]])
})

test('order lines are not taken for stock', async () => {
  await expect(take('InvoiceNo,StockCode,Quantity\n1,L1,2\n')).rejects.toThrow(/look like order lines/)
})

test('products are made of the SKUs that orders name, once', async () => {
  const content = 'order,sku,quantity,description,price\nm1,NEW1,2,New lamp,2.55\nm2,NEW1,1,New lamp,2.55\n'
  const made = await replay(content, { createMissing: true, initialStock: 10 })
  expect(made.counts).toEqual({ productsCreated: 1, ordersTaken: 2 })
  expect(await onHand('NEW1')).toEqual([['main', 7]])
  const again = await replay(content, { createMissing: true, initialStock: 10 })
  expect(again.counts).toEqual({ ordersUnchanged: 2 })
})

test('the full report has every record, the terminal the first problems', async () => {
  const path = join(directory, 'full.ndjson')
  const rows = Array.from({ length: 30 }, (_, n) => `Row ${n},R${n},${n % 3 === 0 ? 'x' : '1'}`)
  const report = await take(['Title,SKU,Price', ...rows].join('\n'), { report: path })
  const entries = (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(entries).toHaveLength(30)
  expect(entries.filter(({ outcome }) => outcome === 'created')).toHaveLength(20)
  const text = formatReport(report)
  expect(text).toContain('20  products created')
  expect(text).toContain(path)
})
