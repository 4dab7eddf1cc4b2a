/** What the matching products have in common, counted over the first 10,000 of them. */
import type { Sql } from '../../engine/database.ts'
import type { Conditions } from './conditions.ts'

const countedMax = 10_000
const listedMax = 50
/** Lower bounds of the price brackets, minor units. */
const priceBounds = [0, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000]

export interface Facets {
  /** Counts no further than 10,000; `totalIsExact` is false beyond. */
  total: number
  totalIsExact: boolean
  facets: {
    category: { value: string; count: number }[]
    vendor: { value: string; count: number }[]
    tag: { value: string; count: number }[]
    /** By the lowest price; `max` is exclusive and null for the last. */
    price: { min: number; max: number | null; count: number }[]
    available: { value: boolean; count: number }[]
  }
}

export async function facetsOf(db: Sql, conditions: Conditions): Promise<Facets> {
  const counted = conditions.bind(countedMax + 1)
  const listed = conditions.bind(listedMax)
  const bounds = conditions.bind(priceBounds)
  const top = (source: string) => `
    (select coalesce(json_agg(json_build_object('value', value, 'count', count) order by count desc, value), '[]')
       from (select value, count(*) from ${source} where value is not null group by value order by count(*) desc, value limit ${listed}) t)`
  const [row] = await db.text(
    `with hits as materialized (
       select category, vendor_id, tags, price_min, offered and in_stock as available
         from search.products p where ${conditions.sql} limit ${counted})
     select (select count(*) from hits) as total,
            ${top('(select category as value from hits)')} as category,
            ${top('(select vendor_id as value from hits)')} as vendor,
            ${top('(select unnest(tags) as value from hits)')} as tag,
            ${top('(select available as value from hits)')} as available,
            (select coalesce(json_agg(json_build_object('bracket', bracket, 'count', count) order by bracket), '[]')
               from (select width_bucket(price_min, ${bounds}::bigint[]) as bracket, count(*)
                       from hits where price_min is not null group by 1) b) as price`,
    conditions.values,
  )
  const price = (JSON.parse(row.price) as { bracket: number; count: number }[]).map(({ bracket, count }) => ({
    min: priceBounds[bracket - 1] ?? 0,
    max: priceBounds[bracket] ?? null,
    count,
  }))
  const [category, vendor, tag, available] = [row.category, row.vendor, row.tag, row.available].map((list) =>
    JSON.parse(list),
  )
  return {
    total: Math.min(row.total, countedMax),
    totalIsExact: row.total <= countedMax,
    facets: { category, vendor, tag, price, available },
  }
}
