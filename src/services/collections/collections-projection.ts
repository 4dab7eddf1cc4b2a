/** Keeps what rules ask about each product, and moves the products that changed to where they now belong. */
import { texts } from '../../engine/columns.ts'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Product } from '../catalog/events.ts'
import type { Stock } from '../inventory/events.ts'
import type { PriceData } from '../pricing/events.ts'
import { folded, type Price } from './condition.ts'
import { type Kept, type KeptFacts, move, movesOf, pricesColumn, Rulebook } from './membership.ts'

export function collectionsProjection(): Projection {
  const rulebook = new Rulebook()
  return projection({
    name: 'collections',
    on: ['product.*', 'price.*', 'stock.updated', 'stock.reserved', 'stock.released', 'stock.out', 'stock.back'],
    async apply(changes, tx) {
      const of = (source: string) => changes.filter((change) => change.type.startsWith(source))
      const [products, prices, stock] = [of('product.'), of('price.'), of('stock.')]
      const [, , written, priced, flipped] = await Promise.all([
        rulebook.read(tx),
        stock.length > 0 && saveStock(stock, tx),
        products.length > 0 ? saveProducts(products, tx) : [],
        prices.length > 0 ? savePrices(prices, tx) : [],
        deriveInStock([...new Set(changes.map((change) => change.key))], tx),
      ])
      const moves = await movesOf(rulebook, concerned(written, [...priced, ...flipped]), tx)
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

/** A product that was written and then came into stock is in both: the last row is true of it, and its facts are known. */
function concerned(written: Kept[], later: Kept[]): Kept[] {
  const products = new Map(written.map((row) => [row.product_id, row]))
  for (const row of later) {
    const facts = products.get(row.product_id)?.facts ?? row.facts
    products.set(row.product_id, { ...row, facts })
  }
  return [...products.values()]
}

async function saveProducts(changes: LoggedEvent[], tx: Sql): Promise<Kept[]> {
  const rows = changes.map((change) => {
    const product = change.data.product as Product
    return { change, product, facts: keptOf(product) }
  })
  const written = await tx<Omit<Kept, 'facts'>>`
    insert into collections.products as p (product_id, version, live, title, created_at, facts, price_min)
    select product_id, version, live, title, created_at, facts::json, price_min
      from unnest(${rows.map((r) => r.product.id)}::text[], ${rows.map((r) => r.change.version)}::bigint[],
                  ${rows.map((r) => r.product.status === 'active' && r.change.type !== 'product.deleted')}::boolean[],
                  ${rows.map((r) => r.product.title)}::text[], ${rows.map((r) => r.product.createdAt)}::timestamptz[],
                  string_to_array(${texts(rows.map((r) => JSON.stringify(r.facts)))}, chr(30)),
                  ${rows.map((r) => lowest(pricesOf(r.product)))}::bigint[]) as u (product_id, version, live, title, created_at, facts, price_min)
    on conflict (product_id) do update set
      version = excluded.version, live = excluded.live, title = excluded.title, created_at = excluded.created_at, facts = excluded.facts,
      price_min = case when p.effective is null then excluded.price_min else p.price_min end
    where excluded.version >= p.version
    returning product_id, live, in_stock, effective`
  const facts = new Map(rows.map((row) => [row.product.id, row.facts]))
  return written.map((row) => ({ ...row, facts: facts.get(row.product_id) as KeptFacts }))
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

/** Prices come behind their product; where that failed, both come again together. */
function savePrices(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map(({ key, version, data }) => {
    const prices = Object.values((data as PriceData).prices).map(({ effective: a, currency: c }) => ({ a, c }))
    return { key, version, prices: prices.length > 0 ? prices : null }
  })
  return tx<Kept>`
    update collections.products p
       set price_version = u.version, effective = nullif(u.prices, 'null')::json, price_min = coalesce(u.price_min, p.price_min)
      from unnest(${rows.map((r) => r.key)}::text[], ${rows.map((r) => r.version)}::bigint[],
                  string_to_array(${pricesColumn(rows.map((r) => r.prices))}, chr(30)),
                  ${rows.map((r) => lowest(r.prices ?? []))}::bigint[]) as u (product_id, version, prices, price_min)
     where p.product_id = u.product_id and u.version >= p.price_version
    returning p.product_id, p.live, p.in_stock, p.facts, p.effective`
}

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
    returning product_id, live, in_stock, facts, effective`
}
