/** What mails call what is sold, as the log last told of its product: people read names, not SKUs. */
import type { Sql } from '../../engine/database.ts'
import type { Variant } from '../catalog/events.ts'

interface Sold {
  sku: string
  productId: string | null
}

/** By SKU: `Espresso Beans, Light`, the title and what its variant is chosen by. A product that was never told of has no name. */
export async function namesOf(db: Sql, lines: readonly Sold[]): Promise<Map<string, string>> {
  const ids = [...new Set(lines.flatMap(({ productId }) => productId ?? []))]
  if (ids.length === 0) return new Map()
  const rows = await db<{ id: string; title: string; variants: string }>`
    select asked.id, last.product ->> 'title' as title, (last.product -> 'variants')::text as variants
      from unnest(${ids}::text[]) as asked (id)
     cross join lateral (select data -> 'product' as product from lockstep.events
                          where entity = 'product/' || asked.id order by version desc limit 1) as last`
  const products = new Map(
    rows.map(({ id, title, variants }) => [id, { title, variants: JSON.parse(variants) as Variant[] }]),
  )
  return new Map(
    lines.flatMap(({ sku, productId }): [string, string][] => {
      const product = products.get(productId ?? '')
      if (!product) return []
      const options = product.variants.find((variant) => variant.sku === sku)?.options ?? {}
      return [[sku, [product.title, ...Object.values(options)].join(', ')]]
    }),
  )
}
