/** What the matching products have in common: counted up to a limit, estimated beyond it. */
import type { Sql } from '../../engine/database.ts'
import { Conditions, type Field, filtered, without } from './conditions.ts'
import type { SearchQuery } from './query.ts'
import type { Wording } from './question.ts'

/** Counting 10,000 rows took 30 ms of a core: at 200 questions a second that is more than there are. */
export const countedMax = 1_000
const listedMax = 50
/** Lower bounds of the price brackets, minor units. */
export const priceBounds = [0, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000]

export interface FacetValues {
  category: { value: string; count: number }[]
  vendor: { value: string; count: number }[]
  tag: { value: string; count: number }[]
  /** By the lowest price; `max` is exclusive and null for the last. */
  price: { min: number; max: number | null; count: number }[]
  available: { value: boolean; count: number }[]
}

export interface Counts {
  total: number
  exact: boolean
  facets: Partial<FacetValues>
}

export interface Facets {
  /** Exact up to 1,000, beyond it the planner's estimate. */
  total: number
  totalIsExact: boolean
  /** Where more than 1,000 products were to be counted, 1,000 stand for all. */
  facetsAreExact: boolean
  /** A field that is filtered by is counted without its own filter, so that its other values can be chosen. */
  facets: FacetValues
}

const sources: Record<Field, string> = {
  category: 'select category as value from hits',
  vendor: 'select vendor_id as value from hits',
  tag: 'select unnest(tags) as value from hits',
  available: 'select available as value from hits',
  price: 'select width_bucket(price_min, array[$bounds]::bigint[]) as value from hits',
}
const fields = Object.keys(sources) as Field[]

/** Of all matching products: how many they are, and the fields that are not filtered by. */
export function countsOf(db: Sql, query: SearchQuery, wording: Wording | undefined): Promise<Counts> {
  const own = filtered(query)
  return counted(
    db,
    query,
    wording,
    fields.filter((field) => !own.includes(field)),
  )
}

/** One field that is filtered by, counted as if it were not. */
export function countsOfField(
  db: Sql,
  query: SearchQuery,
  wording: Wording | undefined,
  field: Field,
): Promise<Counts> {
  return counted(db, without(query, field), wording, [field])
}

export function facetsOf(all: Counts, ofFields: readonly Counts[]): Facets {
  const facets = Object.assign({}, all.facets, ...ofFields.map((counts) => counts.facets)) as FacetValues
  return {
    total: all.total,
    totalIsExact: all.exact,
    facetsAreExact: [all, ...ofFields].every(({ exact }) => exact),
    facets,
  }
}

async function counted(db: Sql, query: SearchQuery, wording: Wording | undefined, chosen: Field[]): Promise<Counts> {
  const conditions = new Conditions().asked(query, wording)
  const limit = conditions.bind(countedMax + 1)
  const top = (field: Field) => `
    (select coalesce(json_agg(json_build_object('value', value, 'count', count) order by count desc, value), '[]')
       from (select value, count(*) from (${sources[field].replace('$bounds', priceBounds.join())}) v
              where value is not null group by value order by count(*) desc, value limit ${listedMax}) t) as ${field}`
  const [row] = await db.text(
    `with hits as materialized (
       select category, vendor_id, tags, price_min, offered and in_stock as available
         from search.products p where ${conditions.sql} limit ${limit})
     select ${['(select count(*) from hits) as total', ...chosen.map(top)].join(', ')}`,
    conditions.values,
  )
  const counts = Math.min(row.total, countedMax)
  const exact = row.total <= countedMax
  const total = exact ? counts : Math.max(row.total, await estimated(db, query, wording))
  const values = (field: Field) => scaled(JSON.parse(row[field]) as { value: number; count: number }[], total / counts)
  const facets = Object.fromEntries(
    chosen.map((field) => [field, field === 'price' ? brackets(values(field)) : values(field)]),
  )
  return { total, exact, facets }
}

/** As many rows as Postgres expects from what it knows of the words' and keys' frequencies. */
async function estimated(db: Sql, query: SearchQuery, wording: Wording | undefined): Promise<number> {
  const { sql, values } = new Conditions().asked(query, wording)
  const [row] = await db.text(`explain (format json) select from search.products p where ${sql}`, values)
  const [{ Plan }] = JSON.parse(row['QUERY PLAN'])
  return Plan['Plan Rows']
}

const scaled = <Counted extends { count: number }>(values: Counted[], factor: number) =>
  factor > 1 ? values.map((each) => ({ ...each, count: Math.round(each.count * factor) })) : values

function brackets(found: { value: number; count: number }[]): FacetValues['price'] {
  const inOrder = found.toSorted((a, b) => a.value - b.value)
  return inOrder.map(({ value, count }) => ({
    min: priceBounds[value - 1] ?? 0,
    max: priceBounds[value] ?? null,
    count,
  }))
}
