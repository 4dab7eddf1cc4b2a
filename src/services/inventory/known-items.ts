/** What there is of a product that may have been made a moment ago, or have no items: a product nobody stocked is there all the same, with nothing in stock. */
import type { Database } from '../../engine/database.ts'
import { invalidRequest, notFound } from '../../engine/http.ts'
import type { CatalogFollower } from './follow-catalog.ts'
import { type ItemView, itemsOfProduct } from './queries.ts'

export interface KnownItems {
  items: ItemView[]
  /** What the catalog has of it, asked when an active item is lacking; none of a deleted product. */
  skus: string[]
}

/** Catches up with the catalog where a product, or this SKU of it, has no active item. Throws `not-found` for a product that neither knows. */
export async function knownItems(
  db: Database,
  follower: CatalogFollower,
  productId: string,
  sku?: string,
): Promise<KnownItems> {
  const items = await itemsOfProduct(db, productId)
  if (items.some((item) => item.active && (sku === undefined || item.sku === sku))) return { items, skus: [] }
  const skus = await follower.catchUp(productId, db)
  if (skus) return { items: await itemsOfProduct(db, productId), skus }
  if (items.length === 0) throw notFound('product', productId)
  return { items, skus: [] }
}

/** The SKU meant: the one named, or the only one. Items at rest are not counted any more. */
export function chosenSku({ items, skus }: KnownItems, productId: string, sku: string | undefined): string {
  const there = [...new Set([...items.flatMap((item) => (item.active ? [item.sku] : [])), ...skus])]
  const [only, ...others] = there
  if (only === undefined) throw notFound('product', productId)
  if (sku !== undefined) {
    if (there.includes(sku)) return sku
    throw notFound('SKU', sku)
  }
  if (others.length === 0) return only
  const named = there.slice(0, 20).join(', ')
  throw invalidRequest({ in: 'body', field: 'sku', message: `is needed; the product has ${named}` })
}
