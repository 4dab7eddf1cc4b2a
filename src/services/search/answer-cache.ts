/**
 * Answers under the keys of documents B (Cache Invalidation Strategy) and D (Cache Invalidation Strategy), for D's 300 seconds: the same key for
 * the same search whatever the order of its parameters. `tagsOf` and `changedTags` are two sides of one rule: if a change can alter an answer, they share a tag.
 */
import { createHash } from 'node:crypto'
import type { Cache } from '../../engine/cache/cache.ts'
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

/** What answers are told apart by, of a product's row that was written: as it is and as it was, null where it is new. */
export interface Written {
  live: boolean
  vendor_id: string | null
  category: string | null
  price_min: number | null
  price_max: number | null
  was_live: boolean | null
  was_vendor_id: string | null
  was_category: string | null
  was_price_min: number | null
  was_price_max: number | null
  reworded: boolean
}

/** The tags of all answers that may differ after the change. */
export function changedTags(written: readonly Written[]): string[] {
  const tags = new Set<string>()
  for (const row of written) {
    const { live, was_live: wasLive } = row
    if (!(wasLive || live)) continue
    tags.add(anyTag)
    if (wasLive)
      for (const tag of tagsOfRow(row.was_vendor_id, row.was_category, row.was_price_min, row.was_price_max))
        tags.add(tag)
    if (live) for (const tag of tagsOfRow(row.vendor_id, row.category, row.price_min, row.price_max)) tags.add(tag)
    if (wasLive !== live) tags.add(generalTag)
    if (wasLive !== live || row.reworded) tags.add(textTag)
  }
  return [...tags]
}

function* tagsOfRow(
  vendor: string | null,
  category: string | null,
  min: number | null,
  max: number | null,
): Iterable<string> {
  if (vendor !== null) yield lookupKey('vendor', vendor)
  if (category !== null) yield lookupKey('category', category)
  if (min !== null && max !== null) yield* bracketTags(min, max)
}
