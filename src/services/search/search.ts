/** Finds products: an exact SKU first, then an exact title, then words by rank; where no product has the words, what is spelt alike. */
import type { Cache } from '../../engine/cache/cache.ts'
import type { Database, Sql } from '../../engine/database.ts'
import { type Page, pageOf, placeIn } from '../../engine/http.ts'
import { cached } from './answer-cache.ts'
import { filtered, without } from './conditions.ts'
import { counted, countsOfField } from './counting.ts'
import { type Counts, type Facets, facetsOf, unfiltered } from './facets.ts'
import {
  type FoundProduct,
  type FoundRow,
  foundProduct,
  type Order,
  pageAmong,
  pageOfBroad,
  shown,
} from './found-products.ts'
import { placeSchema, type SearchQuery } from './query.ts'
import { soughtWords, type Wording } from './question.ts'
import { sharingSessions } from './shared-session.ts'
import { askedWording, wordingOf } from './wording.ts'

export interface SearchAnswer extends Page<FoundProduct>, Facets {
  /** For a question in words: whether products have all of them, all of them as they may be meant, or only some. */
  match?: Wording['match']
}

/** A question is taken as it was asked; only where that finds nothing it is asked how else it may be meant. */
export async function search(database: Database, cache: Cache, given: SearchQuery): Promise<SearchAnswer> {
  const db = sharingSessions(database)
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
  const match = wording?.match
  const sort = query.sort === 'relevance' && wording === undefined ? 'newest' : query.sort
  const order = { sort, place: placeIn(query.cursor, placeSchema(sort)) }
  const both = together(() => pageAndCounts(db, query, wording, order))
  const [page, counts, ofFields] = await Promise.all([
    cached(cache, 'page', query, async () => (await both()).page, match),
    cached(cache, 'counts', query, async () => (await both()).counts, match),
    Promise.all(
      filtered(query).map((field) =>
        cached(
          cache,
          `facet-${field}`,
          without(query, field),
          () => countsOfField(db, { query, wording }, field),
          match,
        ),
      ),
    ),
  ])
  return { ...page, ...facetsOf(counts, ofFields), ...(match && { match }) }
}

/** Who asks in the same tick shares one making, which begins after all of them asked: so what a cache knew before it asked still holds. */
function together<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let asked: Promise<Value> | undefined
  return () =>
    (asked ??= Promise.resolve().then(() => {
      asked = undefined
      return make()
    }))
}

/** Both are made of the same rows, read once; of very many, those that come first are found by themselves. */
async function pageAndCounts(
  db: Sql,
  query: SearchQuery,
  wording: Wording | undefined,
  order: Order,
): Promise<{ page: Page<FoundProduct>; counts: Counts }> {
  const { row, broad, counts } = await counted<{ page: string | null }>(
    db,
    { query, wording },
    unfiltered(query),
    (conditions) => ({
      columns: `, ${shown(conditions, query, wording, order)}`,
      made: `, (select json_agg(p) from (${pageAmong('hits', conditions, query, order)}) p) as page`,
    }),
  )
  const rows = broad ? await pageOfBroad(db, query, wording, order) : (JSON.parse(row.page ?? '[]') as FoundRow[])
  const { items, next } = pageOf(rows, query.limit, (last) => [order.sort, last.place, last.product_id])
  const sought = wording && soughtWords(wording)
  return {
    page: { items: items.map((item) => foundProduct(item, sought)), ...(next === undefined ? {} : { next }) },
    counts,
  }
}
