/** Keeps what rules ask about each product, and which products each rule takes. */
import { texts } from '../../engine/columns.ts'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Product } from '../catalog/events.ts'
import type { Stock } from '../inventory/events.ts'
import { evaluate, holdRules, type Kept, keptProduct } from './membership.ts'

export function collectionsProjection(): Projection {
  return projection({
    name: 'collections',
    on: ['product.*', 'stock.updated', 'stock.reserved', 'stock.released', 'stock.out', 'stock.back'],
    apply,
    async reset(tx) {
      await tx`truncate collections.products, collections.stock, collections.members`
    },
  })
}

async function apply(changes: LoggedEvent[], tx: Sql): Promise<void> {
  const products = changes.filter((change) => change.type.startsWith('product.'))
  const stock = changes.filter((change) => change.type.startsWith('stock.'))
  const [rules, , written, flipped] = await Promise.all([
    holdRules(tx),
    stock.length > 0 && saveStock(stock, tx),
    products.length > 0 ? saveProducts(products, tx) : [],
    deriveInStock([...new Set(changes.map((change) => change.key))], tx),
  ])
  if (rules.length === 0) return
  // A product that was written and then came into stock is in both, and only the second row is true of it.
  const concerned = new Map([...written, ...flipped].map((row) => [row.product_id, keptProduct(row)]))
  await evaluate(rules, [...concerned.values()], tx)
}

function saveProducts(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ change, product: change.data.product as Product }))
  return tx<Kept>`
    insert into collections.products as p (product_id, version, live, facts)
    select product_id, version, live, facts::json
      from unnest(${rows.map((r) => r.product.id)}::text[], ${rows.map((r) => r.change.version)}::bigint[],
                  ${rows.map((r) => r.product.status === 'active' && r.change.type !== 'product.deleted')}::boolean[],
                  string_to_array(${texts(rows.map((r) => JSON.stringify(factsOf(r.product))))}, chr(30))) as u (product_id, version, live, facts)
    on conflict (product_id) do update set version = excluded.version, live = excluded.live, facts = excluded.facts
    where excluded.version > p.version
    returning product_id, live, in_stock, facts`
}

/** All of `Facts` that the product itself says; `available` there is the vendor's word, stock has its own column. */
const factsOf = (product: Product) => ({
  title: product.title,
  category: product.category,
  vendor: product.vendorId,
  tags: product.tags,
  attributes: product.attributes,
  prices: product.variants.map((variant) => variant.price.amount),
  available: product.isAvailable,
})

/** Kept for itself: a stock's event may be here before its product's. */
function saveStock(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ stock: change.data.stock as Stock, version: change.version }))
  return tx`
    insert into collections.stock as s (sku, product_id, version, available)
    select * from unnest(
      ${rows.map((r) => r.stock.sku)}::text[],  ${rows.map((r) => r.stock.productId)}::text[],
      ${rows.map((r) => r.version)}::bigint[],  ${rows.map((r) => (r.stock.active ? r.stock.available : 0))}::bigint[])
    on conflict (sku) do update set product_id = excluded.product_id, version = excluded.version, available = excluded.available
    where excluded.version > s.version`
}

/** The products that went out of stock or came back; both lookups by index whatever the planner believes of the array's length. */
function deriveInStock(productIds: string[], tx: Sql) {
  return tx<Kept>`
    update collections.products p
       set in_stock = not p.in_stock
     where p.product_id = any(${productIds}::text[])
       and p.in_stock <> coalesce((select true from collections.stock s where s.product_id = p.product_id and s.available > 0 limit 1), false)
    returning product_id, live, in_stock, facts`
}
