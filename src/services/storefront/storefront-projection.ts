/** Keeps what a shop page shows of each product, and the stock of its SKUs. */
import { texts } from '../../engine/columns.ts'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Product } from '../catalog/events.ts'
import type { Stock } from '../inventory/events.ts'

export function storefrontProjection(): Projection {
  return projection({
    name: 'storefront',
    on: ['product.*', 'stock.updated', 'stock.reserved', 'stock.released', 'stock.out', 'stock.back'],
    async apply(changes, tx) {
      const products = changes.filter((change) => change.type.startsWith('product.'))
      const stock = changes.filter((change) => change.type.startsWith('stock.'))
      await Promise.all([products.length > 0 && saveProducts(products, tx), stock.length > 0 && saveStock(stock, tx)])
    },
    async reset(tx) {
      await tx`truncate storefront.products, storefront.stock`
    },
  })
}

function saveProducts(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ change, product: change.data.product as Product }))
  return tx`
    insert into storefront.products as p (product_id, version, live, view)
    select product_id, version, live, view::json
      from unnest(${rows.map((r) => r.product.id)}::text[], ${rows.map((r) => r.change.version)}::bigint[],
                  ${rows.map((r) => r.product.status === 'active' && r.change.type !== 'product.deleted')}::boolean[],
                  string_to_array(${texts(rows.map((r) => JSON.stringify(viewOf(r.product))))}, chr(30))) as u (product_id, version, live, view)
    on conflict (product_id) do update set version = excluded.version, live = excluded.live, view = excluded.view
    where excluded.version > p.version`
}

/** What is public of a product: all but its state and its dates. */
function viewOf({ status, createdAt, updatedAt, ...shown }: Product) {
  return shown
}

/** Kept for itself: a stock's event may be here before its product's. */
function saveStock(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ stock: change.data.stock as Stock, version: change.version }))
  return tx`
    insert into storefront.stock as s (sku, product_id, version, available)
    select * from unnest(
      ${rows.map((r) => r.stock.sku)}::text[],  ${rows.map((r) => r.stock.productId)}::text[],
      ${rows.map((r) => r.version)}::bigint[],  ${rows.map((r) => (r.stock.active ? r.stock.available : 0))}::bigint[])
    on conflict (sku) do update set product_id = excluded.product_id, version = excluded.version, available = excluded.available
    where excluded.version > s.version`
}
