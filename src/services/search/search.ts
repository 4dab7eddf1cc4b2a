/** Finds products: an exact SKU first, then an exact title, then words by rank; where no product has the words, what is spelt alike. */
import type { Cache } from '../../engine/cache/cache.ts'
import type { Sql } from '../../engine/database.ts'
import { type Page, pageOf, placeIn } from '../../engine/http.ts'
import { cached } from './answer-cache.ts'
import { Conditions, filtered, without } from './conditions.ts'
import { countsOf, countsOfField, type Facets, facetsOf } from './facets.ts'
import { highlighted } from './highlight.ts'
import { placeSchema, type SearchQuery, sortings } from './query.ts'
import { soughtWords, type Wording } from './question.ts'
import { askedWording, wordingOf } from './wording.ts'

export interface FoundProduct {
  id: string
  title: string
  category: string | null
  vendorId: string | null
  tags: string[]
  /** Minor units over the variants in the first variant's currency; absent without variants. */
  price?: { min: number; max: number; currency: string }
  available: boolean
  image?: string
  /** HTML: what was looked for in <mark>, all else escaped. */
  highlight?: { title: string }
  /** Comparable within one answer only. */
  score: number
}

export interface SearchAnswer extends Page<FoundProduct>, Facets {
  /** For a question in words: whether products have all of them, all of them as they may be meant, or only some. */
  match?: Wording['match']
}

/** A question is taken as it was asked; only where that finds nothing it is asked how else it may be meant. */
export async function search(db: Sql, cache: Cache, given: SearchQuery): Promise<SearchAnswer> {
  const { q, ...others } = given
  if (!q?.trim()) return answer(db, cache, others, undefined)
  const asked = await cached(cache, 'words', { q }, () => askedWording(db, q))
  const direct = await answer(db, cache, given, asked)
  if (direct.total > 0) return direct
  const meant = await cached(cache, 'meant', { q }, () => wordingOf(db, q, asked))
  return meant.match === 'asked' ? direct : answer(db, cache, given, meant)
}

/** Each part is cached for itself: what changes one often leaves the others as they are. */
async function answer(db: Sql, cache: Cache, query: SearchQuery, wording: Wording | undefined): Promise<SearchAnswer> {
  const sort = query.sort === 'relevance' && wording === undefined ? 'newest' : query.sort
  const place = placeIn(query.cursor, placeSchema(sort))
  const match = wording?.match
  const [page, all, ...ofFields] = await Promise.all([
    cached(cache, 'page', query, () => foundPage(db, query, wording, sort, place), match),
    cached(cache, 'counts', query, () => countsOf(db, query, wording), match),
    ...filtered(query).map((field) =>
      cached(cache, `facet-${field}`, without(query, field), () => countsOfField(db, query, wording, field), match),
    ),
  ])
  return { ...page, ...facetsOf(all, ofFields), ...(match && { match }) }
}

async function foundPage(
  db: Sql,
  query: SearchQuery,
  wording: Wording | undefined,
  sort: SearchQuery['sort'],
  place: Place | undefined,
): Promise<Page<FoundProduct>> {
  const rows = await found(db, query, wording, sort, place)
  const { items, next } = pageOf(rows, query.limit, (row) => [sort, row.place, row.product_id])
  const sought = wording && soughtWords(wording)
  return { items: items.map((row) => foundProduct(row, sought)), ...(next === undefined ? {} : { next }) }
}

type Place = [string, string | number, string]

function found(
  db: Sql,
  query: SearchQuery,
  wording: Wording | undefined,
  sort: SearchQuery['sort'],
  place: Place | undefined,
) {
  const conditions = new Conditions().asked(query, wording)
  const { key, type, order } = sortings[sort]
  const score = conditions.score(query, wording)
  const after =
    place === undefined
      ? 'true'
      : `(key ${order === 'asc' ? '>' : '<'} ${conditions.bind(place[1])}::${type} or
          key = ${conditions.bind(place[1])}::${type} and product_id > ${conditions.bind(place[2])})`
  return db.text(
    `select product_id, title, category, vendor_id, tags, price_min, price_max, currency, offered and in_stock as available,
            image, score, key::text as place
       from (select p.*, score, ${key} as key
               from ${candidates(conditions, query, sort === 'relevance' ? wording : undefined)} p,
                    lateral (select ${score} as score) s) found
      where ${after}
      order by key ${order}, product_id
      limit ${conditions.bind(query.limit + 1)}`,
    conditions.values,
  )
}

/** What has a word that half the shop has may well be any of them: so many are ranked, and as many that have the words in their title. */
const rankedMax = 1_000

function candidates(conditions: Conditions, query: SearchQuery, wording: Wording | undefined): string {
  const all = `select * from search.products where ${conditions.sql}`
  if (!wording) return `(${all})`
  const titled = conditions.titled(query, wording)
  return `(with first as materialized (${all} limit ${rankedMax + 1}),
                more as (select count(*) > ${rankedMax} as yes from first)
           select * from first where not (select yes from more) or not ${titled}
            union all
           (${all} and (select yes from more) and ${titled} limit ${rankedMax}))`
}

// biome-ignore lint/suspicious/noExplicitAny: a row as `found` selects it
function foundProduct(row: any, sought: ReadonlySet<string> | undefined): FoundProduct {
  const found: FoundProduct = {
    id: row.product_id,
    title: row.title,
    category: row.category,
    vendorId: row.vendor_id,
    tags: row.tags,
    available: row.available,
    score: row.score,
  }
  if (row.price_min !== null) found.price = { min: row.price_min, max: row.price_max, currency: row.currency }
  if (row.image !== null) found.image = row.image
  const title = sought && highlighted(row.title, sought)
  if (title !== undefined) found.highlight = { title }
  return found
}
