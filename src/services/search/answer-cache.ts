/**
 * Answers under the keys of documents B (Cache Invalidation Strategy) and D (Cache Invalidation Strategy), for D's 300 seconds: the same key for
 * the same search whatever the order of its parameters. `tagsOf` and `changedTags` are two sides of one rule: if a change can alter an answer, they share a tag.
 */
import { createHash } from 'node:crypto'
import type { Cache } from '../../engine/cache/cache.ts'
import type { Sql } from '../../engine/database.ts'
import { priceBounds } from './facets.ts'
import type { SearchQuery } from './query.ts'
import { fold, lookupKey } from './words.ts'

/** D, Service Configuration: DEFAULT_TTL. */
export const answerSeconds = 300

type Part = 'page' | 'counts' | 'words' | 'meant' | `facet-${string}`

/** Asks the cache for a part of an answer; `match`: how the question was understood. */
export function cached<Value>(
  cache: Cache,
  part: Part,
  query: Partial<SearchQuery>,
  make: () => Promise<Value>,
  match?: string,
): Promise<Value> {
  const tags = part === 'words' || part === 'meant' ? [textTag] : tagsOf(query)
  return cache.fetch({ key: keyOf(part, query, match), tags }, async () => ({
    value: await make(),
    seconds: answerSeconds,
  }))
}

export function keyOf(part: Part, query: Partial<SearchQuery>, match?: string): string {
  const { q, vendor, category, tag, priceMin, priceMax, available, ...order } = query
  const place = part === 'page' ? order : {}
  const same = {
    part,
    match: match ?? null,
    q: q === undefined ? null : fold(q).replace(/\s+/g, ' ').trim(),
    vendor: vendor === undefined ? null : lookupKey('vendor', vendor),
    category: category === undefined ? null : lookupKey('category', category),
    tag: tag === undefined ? null : [...new Set(tag.map((one) => lookupKey('tag', one)))].sort(),
    priceMin: priceMin ?? null,
    priceMax: priceMax ?? null,
    available: available ?? null,
    sort: place.sort ?? null,
    limit: place.limit ?? null,
    cursor: place.cursor ?? null,
  }
  const hash = createHash('sha1').update(JSON.stringify(same)).digest('base64url')
  return `${prefixOf(query)}${hash}`
}

function prefixOf({ q, vendor, category, tag, priceMin, priceMax, available }: Partial<SearchQuery>): string {
  if (vendor !== undefined) return `vendor:products:${vendor}:`
  if (category !== undefined) return `search:cache:category:${category}:`
  if (priceMin !== undefined || priceMax !== undefined) return `search:cache:price:${priceMin ?? ''}-${priceMax ?? ''}:`
  if (q !== undefined) return 'search:cache:'
  return tag === undefined && available === undefined ? 'products:list:' : 'products:filter:'
}

/** Renewed when products appear, disappear or have other words (D, General Invalidation: creation and deletion). */
const generalTag = 'general'
const textTag = 'text'
const anyTag = 'any'
const bracketTag = (price: number) => `price:${priceBounds.findLast((bound) => bound <= price) ?? 0}`

/** The narrowest thing that every product of the answer has in common; that it was or became such a product is what a change is told by. */
export function tagsOf({ q, vendor, category, priceMin, priceMax }: Partial<SearchQuery>): string[] {
  const words = q === undefined ? [] : [textTag]
  if (vendor !== undefined) return [lookupKey('vendor', vendor), ...words]
  if (category !== undefined) return [lookupKey('category', category), generalTag, ...words]
  if (priceMin !== undefined || priceMax !== undefined)
    return [...bracketTags(priceMin ?? 0, priceMax ?? Number.POSITIVE_INFINITY), generalTag, ...words]
  return [anyTag, ...words]
}

function bracketTags(min: number, max: number): string[] {
  const first = bracketTag(min)
  const inside = priceBounds.filter((bound) => bound > min && bound <= max).map(bracketTag)
  return [first, ...inside]
}

/** What answers are told apart by, of a product. */
export interface Shown {
  product_id: string
  live: boolean
  vendor_id: string | null
  category: string | null
  price_min: number | null
  price_max: number | null
  text_hash: string
}

export const shown = (productIds: string[], tx: Sql) =>
  tx<Shown>`
    select product_id, live, vendor_id, category, price_min, price_max, text_hash::text
      from search.products where product_id = any(${productIds}::text[])`

/** Those of the products that this transaction has written anew. */
export const written = (productIds: string[], tx: Sql) =>
  tx<Shown>`
    select product_id, live, vendor_id, category, price_min, price_max, text_hash::text
      from search.products where product_id = any(${productIds}::text[]) and xmin = pg_current_xact_id()::xid`

/** The tags of all answers that may differ after the change. Of products that are not among the `compared` neither text nor price nor place changed. */
export function changedTags(compared: readonly string[], before: Shown[], after: Shown[]): string[] {
  const comparedIds = new Set(compared)
  const old = new Map(before.map((row) => [row.product_id, row]))
  const tags = new Set<string>()
  for (const row of after) {
    const was = comparedIds.has(row.product_id) ? old.get(row.product_id) : row
    if (!(was?.live || row.live)) continue
    for (const one of [was, row]) if (one?.live) for (const tag of tagsOfRow(one)) tags.add(tag)
    if (was?.live !== row.live) tags.add(generalTag)
    if (was?.live !== row.live || was?.text_hash !== row.text_hash) tags.add(textTag)
  }
  return [...tags]
}

function* tagsOfRow({ vendor_id, category, price_min, price_max }: Shown): Iterable<string> {
  yield anyTag
  if (vendor_id !== null) yield lookupKey('vendor', vendor_id)
  if (category !== null) yield lookupKey('category', category)
  if (price_min !== null && price_max !== null) yield* bracketTags(price_min, price_max)
}
