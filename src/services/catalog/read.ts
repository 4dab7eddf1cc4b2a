/** What can be read of the catalog. Products come as the JSON text they are kept in, with their version put at its end: nothing is parsed on the way. */
import { texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import { type FieldChange, syncToken } from '../../engine/event.ts'
import { productEntity } from './product.ts'

/** A product's JSON text and the version it is. */
export interface ProductText {
  id: string
  version: number
  product: string
}

/** The answer's JSON: `{ …product, version, syncToken, …more }`. */
export function productJson({ id, version, product }: ProductText, more: object = {}): string {
  const tail = JSON.stringify({ version, syncToken: syncToken(productEntity(id), version), ...more })
  return `${product.slice(0, -1)},${tail.slice(1)}`
}

export async function readProduct(db: Sql, id: string): Promise<ProductText | undefined> {
  const [row] = await db<ProductText>`
    select id, version, state as product from catalog.products where id = ${id} and not deleted`
  return row
}

/** As it was at a version: as it is, when that is the version, else from the log, as long as that keeps it. */
export async function readProductAt(
  db: Sql,
  id: string,
  version: number,
): Promise<(ProductText & { type: string; at: Date }) | undefined> {
  const [row] = await db<ProductText & { type: string; at: Date }>`
    select key as id, version, data -> 'product' as product, type, at
    from   lockstep.events
    where  entity = ${productEntity(id)} and version = ${version}`
  return row
}

/** What a write made: most often the product as it is; if somebody has written since, or a command is repeated, from the log. */
export async function readWritten(db: Sql, id: string, version: number): Promise<ProductText | undefined> {
  const now = await readProduct(db, id)
  return now?.version === version ? now : ((await readProductAt(db, id, version)) ?? now)
}

/** The list of variants as JSON text. */
export async function readVariants(db: Sql, id: string): Promise<string | undefined> {
  const [row] = await db<{ variants: string }>`
    select state -> 'variants' as variants from catalog.products where id = ${id} and not deleted`
  return row?.variants
}

/** The SKUs of each of these products; those that are not there are left out. */
export async function readSkus(db: Sql, ids: string[]): Promise<Map<string, string[]>> {
  const rows = await db<{ id: string; skus: string[] }>`
    select id, array(select variant ->> 'sku' from json_array_elements(state -> 'variants') as variant) as skus
    from   catalog.products
    where  id = any(string_to_array(${texts(ids)}, chr(30))) and not deleted`
  return new Map(rows.map(({ id, skus }) => [id, skus]))
}

/** Of these SKUs, whether their product is for sale: neither a draft nor archived. Nobody's SKUs are not in it: they are inventory's to judge. */
export async function forSale(db: Sql, skus: string[]): Promise<Map<string, boolean>> {
  const rows = await db<{ sku: string; active: boolean }>`
    select s.sku, p.status = 'active' as active
    from   catalog.skus s
    join   catalog.products p on p.id = s.product_id
    where  s.sku = any(string_to_array(${texts(skus)}, chr(30)))`
  return new Map(rows.map(({ sku, active }) => [sku, active]))
}

export interface ProductFilter {
  status?: string | undefined
  vendor?: string | undefined
  category?: string | undefined
}

/** Products in order of their ids, from behind `after`. Only the filters given stand in the statement, so that each finds its index. */
export function listProducts(db: Sql, filter: ProductFilter, after: string | undefined, limit: number) {
  const values: unknown[] = []
  const conditions = Object.entries({
    'status =': filter.status,
    'vendor_id =': filter.vendor,
    'category =': filter.category,
    'id >': after,
  }).flatMap(([condition, value]) => (value === undefined ? [] : [`and ${condition} $${values.push(value)}`]))
  return db.text<ProductText>(
    `select id, version, state as product
     from   catalog.products
     where  not deleted ${conditions.join(' ')}
     order  by id
     limit  $${values.push(limit)}`,
    values,
  )
}

export interface HistoryEntry {
  version: number
  type: string
  at: Date
  correlationId: string | null
  /** Null for what is no update. */
  changes: FieldChange[] | null
}

/** A product's events behind a version, oldest first, with what each changed. */
export async function readHistory(db: Sql, id: string, after: number, limit: number): Promise<HistoryEntry[]> {
  const rows = await db<Omit<HistoryEntry, 'changes'> & { changes: string | null }>`
    select   version, type, at, meta ->> 'correlationId' as "correlationId", data -> 'changes' as changes
    from     lockstep.events
    where    entity = ${productEntity(id)} and version > ${after}
    order by version
    limit    ${limit}`
  return rows.map((row) => ({ ...row, changes: row.changes === null ? null : JSON.parse(row.changes) }))
}
