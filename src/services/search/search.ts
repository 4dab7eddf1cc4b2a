/** Finds products: an exact SKU first, then words by rank; where no product has the words, what is spelt alike. */
import type { Database, Sql } from '../../engine/database.ts'
import { type Page, pageOf, placeIn } from '../../engine/http.ts'
import { Conditions, type Wording } from './conditions.ts'
import { type Facets, facetsOf } from './facets.ts'
import { placeSchema, type SearchQuery, sortings } from './query.ts'
import { correctable, nearest } from './spelling.ts'
import { askedWords, lookupKey, plainWords } from './words.ts'

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
  /** Comparable within one answer only. */
  score: number
}

export interface SearchAnswer extends Page<FoundProduct>, Facets {}

/** Words of a question that are corrected; the rest of a longer one is passed over. */
const wordsMax = 8

export async function search(db: Database, query: SearchQuery): Promise<SearchAnswer> {
  const q = query.q?.trim() ? query.q : undefined
  if (q === undefined) return answer(db, query, undefined)
  return answer(db, query, (await hasWords(db, q)) ? 'asked' : await meantBy(db, q))
}

/** Whether some product has them is asked without the filters: a filter that hides it makes the words no misspelling. */
async function hasWords(db: Database, q: string): Promise<boolean> {
  const [row] = await db`
    select exists (
      select from search.products
       where live and (words @@ websearch_to_tsquery('simple', ${askedWords(q)}) or keys @> array[${lookupKey('sku', q)}::text])
    ) as yes`
  return row?.yes === true
}

/** For each word asked the known words it may be, found by trigrams and chosen by edits. */
async function meantBy(db: Database, q: string): Promise<Wording> {
  const asked = [...new Set(plainWords(q).split(' '))].slice(0, wordsMax)
  const wording = await Promise.all(
    asked.map(async (word) => {
      if (!correctable(word)) return [word]
      const rows = await db`select word from search.vocabulary order by word <-> ${word} limit 50`
      const near = nearest(
        word,
        rows.map((row) => row.word),
      )
      return near.length > 0 ? near : [word]
    }),
  )
  return wording
}

async function answer(db: Sql, query: SearchQuery, wording: Wording): Promise<SearchAnswer> {
  const sort = query.sort === 'relevance' && wording === undefined ? 'newest' : query.sort
  const place = placeIn(query.cursor, placeSchema(sort))
  const [rows, facets] = await Promise.all([
    page(db, query, wording, sort, place),
    facetsOf(db, new Conditions().asked(query, wording)),
  ])
  const { items, next } = pageOf(rows, query.limit, (row) => [sort, row.place, row.product_id])
  return { items: items.map(foundProduct), ...facets, ...(next === undefined ? {} : { next }) }
}

async function page(
  db: Sql,
  query: SearchQuery,
  wording: Wording,
  sort: SearchQuery['sort'],
  place: [string, string | number, string] | undefined,
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

// biome-ignore lint/suspicious/noExplicitAny: a row as `page` selects it
function foundProduct(row: any): FoundProduct {
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
  return found
}
