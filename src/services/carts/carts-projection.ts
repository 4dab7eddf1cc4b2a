/**
 * Keeps each SKU as it can be bought, in one row, so that a change costs the same in one cart as in 100,000. Carts read that row; those that have to be told
 * are told by the teller afterwards, and until it is done the sync status is pending.
 */
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { beginWork } from '../../engine/unfinished.ts'
import type { Product } from '../catalog/events.ts'
import type { Stock } from '../inventory/events.ts'
import type { PriceData } from '../pricing/events.ts'
import type { Cart } from './events.ts'

export const consumer = 'carts'

export function cartsProjection(): Projection {
  return projection({
    name: consumer,
    on: [
      'product.*',
      'price.*',
      'stock.updated',
      'stock.reserved',
      'stock.released',
      'stock.out',
      'stock.back',
      'cart.checkout.failed',
    ],
    async apply(changes, tx) {
      const of = (source: string) => changes.filter((change) => change.type.startsWith(source))
      const [products, prices, stock, back] = [of('product.'), of('price.'), of('stock.'), of('cart.')]
      await Promise.all([
        products.length > 0 && saveProducts(products, tx),
        prices.length > 0 && savePrices(prices, tx),
        stock.length > 0 && saveStock(stock, tx),
      ])
      const changed = [...products, ...prices, ...stock].map(({ key, position }): [string, number] => [key, position])
      await askToTell(new Map([...(await goodsIn(back, tx)), ...changed]), tx)
    },
    async reset(tx) {
      await tx`truncate carts.goods, carts.tellings`
    },
  })
}

/** Of several that name one SKU the last one counts, but one that sells it before one that does not. */
function oncePerSku<Row extends { sku: string; live?: boolean }>(rows: Row[]): Row[] {
  const bySku = new Map<string, Row>()
  for (const row of rows) if (row.live !== false || !bySku.get(row.sku)?.live) bySku.set(row.sku, row)
  return [...bySku.values()]
}

/** A SKU that its product has no more is sold no more, unless another product has it by now. */
async function saveProducts(changes: LoggedEvent[], tx: Sql) {
  const products = changes.map(({ type, version, data }) => {
    const product = data.product as Product
    return { product, version, live: product.status === 'active' && type !== 'product.deleted' }
  })
  const all = products.flatMap(({ product, version, live }) =>
    product.variants.map(({ sku, price }) => ({ sku, productId: product.id, version, live, ...price })),
  )
  const rows = oncePerSku(all)
  const given = tx`
    update carts.goods g
    set    live = false, product_version = p.version
    from   unnest(${products.map(({ product }) => product.id)}::text[], ${products.map(({ version }) => version)}::bigint[]) as p (id, version)
    where  g.product_id = p.id and g.product_version < p.version
    and    not exists (select from unnest(${rows.map((row) => row.sku)}::text[], ${rows.map((row) => row.productId)}::text[]) as s (sku, product_id)
                       where s.sku = g.sku and s.product_id = g.product_id)`
  const taken = tx`
    insert into carts.goods as g (sku, product_id, product_version, live, amount, currency)
    select *
    from   unnest(${rows.map((row) => row.sku)}::text[], ${rows.map((row) => row.productId)}::text[],
                  ${rows.map((row) => row.version)}::bigint[], ${rows.map((row) => row.live)}::boolean[],
                  ${rows.map((row) => row.amount)}::bigint[], ${rows.map((row) => row.currency)}::text[])
    on conflict (sku) do update
    set    product_id      = excluded.product_id,
           product_version = excluded.product_version,
           live            = excluded.live,
           amount          = case when g.price_version = 0 then excluded.amount else g.amount end,
           currency        = case when g.price_version = 0 then excluded.currency else g.currency end
    where  g.product_id = excluded.product_id and excluded.product_version > g.product_version
    or     g.product_id <> excluded.product_id and (excluded.live or not g.live)`
  await Promise.all([given, taken])
}

/** Effective prices count before those of the product. */
function savePrices(changes: LoggedEvent[], tx: Sql) {
  const all = changes.flatMap(({ key, version, data }) =>
    Object.entries((data as PriceData).prices).map(([sku, { effective, currency }]) => {
      return { sku, productId: key, version, amount: effective, currency }
    }),
  )
  const rows = oncePerSku(all)
  return tx`
    insert into carts.goods as g (sku, product_id, price_version, amount, currency)
    select *
    from   unnest(${rows.map((row) => row.sku)}::text[], ${rows.map((row) => row.productId)}::text[],
                  ${rows.map((row) => row.version)}::bigint[], ${rows.map((row) => row.amount)}::bigint[],
                  ${rows.map((row) => row.currency)}::text[])
    on conflict (sku) do update
    set    price_version = excluded.price_version, amount = excluded.amount, currency = excluded.currency
    where  g.product_id <> excluded.product_id or excluded.price_version > g.price_version`
}

function saveStock(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map(({ version, data }) => ({ stock: data.stock as Stock, version }))
  return tx`
    insert into carts.goods as g (sku, product_id, stock_version, available)
    select *
    from   unnest(${rows.map(({ stock }) => stock.sku)}::text[], ${rows.map(({ stock }) => stock.productId)}::text[],
                  ${rows.map(({ version }) => version)}::bigint[],
                  ${rows.map(({ stock }) => (stock.active ? stock.available : 0))}::bigint[])
    on conflict (sku) do update
    set    stock_version = excluded.stock_version, available = excluded.available
    where  excluded.stock_version > g.stock_version`
}

/** The products in carts that were not bought: while they were in checkout nothing was said of their lines. */
async function goodsIn(changes: LoggedEvent[], tx: Sql): Promise<[string, number][]> {
  const lines = changes.flatMap(({ position, data }) => (data.cart as Cart).lines.map(({ sku }) => ({ sku, position })))
  if (lines.length === 0) return []
  const rows = await tx<{ productId: string; position: number }>`
    select g.product_id as "productId", max(l.position) as position
    from   unnest(${lines.map(({ sku }) => sku)}::text[], ${lines.map(({ position }) => position)}::bigint[]) as l (sku, position)
    join   carts.goods g using (sku)
    group  by g.product_id`
  return rows.map(({ productId, position }) => [productId, position])
}

/** Only for products that somebody has in a cart: two look-ups by index each. One that is being told begins anew. */
async function askToTell(positions: ReadonlyMap<string, number>, tx: Sql) {
  if (positions.size === 0) return
  const asked = await tx<{ key: string; position: number }>`
    insert into carts.tellings as t (product_id, position)
    select c.key, c.position
    from   unnest(${[...positions.keys()]}::text[], ${[...positions.values()]}::bigint[]) as c (key, position)
    where  exists (select from carts.goods g where g.product_id = c.key
                   and  exists (select from carts.lines l where l.sku = g.sku))
    on conflict (product_id) do update set position = excluded.position, after_cart = ''
    returning product_id as key, position`
  await beginWork(tx, consumer, asked)
}
