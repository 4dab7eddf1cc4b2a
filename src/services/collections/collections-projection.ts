/** Keeps what rules ask about each product, and moves the products that changed to where they now belong. */
import { numbers, texts } from '../../engine/columns.ts'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Product } from '../catalog/events.ts'
import type { Stock } from '../inventory/events.ts'
import type { PriceData } from '../pricing/events.ts'
import { folded, type Price } from './condition.ts'
import { type KeptFacts, move, movesOf, pricesColumn, Rulebook } from './membership.ts'

export function collectionsProjection(): Projection {
  const rulebook = new Rulebook()
  return projection({
    name: 'collections',
    on: ['product.*', 'price.*', 'stock.updated', 'stock.reserved', 'stock.released', 'stock.out', 'stock.back'],
    async apply(changes, tx) {
      const of = (source: string) => changes.filter((change) => change.type.startsWith(source))
      const [products, prices, stock] = [of('product.'), of('price.'), of('stock.')]
      const [, written, priced, flipped] = await Promise.all([
        rulebook.read(tx),
        products.length > 0 ? saveProducts(products, tx) : new Map<string, KeptFacts>(),
        prices.length > 0 ? savePrices(prices, tx) : [],
        stock.length > 0 ? saveStock(stock, tx) : [],
      ])
      const moves = await movesOf(rulebook, { written, priced: idsOf(priced), flipped: idsOf(flipped) }, tx)
      const causes = new Map(changes.map((change) => [change.key, change]))
      await move(moves, tx, (productId) => {
        const cause = causes.get(productId)
        return { causationId: cause?.id, correlationId: cause?.meta.correlationId } as object
      })
    },
    // Where a product is was told: read again, each finds itself where it is, since what is older than known changes nothing.
    async reset() {},
  })
}

const idsOf = (rows: { product_id: string }[]) => rows.map((row) => row.product_id)

/** What rules ask of those that were written. */
async function saveProducts(changes: LoggedEvent[], tx: Sql): Promise<Map<string, KeptFacts>> {
  const rows = changes.map((change) => {
    const product = change.data.product as Product
    return { change, product, facts: keptOf(product) }
  })
  const written = await tx<{ product_id: string }>`
    with u as (
      select *
        from unnest(${rows.map((r) => r.product.id)}::text[], ${rows.map((r) => r.change.version)}::bigint[],
                    ${rows.map((r) => r.product.status === 'active' && r.change.type !== 'product.deleted')}::boolean[],
                    ${rows.map((r) => r.product.title)}::text[], ${rows.map((r) => r.product.createdAt)}::timestamptz[],
                    string_to_array(${texts(rows.map((r) => JSON.stringify(r.facts)))}, chr(30)),
                    ${rows.map((r) => lowest(pricesOf(r.product)))}::bigint[]) as u (product_id, version, live, title, created_at, facts, price_min)),
    written as (
      insert into collections.products as p (product_id, version, live, title, created_at, facts)
      select product_id, version, live, title, created_at, facts::json from u
      on conflict (product_id) do update set
        version = excluded.version, live = excluded.live, title = excluded.title, created_at = excluded.created_at, facts = excluded.facts
      where excluded.version >= p.version
      returning product_id),
    standing as (
      insert into collections.standings as s (product_id, price_min, in_stock)
      select u.product_id, u.price_min, exists (select from collections.stock k where k.product_id = u.product_id and k.available > 0)
        from written join u using (product_id)
      on conflict (product_id) do update set
        price_min = case when s.effective is null then excluded.price_min else s.price_min end, in_stock = excluded.in_stock
      where s.in_stock <> excluded.in_stock or s.effective is null and s.price_min is distinct from excluded.price_min)
    select product_id from written`
  const ids = new Set(idsOf(written))
  return new Map(rows.filter((row) => ids.has(row.product.id)).map((row) => [row.product.id, row.facts]))
}

const keptOf = (product: Product): KeptFacts => ({
  title: [folded(product.title)],
  category: product.category === null ? [] : [folded(product.category)],
  vendor: product.vendorId === null ? [] : [folded(product.vendorId)],
  tag: product.tags.map(folded),
  attribute: Object.fromEntries(Object.entries(product.attributes).map(([name, value]) => [name, folded(value)])),
  price: pricesOf(product),
  created: [Date.parse(product.createdAt)],
  offered: product.isAvailable,
})

const pricesOf = (product: Product): Price[] =>
  product.variants.map(({ price }) => ({ a: price.amount, c: price.currency }))

const lowest = (prices: Price[]) => (prices.length > 0 ? Math.min(...prices.map(({ a }) => a)) : null)

/** A price's event may be here before its product's, as a stock's may. */
function savePrices(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map(({ key, version, data }) => {
    const prices = Object.values((data as PriceData).prices).map(({ effective: a, currency: c }) => ({ a, c }))
    return { key, version, prices: prices.length > 0 ? prices : null }
  })
  return tx<{ product_id: string }>`
    insert into collections.standings as s (product_id, price_version, effective, price_min)
    select product_id, version, nullif(prices, 'null')::json, price_min
      from unnest(string_to_array(${texts(rows.map((r) => r.key))}, chr(30)), ${numbers(rows.map((r) => r.version))}::bigint[],
                  string_to_array(${pricesColumn(rows.map((r) => r.prices))}, chr(30)),
                  ${rows.map((r) => lowest(r.prices ?? []))}::bigint[]) as u (product_id, version, prices, price_min)
    on conflict (product_id) do update set
      price_version = excluded.price_version, effective = excluded.effective, price_min = coalesce(excluded.price_min, s.price_min)
    where excluded.price_version >= s.price_version
    returning product_id`
}

/**
 * Kept for itself: a stock's event may be here before its product's. Answers the products that went out of stock or came back; looked at are only those
 * with a SKU that did. What the statement itself saved is not in collections.stock for its other parts: those SKUs count by `saved`.
 */
function saveStock(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ stock: change.data.stock as Stock, version: change.version }))
  return tx<{ product_id: string }>`
    with saved as (
      insert into collections.stock as s (sku, product_id, version, available)
      select *
        from unnest(string_to_array(${texts(rows.map((r) => r.stock.sku))}, chr(30)),
                    string_to_array(${texts(rows.map((r) => r.stock.productId))}, chr(30)),
                    ${numbers(rows.map((r) => r.version))}::bigint[],
                    ${numbers(rows.map((r) => (r.stock.active ? r.stock.available : 0)))}::bigint[])
      on conflict (sku) do update set product_id = excluded.product_id, version = excluded.version, available = excluded.available
      where excluded.version > s.version
      returning new.sku, new.product_id, new.available > 0 as there, old.product_id as product_was, coalesce(old.available > 0, false) as was_there),
    turned as (
      select product_id, bool_or(there) as there
        from (select product_id, there, there <> (was_there and product_id = product_was) as turned from saved
               union all
              select product_was, false, was_there from saved where product_was <> product_id) each
       group by product_id
      having bool_or(turned))
    update collections.standings p
       set in_stock = not p.in_stock
      from turned t
     where p.product_id = t.product_id
       and p.in_stock <> (t.there or exists (select from collections.stock s
                                              where s.product_id = t.product_id and s.available > 0 and s.sku not in (select sku from saved)))
    returning p.product_id`
}
