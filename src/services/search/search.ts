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
import { wordingOf } from './wording.ts'

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

/** Each part of the answer is cached for itself: what changes one often leaves the others as they are. */
export async function search(db: Sql, cache: Cache, given: SearchQuery): Promise<SearchAnswer> {
  const { q, ...others } = given
  const query: SearchQuery = q?.trim() ? given : others
  const sort = query.sort === 'relevance' && query.q === undefined ? 'newest' : query.sort
  const place = placeIn(query.cursor, placeSchema(sort))
  const asked = query.q
  const wording =
    asked === undefined ? undefined : await cached(cache, 'words', { q: asked }, () => wordingOf(db, asked))
  const [page, all, ...ofFields] = await Promise.all([
    cached(cache, 'page', query, () => foundPage(db, query, wording, sort, place)),
    cached(cache, 'counts', query, () => countsOf(db, query, wording)),
    ...filtered(query).map((field) =>
      cached(cache, `facet-${field}`, without(query, field), () => countsOfField(db, query, wording, field)),
    ),
  ])
  return { ...page, ...facetsOf(all, ofFields), ...(wording && { match: wording.match }) }
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
               from search.products p, lateral (select ${score} as score) s
              where ${conditions.sql}) found
      where ${after}
      order by key ${order}, product_id
      limit ${conditions.bind(query.limit + 1)}`,
    conditions.values,
  )
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
