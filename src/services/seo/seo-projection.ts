/** Keeps each product's address, what its page says, and where old addresses lead; and prices and stock for its offers. */
import { texts } from '../../engine/columns.ts'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { listFailures, retryKey } from '../../engine/failures.ts'
import { KeysFailed } from '../../engine/verdict.ts'
import type { Product } from '../catalog/events.ts'
import type { Stock } from '../inventory/events.ts'
import type { PriceData } from '../pricing/events.ts'
import { contentOf, saveAddresses } from './addresses.ts'
import { slugFrom, slugSource } from './slug.ts'

const name = 'seo'

/**
 * Two products want one address: the failure of the one that came later, until the holder gives it up or it is given another (A §9). The message
 * names the route for that; it has the slug and no other word in quotes, for those who wait for the slug are found by it.
 */
export class SlugConflict extends Error {
  override name = 'SlugConflict'
  constructor(slug: string, conflict?: { holder: string; productId: string }) {
    super(
      conflict
        ? `slug conflict: ${quoted(slug)} belongs to product ${conflict.holder}: choose another slug with PUT ${routeOf(conflict.productId)}`
        : `slug conflict: ${quoted(slug)} is being taken now`,
    )
  }
}
const routeOf = (productId: string) => `/v1/products/${encodeURIComponent(productId)}/slug`
const quoted = (slug: string) => `"${slug}"`

export interface Kept {
  product_id: string
  version: number
  slug: string | null
  made: string | null
  made_of: string | null
  /** Only where a choice asks for it. */
  product: string | null
  content: string | null
}

/** A page as it is to be. */
export interface Page {
  productId: string
  version: number
  slug: string | null
  made: string | null
  madeOf: string | null
  /** Undefined for a deleted one. */
  product: Product | undefined
  /** What the sitemap says of it; null when it does not name it. */
  content: string | null
  at: Date
}

export function seoProjection(): Projection {
  return projection({
    name,
    on: [
      'product.*',
      'seo.updated',
      'price.*',
      'stock.updated',
      'stock.reserved',
      'stock.released',
      'stock.out',
      'stock.back',
    ],
    async apply(changes, tx) {
      const of = (type: string) => changes.filter((change) => change.type.startsWith(type))
      const [products, choices, prices, stock] = [of('product.'), of('seo.'), of('price.'), of('stock.')]
      await Promise.all([
        prices.length > 0 && savePrices(prices, tx),
        stock.length > 0 && saveStock(stock, tx),
        (products.length > 0 || choices.length > 0) && savePages(products, choices, tx),
      ])
    },
    // Addresses are given once and stay: read again, each page finds its own, since what is older than known changes nothing.
    async reset() {},
  })
}

/** Names the products whose slug belongs to another one; the rest of the batch goes through without them. */
async function savePages(products: LoggedEvent[], choices: LoggedEvent[], tx: Sql): Promise<void> {
  const ids = [...new Set([...products, ...choices].map((change) => change.key))]
  const [rows, chosen] = await Promise.all([
    tx<Kept>`
      select product_id, version, slug, made, made_of, content,
             case when product_id = any(${choices.map((change) => change.key)}::text[]) then product end as product
        from seo.pages where product_id = any(${ids}::text[])`,
    tx<{ product_id: string; slug: string }>`
      select product_id, slug from seo.choices where product_id = any(${ids}::text[]) and slug is not null`,
  ])
  const before = new Map(rows.map((row) => [row.product_id, row]))
  const slugs = new Map(chosen.map((row) => [row.product_id, row.slug]))
  const latest = new Map(products.map((change) => [change.key, change]))
  const pages = [...products, ...choices.filter((change) => !latest.has(change.key))].flatMap(
    (change) => pageFor(change, before.get(change.key), slugs.get(change.key)) ?? [],
  )
  const moving = pages.filter((page) => page.slug !== (before.get(page.productId)?.slug ?? null))
  refuseTaken(pages, moving, before, await holdersOf(moving, tx))
  const left = moving.flatMap((page) => {
    const slug = before.get(page.productId)?.slug
    return slug == null ? [] : [{ slug, productId: page.productId }]
  })
  await saveAddresses({ pages, before, moving, left }, tx).catch(namedConflict)
  if (left.length > 0)
    await retryThoseWaitingFor(
      left.map(({ slug }) => slug),
      tx,
    )
}

