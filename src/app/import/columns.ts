/** Which column (or JSON field) of a file means what of a product or an order: given by a map, or by well-known names. */
import { readFile } from 'node:fs/promises'
import { ImportRefused } from './text-file.ts'

/** Field of ours → column of theirs. `attribute.color=Colour` makes an attribute. */
export type FieldMap = Record<string, string>

/** A vocabulary: our fields, each with the names it goes by elsewhere, the likeliest first. */
export type Vocabulary = Record<string, readonly string[]>

/** Shopify's two export formats (2012 and 2025), and what shops and ERPs usually call things. */
export const productFields = {
  handle: ['handle', 'url handle', 'slug'],
  id: ['product id', 'id'],
  title: ['title', 'name', 'product name', 'product title', 'product'],
  description: ['body (html)', 'description', 'body', 'long description'],
  vendor: ['vendor', 'brand', 'manufacturer', 'supplier', 'vendor id'],
  category: ['category', 'categories', 'category name', 'type', 'product type'],
  categoryPath: ['product category', 'google shopping / google product category'],
  tags: ['tags', 'keywords', 'labels'],
  status: ['status'],
  published: ['published', 'published on online store', 'is active', 'enabled'],
  sku: ['variant sku', 'sku', 'code', 'item code', 'article number', 'stock code', 'item number', 'part number'],
  variantTitle: ['variant title'],
  price: ['variant price', 'price', 'unit price', 'regular price', 'selling price'],
  compareAtPrice: ['variant compare at price', 'compare-at price', 'compare at price', 'list price', 'msrp', 'rrp'],
  currency: ['currency', 'currency code', 'price currency'],
  barcode: ['variant barcode', 'barcode', 'ean', 'gtin', 'upc'],
  stock: [
    'variant inventory qty',
    'inventory quantity',
    'stock',
    'quantity',
    'qty',
    'quantity on hand',
    'on hand',
    'inventory',
  ],
  warehouse: ['warehouse id', 'warehouse', 'location', 'location id'],
  option1Name: ['option1 name'],
  option1: ['option1 value'],
  option2Name: ['option2 name'],
  option2: ['option2 value'],
  option3Name: ['option3 name'],
  option3: ['option3 value'],
  image: ['image src', 'product image url', 'images', 'image', 'image url'],
  imageAlt: ['image alt text', 'image alt'],
  imagePosition: ['image position'],
} as const satisfies Vocabulary

export const orderFields = {
  order: ['order id', 'invoice no', 'invoice', 'order number', 'order', 'name'],
  sku: ['sku', 'stock code', 'lineitem sku', 'item code', 'code', 'product id'],
  quantity: ['quantity', 'qty', 'lineitem quantity', 'units'],
  time: ['time', 'invoice date', 'order date', 'created at', 'date', 'timestamp'],
  customer: ['customer id', 'customer', 'email'],
  description: ['description', 'product name', 'lineitem name', 'title'],
  price: ['unit price', 'price', 'lineitem price'],
} as const satisfies Vocabulary

const otherNames: Record<string, string> = {
  product: 'id',
  name: 'title',
  brand: 'vendor',
  type: 'category',
  quantity: 'stock',
  images: 'image',
  invoice: 'order',
  date: 'time',
}

/** Reads `title=Name,sku=Code`, or `@map.json` (an object) for names that contain commas. Throws `ImportRefused`. */
export async function parseMap(text: string): Promise<FieldMap> {
  if (text.startsWith('@')) {
    const path = text.slice(1)
    try {
      const map: unknown = JSON.parse(await readFile(path, 'utf8'))
      if (isFieldMap(map)) return map
    } catch (error) {
      throw new ImportRefused(`cannot read the map ${path}: ${(error as Error).message}`)
    }
    throw new ImportRefused(`the map ${path} must be an object like {"title": "Name", "sku": "Code"}`)
  }
  const pairs = text.split(',').map((pair) => pair.split('='))
  const wrong = pairs.find((pair) => pair.length !== 2 || pair.some((side) => side.trim() === ''))
  if (wrong) throw new ImportRefused(`not a map: "${wrong.join('=')}"; one looks like title=Name,sku=Code,price=Price`)
  return Object.fromEntries(pairs.map(([field = '', column = '']) => [field.trim(), column.trim()]))
}

