/** The products of a page: in which order they are found, and what is shown of them. */
import type { Sql } from '../../engine/database.ts'
import { Conditions } from './conditions.ts'
import { highlighted } from './highlight.ts'
import { type SearchQuery, sortings } from './query.ts'
import type { Wording } from './question.ts'

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

export interface Order {
  sort: SearchQuery['sort']
  /** Where the page before ended. */
  place: [string, string | number, string] | undefined
}

export interface FoundRow {
  product_id: string
  title: string
  category: string | null
  vendor_id: string | null
  tags: string[]
  price_min: number | null
  price_max: number | null
  currency: string | null
  available: boolean
  image: string | null
  score: number
  place: string
}

const columns = 'product_id, title, category, vendor_id, tags, price_min, price_max, currency, image'

/** What `pageAmong` needs to know of a product. */
export function shown(
  conditions: Conditions,
  query: SearchQuery,
  wording: Wording | undefined,
  { sort }: Order,
): string {
  const key = sort === 'relevance' ? '' : `, ${sortings[sort].key} as key`
  return `${columns}, offered and in_stock as available, ${conditions.score(query, wording)} as score${key}`
}

/** Those that come next among the rows of `from`. */
export function pageAmong(
  from: string,
  conditions: Conditions,
  { limit }: SearchQuery,
  { sort, place }: Order,
): string {
  const { type, order } = sortings[sort]
  const key = sort === 'relevance' ? 'score' : 'key'
  const value = place && `${conditions.bind(place[1])}::${type}`
  const after =
    place === undefined
      ? 'true'
      : `(${key} ${order === 'asc' ? '>' : '<'} ${value} or ${key} = ${value} and product_id > ${conditions.bind(place[2])})`
  return `
    select ${columns}, available, score, ${key}::text as place
      from ${from}
     where ${after}
     order by ${key} ${order}, product_id
     limit ${conditions.bind(limit + 1)}`
}

/** Of what very many products match. */
export function pageOfBroad(
  db: Sql,
  query: SearchQuery,
  wording: Wording | undefined,
  order: Order,
): Promise<FoundRow[]> {
  const conditions = new Conditions().asked(query, wording)
  const among = candidates(conditions, query, order.sort === 'relevance' ? wording : undefined)
  const found = `(select ${shown(conditions, query, wording, order)} from ${among} p) found`
  return db.text<FoundRow>(pageAmong(found, conditions, query, order), conditions.values)
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

export function foundProduct(row: FoundRow, sought: ReadonlySet<string> | undefined): FoundProduct {
  const found: FoundProduct = {
    id: row.product_id,
    title: row.title,
    category: row.category,
    vendorId: row.vendor_id,
    tags: row.tags,
    available: row.available,
    score: row.score,
  }
  const { price_min: min, price_max: max, currency } = row
  if (min !== null && max !== null && currency !== null) found.price = { min, max, currency }
  if (row.image !== null) found.image = row.image
  const title = sought && highlighted(row.title, sought)
  if (title !== undefined) found.highlight = { title }
  return found
}
