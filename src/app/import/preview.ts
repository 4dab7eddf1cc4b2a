/** What an import would do, without doing it: the same comparison as the catalog's own, on what is there now. */
import type { Product } from '../../services/catalog/events.ts'
import { changesBetween, type NormalProduct } from '../../services/catalog/product.ts'
import { ownersOf, type Shop } from './shop.ts'

export type Outcome = 'created' | 'updated' | 'unchanged' | { refused: string }

/** One outcome a product, in their order. */
export async function preview(shop: Pick<Shop, 'db'>, products: NormalProduct[]): Promise<Outcome[]> {
  const ids = products.map(({ id }) => id)
  const [rows, owners] = await Promise.all([
    shop.db<{ id: string; state: string }>`
      select id, state from catalog.products where id = any(${ids}::text[]) and not deleted`,
    ownersOf(
      shop.db,
      products.flatMap(({ variants }) => variants.map(({ sku }) => sku)),
    ),
  ])
  const known = new Map(rows.map((row) => [row.id, row.state]))
  return products.map((product) => {
    for (const { sku } of product.variants) {
      const owner = owners.get(sku) ?? product.id
      if (owner !== product.id)
        return { refused: `the SKU ${JSON.stringify(sku)} belongs to product ${JSON.stringify(owner)}` }
    }
    const state = known.get(product.id)
    if (state === undefined) return 'created'
    const before: Product = JSON.parse(state)
    return changesBetween(before, { ...before, ...product }).length > 0 ? 'updated' : 'unchanged'
  })
}
