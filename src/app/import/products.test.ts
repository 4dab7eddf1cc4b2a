import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { columnsByMap, columnsByName, productFields } from './columns.ts'
import { ProductReader } from './products.ts'
import { openTable } from './table.ts'
import { formatOf, inspect } from './text-file.ts'

const directory = await mkdtemp(join(tmpdir(), 'lockstep-products-'))

async function drafts(content: string | Buffer, map?: Record<string, string>, currency = 'EUR') {
  const path = join(directory, 'file')
  await writeFile(path, content)
  const file = await inspect(path)
  const table = await openTable(file, formatOf(file), () => {})
  const columns = map ? columnsByMap(table.found, map, productFields) : columnsByName(table.found, productFields)
  const reader = new ProductReader(columns, { currency })
  const read = []
  for await (const rows of table.rows(columns)) read.push(...rows.flatMap((row) => reader.add(row)))
  return [...read, ...reader.end()].sort((one, other) => one.line - other.line)
}

/** line, kind, column, reason of all problems */
const told = (read: Awaited<ReturnType<typeof drafts>>) =>
  read.flatMap((draft) => draft.problems).map(({ line, kind, column, reason }) => [line, kind, column, reason])

const shopify =
  'Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Inventory Qty,Variant Price,Variant Compare At Price,Variant Barcode,Image Src,Image Position,Image Alt Text,Status'

test('variants and pictures on several rows are one product', async () => {
  const read = await drafts(
    `\ufeff${[
      shopify,
      `tee,Tee,"<p>Soft\r\n""cotton""</p>",Levi's,Shirts,"summer, sale",TRUE,Color,Red,Size,M,'00123,5,19.99,25.00,'4006381333931,https://x.test/2.jpg,2,Back,active`,
      'tee,,,,,,,,Blue,,M,TEE-BM,0,19.99,,,https://x.test/1.jpg,1,Front,',
      'tee,,,,,,,,,,,,,,,,https://x.test/3.jpg,3,,',
    ].join('\r\n')}\r\n`,
  )
  expect(told(read)).toEqual([])
  expect(read).toEqual([
    {
      line: 2,
      problems: [],
      stock: [
        { line: 2, sku: '00123', warehouse: '', quantity: 5 },
        { line: 4, sku: 'TEE-BM', warehouse: '', quantity: 0 },
      ],
      product: {
        id: 'tee',
        title: 'Tee',
        description: '<p>Soft\r\n"cotton"</p>',
        vendorId: "Levi's",
        category: 'Shirts',
        tags: ['summer', 'sale'],
        attributes: {},
        status: 'active',
        media: [
          { url: 'https://x.test/1.jpg', alt: 'Front' },
          { url: 'https://x.test/2.jpg', alt: 'Back' },
          { url: 'https://x.test/3.jpg' },
        ],
        variants: [
          {
            sku: '00123',
            title: 'Red / M',
            options: { Color: 'Red', Size: 'M' },
            barcode: '4006381333931',
            price: { amount: 1999, currency: 'EUR' },
            compareAtPrice: { amount: 2500, currency: 'EUR' },
          },
          {
            sku: 'TEE-BM',
            title: 'Blue / M',
            options: { Color: 'Blue', Size: 'M' },
            price: { amount: 1999, currency: 'EUR' },
          },
        ],
      },
    },
  ])
})

test('every repair and refusal names line, column and reason', async () => {
  const row = (cells: Record<string, string>) =>
    shopify
      .split(',')
      .map((name) => cells[name] ?? '')
      .join(',')
  const one = (handle: string, cells: Record<string, string>) =>
    row({ Handle: handle, Title: handle, 'Variant Price': '1.00', 'Variant SKU': handle, ...cells })
  const read = await drafts(
    [
      shopify,
      one('a', { 'Variant SKU': '', 'Option1 Name': 'Size', 'Option1 Value': 'X L', 'Variant Inventory Qty': '-3' }),
      one('b', { 'Variant SKU': 'a-x-l', 'Variant Barcode': '1.23457E+12' }),
      row({ Handle: 'b', 'Variant SKU': 'B2', 'Variant Price': '2.00' }),
      one('c', { 'Variant Price': '' }),
      one('d', { 'Variant Price': '"1,299"' }),
      one('e', { 'Image Src': 'javascript:alert(1)', 'Variant Inventory Qty': 'plenty' }),
      one('f', { 'Variant SKU': 'F/1' }),
      one('a', { 'Variant SKU': 'other' }),
      one('g', { Status: 'sold' }),
      row({ Vendor: 'nobody' }),
      `${one('h', {})},surplus`,
      one('i', { 'Variant Compare At Price': 'n/a', Published: 'false' }),
    ].join('\n'),
  )
  expect(told(read)).toEqual([
    [2, 'repaired', 'Variant SKU', 'missing: made of handle and options, "a-x-l"'],
    [2, 'repaired', 'Variant Inventory Qty', '-3 on hand: 0 instead'],
    [3, 'refused', 'Variant SKU', '"a-x-l" is the SKU of line 2 already'],
    [5, 'refused', 'Variant Price', 'no price'],
    [
      6,
      'refused',
      'Variant Price',
      '"1,299" has two readings, 1299 and 1.299: write it without grouping, or say --decimal-mark',
    ],
    [7, 'refused', 'Variant Inventory Qty', '"plenty" not a number'],
    [7, 'repaired', 'Image Src', 'left out: "javascript:alert(1)" is no http(s) address'],
    [8, 'repaired', 'Variant SKU', `an SKU can't be "F/1": "F-1" instead`],
    [9, 'refused', 'Handle', 'is the product of line 2; its rows must follow one another'],
    [10, 'refused', 'Status', '"sold" is none of active, draft and archived'],
    [11, 'refused', 'Handle', 'has neither a handle nor a title'],
    [12, 'refused', undefined, 'has 21 cells, the header 20: is there a comma outside quotes?'],
    [13, 'repaired', 'Variant Compare At Price', 'left out: "n/a" not a number'],
  ])
  const taken = read.flatMap(({ product }) => product ?? [])
  expect(taken.map(({ id, variants }) => [id, variants.map(({ sku }) => sku)])).toEqual([
    ['a', ['a-x-l']],
    ['b', ['B2']],
    ['e', ['e']],
    ['f', ['F-1']],
    ['i', ['i']],
  ])
  expect(taken.at(-1)?.status).toBe('draft')
})

