/** Keeps one searchable row a product, and the stock and effective prices of its SKUs. */
import { numbers, texts } from '../../engine/columns.ts'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Product } from '../catalog/events.ts'
import type { Stock } from '../inventory/events.ts'
import type { PriceData } from '../pricing/events.ts'
import { changedTags, type Written } from './answer-cache.ts'
import { everything, renewTags } from './generations.ts'
import { wordless, wordsOf } from './product-words.ts'
import { correctable } from './spelling.ts'

// Between the elements of a list that travels as one text: unnest flattens an array of arrays.
const separator = '\u001f'
const joined = (list: string[]) => list.map((one) => one.replaceAll(separator, ' ')).join(separator)

/** `renewed` is told how many tags of cached answers got a new generation. */
export function searchProjection(renewed: (tags: number) => void = () => {}): Projection {
  return projection({
    name: 'search',
    on: ['product.*', 'price.*', 'stock.updated', 'stock.reserved', 'stock.released', 'stock.out', 'stock.back'],
    async apply(changes, tx) {
      const products = changes.filter((change) => change.type.startsWith('product.'))
      const prices = changes.filter((change) => change.type.startsWith('price.'))
      const stock = changes.filter((change) => change.type.startsWith('stock.'))
      // Pipelined: one round trip, executed in this order.
      const written = await Promise.all([
        products.length > 0 ? saveProducts(products, tx) : [],
        prices.length > 0 ? savePrices(prices, tx) : [],
        stock.length > 0 ? saveStock(stock, tx) : [],
      ])
      const tags = changedTags(written.flat())
      await renewTags(tags, tx)
      renewed(tags.length)
    },
    async reset(tx) {
      await tx`truncate search.products, search.prices, search.stock, search.vocabulary`
      await renewTags([everything], tx)
    },
  })
}

async function saveProducts(changes: LoggedEvent[], tx: Sql): Promise<Written[]> {
  const rows = changes.map((change) => searchable(change))
  const words = new Set(rows.flatMap((r) => `${r.heading} ${r.labels}`.split(' ').filter(correctable)))
  const [written] = await Promise.all([saveRows(rows, tx), saveWords([...words].sort(), tx)])
  return written
}

/** In order: the parts of a failed batch write at the same time, and would wait for each other's words in a circle. */
function saveWords(words: string[], tx: Sql) {
  return tx`insert into search.vocabulary (word) select unnest(${words}::text[]) on conflict do nothing`
}

function saveRows(rows: ReturnType<typeof searchable>[], tx: Sql) {
  return tx<Written>`
    insert into search.products as p
      (product_id, version, live, title, category, vendor_id, tags, price_version, price_min, price_max, currency, offered, in_stock,
       image, created_at, text_hash, words, sort_title)
    select c.product_id, c.version, c.live, c.title, c.category, c.vendor_id, string_to_array(c.tags, ${separator}),
           coalesce(e.version, 0), case when e.told then e.price_min else c.price_min end,
           case when e.told then e.price_max else c.price_max end, case when e.told then e.currency else c.currency end,
           c.offered, exists (select from search.stock k where k.product_id = c.product_id and k.available > 0),
           c.image, c.created_at, c.text_hash,
           coalesce((select o.words from search.products o where o.product_id = c.product_id and o.text_hash = c.text_hash),
                    c.vector::tsvector),
           c.heading
      from (select *, hashtextextended(vector, 0) as text_hash
              from unnest(
                ${rows.map((r) => r.productId)}::text[],    ${rows.map((r) => r.version)}::bigint[],
                ${rows.map((r) => r.live)}::boolean[],      ${rows.map((r) => r.title)}::text[],
                ${rows.map((r) => r.category)}::text[],     ${rows.map((r) => r.vendorId)}::text[],
                ${rows.map((r) => r.tags)}::text[],         ${rows.map((r) => r.priceMin)}::bigint[],
                ${rows.map((r) => r.priceMax)}::bigint[],   ${rows.map((r) => r.currency)}::text[],
                ${rows.map((r) => r.offered)}::boolean[],   ${rows.map((r) => r.image)}::text[],
                ${rows.map((r) => r.createdAt)}::timestamptz[],
                ${rows.map((r) => r.heading)}::text[],
                string_to_array(${joined(rows.map((r) => r.vector))}, ${separator})
              ) as u (product_id, version, live, title, category, vendor_id, tags, price_min, price_max, currency, offered, image,
                      created_at, heading, vector)) c
      left join lateral (select true as told, s.version, s.price_min, s.price_max, s.currency
                           from search.prices s
                          where s.product_id = c.product_id
                          limit 1) e on true
    on conflict (product_id) do update set
      version = excluded.version, live = excluded.live, title = excluded.title, category = excluded.category,
      vendor_id = excluded.vendor_id, tags = excluded.tags,
      price_min = case when p.price_version > 0 then p.price_min else excluded.price_min end,
      price_max = case when p.price_version > 0 then p.price_max else excluded.price_max end,
      currency = case when p.price_version > 0 then p.currency else excluded.currency end,
      offered = excluded.offered, in_stock = excluded.in_stock, image = excluded.image, created_at = excluded.created_at,
      text_hash = excluded.text_hash, words = excluded.words, sort_title = excluded.sort_title
    where excluded.version > p.version
    returning new.live, new.vendor_id, new.category, new.price_min, new.price_max, old.live as was_live, old.vendor_id as was_vendor_id,
              old.category as was_category, old.price_min as was_price_min, old.price_max as was_price_max,
              new.text_hash is distinct from old.text_hash as reworded`
}