const isFieldMap = (map: unknown): map is FieldMap =>
  typeof map === 'object' &&
  map !== null &&
  !Array.isArray(map) &&
  Object.values(map).every((column) => typeof column === 'string')

/**
 * The columns that a map names, as the file writes them. Capitals, blanks and the like don't matter. Throws `ImportRefused` for a field
 * that is none of ours and for columns the file hasn't, each with the closest there is.
 */
export function columnsByMap(found: string[], map: FieldMap, vocabulary: Vocabulary): Map<string, string> {
  const fields = Object.keys(vocabulary)
  const columns = new Map<string, string>()
  const wrong: string[] = []
  for (const [given, wanted] of Object.entries(map)) {
    const field = fields.includes(given) ? given : (otherNames[given] ?? given)
    if (!fields.includes(field) && !/^attribute\.[^=]{1,100}$/.test(field)) {
      wrong.push(`"${given}" is no field; ${closest(given, fields)}fields are ${fields.join(', ')} and attribute.NAME`)
      continue
    }
    // A dotted name reaches into nested JSON and is checked there.
    const same = found.includes(wanted) ? [wanted] : found.filter((column) => plain(column) === plain(wanted))
    const nested = same.length === 0 && found.includes(wanted.split('.', 1)[0] ?? '') ? wanted : undefined
    const column = same[0] ?? nested
    if (column === undefined) wrong.push(`there is no column "${wanted}"; ${closest(wanted, found)}`.replace(/; $/, ''))
    else if (found.filter((other) => other === column).length > 1) wrong.push(`there are several columns "${column}"`)
    else columns.set(field, column)
  }
  if (wrong.length > 0) throw new ImportRefused(`${wrong.join('\n')}\ncolumns in this file: ${listed(found)}`)
  return columns
}

/** The columns whose names are well known. Of several for one field the likeliest is taken. */
export function columnsByName(found: string[], vocabulary: Vocabulary): Map<string, string> {
  const columns = new Map<string, string>()
  for (const [field, names] of Object.entries(vocabulary)) {
    const known = names.map(plain)
    const column = known.map((name) => found.find((one) => plain(one) === name)).find((one) => one !== undefined)
    if (column !== undefined) columns.set(field, column)
  }
  return columns
}

/** Throws `ImportRefused`, naming what is there and how to say what it means, when these fields have no column. */
export function mustHave(columns: Map<string, string>, fields: string[], found: string[], example: string): void {
  const missing = fields.filter((field) => !columns.has(field))
  if (missing.length === 0) return
  const hints = missing.map((field) => {
    const near = nearest(field, found)
    return `no column for ${field}${near ? ` (closest: "${near}")` : ''}`
  })
  throw new ImportRefused(
    `${hints.join('\n')}\ncolumns in this file: ${listed(found)}\nsay which is which: --map ${example}`,
  )
}

const plain = (name: string) => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')

const listed = (names: string[]) => names.map((name) => JSON.stringify(name)).join(', ')

function closest(wanted: string, names: readonly string[]): string {
  const near = nearest(wanted, names)
  return near ? `closest: "${near}"; ` : ''
}

/** The name fewest edits away, if it is anything like it. */
function nearest(wanted: string, names: readonly string[]): string | undefined {
  const target = plain(wanted)
  const ranked = names
    .map((name) => ({
      name,
      edits: plain(name).includes(target) && target.length > 2 ? 1 : edits(target, plain(name)),
    }))
    .sort((one, other) => one.edits - other.edits)
  const [best] = ranked
  return best && best.edits <= Math.max(2, target.length / 3) ? best.name : undefined
}

/** Levenshtein's distance. */
function edits(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, n) => n)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const change = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[other.length] ?? 0
}