test('an address may have commas, a list of them too', async () => {
  const read = await drafts(
    'Title,SKU,Price,Images\nTee,T1,5,"https://x.test/w_4,h_3/a.jpg, https://x.test/b.jpg|/c.jpg"\n',
  )
  expect(read[0]?.product?.media.map(({ url }) => url)).toEqual([
    'https://x.test/w_4,h_3/a.jpg',
    'https://x.test/b.jpg',
    '/c.jpg',
  ])
})

test('a field that only later objects have is known', async () => {
  const read = await drafts('{"title":"A","sku":"A","price":1}\n{"title":"B","sku":"B","price":2.5,"brand":"Lund"}\n', {
    title: 'title',
    sku: 'sku',
    price: 'price',
    vendor: 'brand',
  })
  expect(read.map(({ product }) => [product?.vendorId, product?.variants[0]?.price.amount])).toEqual([
    [null, 100],
    ['Lund', 250],
  ])
})

test('a truncated barcode is left out, and the line says so', async () => {
  const read = await drafts('Title,SKU,Price,Barcode\nTee,T1,5,1.23457E+12\n')
  expect(told(read)).toEqual([[2, 'repaired', 'Barcode', 'left out: 1.23457E+12 was cut short by a spreadsheet']])
  expect(read[0]?.product?.variants[0]).not.toHaveProperty('barcode')
})

test('the last row of a file that was cut off is refused', async () => {
  const read = await drafts('Title,SKU,Price,Stock\nTee,T1,5,1\nMug,M1,7')
  expect(read.map(({ product }) => product?.id)).toEqual(['T1', undefined])
  expect(told(read)).toEqual([[3, 'refused', undefined, 'the file ends in the middle of this row']])
})

test('a row with bytes that are no UTF-8 is refused alone', async () => {
  const bytes = Buffer.concat([
    Buffer.from('Title,SKU,Price\nGröße,T1,5\nCaf'),
    Buffer.from([0xe9]),
    Buffer.from(',T2,5\nMüll,T3,5\n'),
  ])
  const read = await drafts(bytes)
  expect(read.map(({ product }) => product?.title)).toEqual(['Größe', undefined, 'Müll'])
  expect(told(read)[0]?.slice(0, 2)).toEqual([3, 'refused'])
})

test('any table is read through a map, in any currency', async () => {
  const read = await drafts('Naam;Code;Prijs;Kleur\nKop;K1;"1.299,50";rood\n', {
    title: 'Naam',
    sku: 'Code',
    price: 'Prijs',
    'attribute.color': 'Kleur',
  })
  expect(read[0]?.product).toMatchObject({
    id: 'K1',
    title: 'Kop',
    attributes: { color: 'rood' },
    variants: [{ sku: 'K1', price: { amount: 129950, currency: 'EUR' } }],
  })
  const yen = await drafts('Title,SKU,Price\nA,A,"1,299"\nB,B,9.5\n', undefined, 'JPY')
  expect(yen.map(({ product }) => product?.variants[0]?.price.amount)).toEqual([1299, undefined])
})

test('JSON of another shape is read through dotted names and lists', async () => {
  const read = await drafts(
    JSON.stringify([
      {
        id: 1,
        title: 'Mascara',
        price: 9.99,
        stock: 4,
        sku: 'BEA-1',
        brand: 'Essence',
        tags: ['a', 'b'],
        images: ['https://x.test/1.webp'],
        meta: { barcode: '5784719087687' },
      },
    ]),
    {
      id: 'id',
      title: 'title',
      price: 'price',
      stock: 'stock',
      sku: 'sku',
      vendor: 'brand',
      tags: 'tags',
      images: 'images',
      barcode: 'meta.barcode',
    },
  )
  expect(told(read)).toEqual([])
  expect(read[0]).toMatchObject({
    stock: [{ sku: 'BEA-1', quantity: 4 }],
    product: {
      id: '1',
      vendorId: 'Essence',
      tags: ['a', 'b'],
      media: [{ url: 'https://x.test/1.webp' }],
      variants: [{ sku: 'BEA-1', barcode: '5784719087687', price: { amount: 999, currency: 'EUR' } }],
    },
  })
})

test('a product of more variants than a product may have is refused with its limit', async () => {
  const rows = Array.from({ length: 1_200 }, (_, n) => `big,Big,S${n},1`)
  const read = await drafts(['Handle,Title,SKU,Price', ...rows].join('\n'))
  expect(read).toHaveLength(1)
  expect(told(read)).toEqual([[2, 'refused', 'variants', 'must have at most 1000 variants']])
})