/** What a product's row is made of. Something deleted or not active keeps its version and loses its words. */
function searchable(change: LoggedEvent) {
  const product = change.data.product as Product
  const live = product.status === 'active' && change.type !== 'product.deleted'
  const currency = product.variants[0]?.price.currency ?? null
  const prices = product.variants.filter((v) => v.price.currency === currency).map((v) => v.price.amount)
  return {
    productId: product.id,
    version: change.version,
    live,
    title: product.title,
    category: product.category,
    vendorId: product.vendorId,
    tags: joined(product.tags),
    priceMin: prices.length > 0 ? Math.min(...prices) : null,
    priceMax: prices.length > 0 ? Math.max(...prices) : null,
    currency,
    offered: product.isAvailable,
    image: product.media[0]?.url ?? null,
    createdAt: product.createdAt,
    ...(live ? wordsOf(product) : wordless),
  }
}

/** In the product's row take the place of list prices; those of a product that is not here yet wait for it. */
async function savePrices(changes: LoggedEvent[], tx: Sql): Promise<Written[]> {
  const rows = changes.map(({ key, version, data }) => {
    const prices = Object.values((data as PriceData).prices)
    const currency = prices[0]?.currency ?? null
    const amounts = prices.filter((price) => price.currency === currency).map((price) => price.effective)
    const [min, max] = amounts.length > 0 ? [Math.min(...amounts), Math.max(...amounts)] : [null, null]
    return { key, version, currency, min, max }
  })
  const written = await tx<Written>`
    update search.products p
       set price_version = u.version, price_min = u.price_min, price_max = u.price_max, currency = u.currency
      from unnest(string_to_array(${texts(rows.map((r) => r.key))}, chr(30)), ${numbers(rows.map((r) => r.version))}::bigint[],
                  ${rows.map((r) => r.min)}::bigint[], ${rows.map((r) => r.max)}::bigint[], ${rows.map((r) => r.currency)}::text[])
             as u (product_id, version, price_min, price_max, currency)
     where p.product_id = u.product_id and u.version > p.price_version
    returning new.live, new.vendor_id, new.category, new.price_min, new.price_max, new.live as was_live, new.vendor_id as was_vendor_id,
              new.category as was_category, old.price_min as was_price_min, old.price_max as was_price_max, false as reworded`
  if (written.length < rows.length)
    await tx`
      insert into search.prices as s (product_id, version, price_min, price_max, currency)
      select *
        from unnest(string_to_array(${texts(rows.map((r) => r.key))}, chr(30)), ${numbers(rows.map((r) => r.version))}::bigint[],
                    ${rows.map((r) => r.min)}::bigint[], ${rows.map((r) => r.max)}::bigint[], ${rows.map((r) => r.currency)}::text[]) as u (id)
       where not exists (select from search.products p where p.product_id = u.id)
      on conflict (product_id) do update
      set version = excluded.version, price_min = excluded.price_min, price_max = excluded.price_max, currency = excluded.currency
      where excluded.version > s.version`
  return written
}

/**
 * Kept for itself: a stock's event may be here before its product's. A product's row is written only when it went out of stock or came back, and
 * looked at only when one of its SKUs did. What the statement itself saved is not in search.stock for its other parts: those SKUs count by `saved`.
 */
function saveStock(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ stock: change.data.stock as Stock, version: change.version }))
  return tx<Written>`
    with saved as (
      insert into search.stock as s (sku, product_id, version, available)
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
    update search.products p
       set in_stock = not p.in_stock
      from turned t
     where p.product_id = t.product_id
       and p.in_stock <> (t.there or exists (select from search.stock s
                                              where s.product_id = t.product_id and s.available > 0 and s.sku not in (select sku from saved)))
    returning p.live, p.vendor_id, p.category, p.price_min, p.price_max, p.live as was_live, p.vendor_id as was_vendor_id,
              p.category as was_category, p.price_min as was_price_min, p.price_max as was_price_max, false as reworded`
}