/** Undefined when there is nothing newer to say. */
function pageFor(change: LoggedEvent, kept: Kept | undefined, chosen: string | undefined): Page | undefined {
  const { key: productId, at } = change
  if (change.type === 'product.deleted') {
    if (change.version < (kept?.version ?? 0)) return undefined
    const { made = null, made_of: madeOf = null } = kept ?? {}
    return { productId, version: change.version, slug: null, made, madeOf, product: undefined, content: null, at }
  }
  const told = change.type === 'seo.updated' ? undefined : (change.data.product as Product)
  // A choice for a product that is deleted or not there yet waits for it in its own table.
  const product = told ?? (kept?.product ? (JSON.parse(kept.product) as Product) : undefined)
  const version = told ? change.version : (kept?.version ?? 0)
  if (!product || version < (kept?.version ?? 0)) return undefined
  const madeOf = slugSource(product)
  const made = kept?.made != null && kept.made_of === madeOf ? kept.made : slugFrom(madeOf)
  const slug = chosen ?? made
  const content = product.status === 'active' ? contentOf(slug, product) : null
  return { productId, version, slug, made, madeOf, product, content, at }
}

const holdersOf = (moving: Page[], tx: Sql) =>
  moving.length === 0
    ? []
    : tx<{ product_id: string; slug: string }>`
        select product_id, slug from seo.pages where slug = any(${moving.flatMap((page) => page.slug ?? [])}::text[])`

/** Who holds a slug and stays comes first, then who comes first in the batch. */
function refuseTaken(
  pages: Page[],
  moving: Page[],
  before: ReadonlyMap<string, Kept>,
  held: { product_id: string; slug: string }[],
) {
  const wanted = new Map(pages.map((page) => [page.productId, page.slug]))
  const holders = new Map<string, string>()
  for (const { slug, product_id } of [...held, ...before.values()])
    if (slug !== null && (!wanted.has(product_id) || wanted.get(product_id) === slug)) holders.set(slug, product_id)
  const refused = new Map<string, Error>()
  for (const { slug, productId } of moving) {
    if (slug === null) continue
    const holder = holders.get(slug) ?? productId
    if (holder !== productId) refused.set(productId, new SlugConflict(slug, { holder, productId }))
    else holders.set(slug, productId)
  }
  if (refused.size > 0) throw new KeysFailed(refused)
}

/** Parts of a failed batch are written at the same time: only the unique constraint sees that two of them want one slug. */
function namedConflict(error: Error & { code?: string; detail?: string }): never {
  const [, slug] = /\(slug\)=\(([^)]*)\)/.exec(error.detail ?? '') ?? []
  if (error.code === '23505' && slug !== undefined) throw new SlugConflict(slug)
  throw error
}

/** Whoever gave up a slug heals those that failed for it: they are tried again at once, however often they were before. */
async function retryThoseWaitingFor(slugs: string[], tx: Sql): Promise<void> {
  const names = slugs.map(quoted)
  for (let before: number | undefined; ; ) {
    const page = await listFailures(tx, { consumer: name, states: ['dead', 'retrying'] }, before, 1_000)
    const waiting = page.filter(
      ({ errorClass, error }) => errorClass === SlugConflict.name && names.some((slug) => error.includes(slug)),
    )
    await Promise.all(waiting.map(({ key }) => retryKey(tx, key, name)))
    before = page.at(-1)?.id
    if (page.length < 1_000) return
  }
}

function savePrices(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map(({ key, version, data }) => ({
    key,
    version,
    prices: Object.entries((data as PriceData).prices).map(([sku, { effective, currency }]) => [
      sku,
      effective,
      currency,
    ]),
  }))
  return tx`
    insert into seo.prices as p (product_id, version, prices)
    select product_id, version, prices::json
      from unnest(${rows.map((r) => r.key)}::text[], ${rows.map((r) => r.version)}::bigint[],
                  string_to_array(${texts(rows.map((r) => JSON.stringify(r.prices)))}, chr(30))) as u (product_id, version, prices)
    on conflict (product_id) do update set version = excluded.version, prices = excluded.prices
    where excluded.version > p.version`
}

/** Kept for itself: a stock's event may be here before its product's. */
function saveStock(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ stock: change.data.stock as Stock, version: change.version }))
  return tx`
    insert into seo.stock as s (sku, product_id, version, available)
    select * from unnest(
      ${rows.map((r) => r.stock.sku)}::text[],  ${rows.map((r) => r.stock.productId)}::text[],
      ${rows.map((r) => r.version)}::bigint[],  ${rows.map((r) => (r.stock.active ? r.stock.available : 0))}::bigint[])
    on conflict (sku) do update set product_id = excluded.product_id, version = excluded.version, available = excluded.available
    where excluded.version > s.version`
}
