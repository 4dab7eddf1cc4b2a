/** A file of stock alone: rows of product or SKU, warehouse and quantity. */
import { type NormalProduct, normalProduct } from '../../services/catalog/product.ts'
import { asIdentifier } from './names.ts'
import type { Draft } from './products.ts'
import type { ProgressMeter } from './progress.ts'
import type { Problem } from './report.ts'
import type { Row } from './rows.ts'
import { ownersOf, type Shop, skusOf } from './shop.ts'
import { readStock } from './variants.ts'

export interface StockLineOptions {
  createMissing: boolean
  currency: string
}

/** One draft a row. A row that names a product stands for that product's only SKU. */
export async function* readStockLines(
  pieces: AsyncGenerator<Row[]>,
  shop: Pick<Shop, 'db'>,
  options: StockLineOptions,
  meter: Pick<ProgressMeter, 'rows'>,
): AsyncGenerator<Draft[]> {
  // A product of the file that there is none of is put once, with its first row.
  const created = new Set<string>()
  for await (const rows of pieces) {
    meter.rows += rows.length
    const named = (field: string) => [
      ...new Set(rows.map((row) => asIdentifier(row.text(field))).filter((name) => name !== '')),
    ]
    const [owners, skus] = await Promise.all([ownersOf(shop.db, named('sku')), skusOf(shop.db, named('id'))])
    yield rows.map((row) => draftOf(row, owners, skus, created, options))
  }
}

function draftOf(
  row: Row,
  owners: Map<string, string>,
  skus: Map<string, string[]>,
  created: Set<string>,
  options: StockLineOptions,
): Draft {
  const { line } = row
  const problems: Problem[] = []
  const [givenSku, givenId] = [asIdentifier(row.text('sku').replace(/^'+/, '')), asIdentifier(row.text('id'))]
  const what = givenSku || givenId
  const refuse = (reason: string, field?: string): Draft => {
    problems.push({ line, ...(field !== undefined && { column: row.column(field) }), kind: 'refused', what, reason })
    return { line, stock: [], problems, refusal: 'stockRefused' }
  }
  if (row.refused !== undefined) return refuse(row.refused)
  if (what === '') return refuse('names neither a product nor an SKU')
  const say = (kind: Problem['kind'], reason: string) =>
    problems.push({ line, column: row.column('stock'), kind, what, reason })
  const quantity = readStock(row, say)
  if (quantity === undefined)
    return problems.length > 0
      ? { line, stock: [], problems, refusal: 'stockRefused' }
      : refuse('has no quantity', 'stock')

  const variants = skus.get(givenId) ?? []
  const sku = givenSku || (variants.length === 0 ? givenId : variants.length === 1 ? (variants[0] ?? '') : '')
  if (sku === '') return refuse(`has ${variants.length} SKUs (${variants.slice(0, 5).join(', ')}): name one`, 'id')
  const productId = owners.get(sku) ?? (variants.length > 0 ? givenId : undefined)
  const warehouse = asIdentifier(row.text('warehouse'))
  const stock = { line, sku, warehouse, quantity }
  if (productId !== undefined) return { line, stock: [{ ...stock, productId }], problems }
  const id = givenId || sku
  if (created.has(id)) return { line, stock: [{ ...stock, productId: id }], problems }
  if (!options.createMissing)
    return refuse('there is no such product; --create-missing makes one of each', givenSku ? 'sku' : 'id')
  created.add(id)
  problems.push({ line, kind: 'repaired', what, reason: 'there was no such product: made a draft of it' })
  return { line, product: draftProduct(id, sku, options.currency), stock: [stock], problems }
}

const draftProduct = (id: string, sku: string, currency: string): NormalProduct =>
  normalProduct({ id, title: `Product ${sku}`, status: 'draft', variants: [{ sku, price: { amount: 0, currency } }] })
