/** Stock as analytics tells it: levels over time, low and out, and which SKUs are. */
import type { Database } from '../../engine/database.ts'
import { notFound } from '../../engine/http.ts'
import { type Level, named, readLevels } from './counts.ts'
import { changeOf, type Range } from './range.ts'
import { type Gauges, gaugeNames } from './world.ts'

export type StockLevels = Record<keyof Gauges, Level>

export type About = { of: 'all' | 'vendor' | 'warehouse' | 'product'; item: string }

export async function stockLevels(db: Database, range: Range, { of, item }: About): Promise<StockLevels> {
  if (of === 'product') return productLevels(db, range, item)
  const measures = gaugeNames.map((name) => `stock.${name}`)
  const levels = await readLevels(db, range, of, item, measures)
  return Object.fromEntries(gaugeNames.map((name) => [name, levels.get(`stock.${name}`)])) as StockLevels
}

/** A product's are kept as they were when the hour or the day closed; between two changes nothing changed. */
async function productLevels(db: Database, { by, buckets }: Range, productId: string): Promise<StockLevels> {
  const [first, last] = [buckets[0] as string, buckets.at(-1) as string]
  const rows = await db.text<Gauges & { at: string }>(
    `select ${by === 'day' ? `(at at time zone 'UTC')::date::text` : named.hour} as at, on_hand as "onHand", reserved, available, skus, low, out
       from analytics.closings
      where product_id = $1 and grain = $2 and at <= $3::timestamptz
        and at >= coalesce((select max(at) from analytics.closings where product_id = $1 and grain = $2 and at < $4::timestamptz), $4::timestamptz)
      order by at`,
    [productId, by, asInstant(last), asInstant(first)],
  )
  if (rows.length === 0) await mustKnow(db, productId)
  const levels = (name: keyof Gauges): Level => {
    let value = rows.findLast(({ at }) => at < first)?.[name] ?? 0
    const previous = value
    const closed = new Map(rows.map((row) => [row.at, row[name]]))
    const values = buckets.map((bucket) => (value = closed.get(bucket) ?? value))
    return { values, value, previous, change: changeOf(value, previous) }
  }
  return Object.fromEntries(gaugeNames.map((name) => [name, levels(name)])) as StockLevels
}

const asInstant = (bucket: string) => (bucket.length === 10 ? `${bucket}T00:00:00Z` : bucket)

async function mustKnow(db: Database, productId: string) {
  const [known] = await db`select from analytics.products where product_id = ${productId}`
  if (!known) throw notFound('product', productId)
}

export type Scarce = {
  sku: string
  productId: string
  title: string | null
  vendorId: string | null
  available: number
  state: 'out' | 'low'
}

/** The SKUs that are out or low, the scarcest first. */
export async function scarceSkus(db: Database, { of, item }: About, limit: number): Promise<Scarce[]> {
  return db<Scarce>`
    select   s.sku, s.product_id as "productId", p.title, p.vendor_id as "vendorId", s.available,
             case when s.available <= a.out then 'out' else 'low' end as state
      from   analytics.state a
      join   analytics.stock s on s.active and s.available <= greatest(a.low, a.out)
      left   join analytics.products p using (product_id)
     where   case ${of}::text when 'vendor' then coalesce(p.vendor_id, '') = ${item}
                              when 'product' then s.product_id = ${item}
                              when 'warehouse' then s.levels -> ${item} is not null
                              else true end
     order   by s.available, s.sku
     limit   ${limit}`
}

export type Shelf = Gauges & { item: string | null }

/** The gauges now of every vendor or warehouse, those with the most out of stock first. */
export async function stockByGroup(db: Database, group: 'vendor' | 'warehouse', limit: number): Promise<Shelf[]> {
  const rows = await db<Record<string, number | string>>`
    select   item as heading,
             coalesce(sum(amount) filter (where measure = 'stock.onHand'), 0)::bigint    as "onHand",
             coalesce(sum(amount) filter (where measure = 'stock.reserved'), 0)::bigint  as reserved,
             coalesce(sum(amount) filter (where measure = 'stock.available'), 0)::bigint as available,
             coalesce(sum(amount) filter (where measure = 'stock.skus'), 0)::bigint      as skus,
             coalesce(sum(amount) filter (where measure = 'stock.low'), 0)::bigint       as low,
             coalesce(sum(amount) filter (where measure = 'stock.out'), 0)::bigint       as out
      from   analytics.totals
     where   dimension = ${group} and measure like 'stock.%'
     group   by item
     order   by out desc, low desc, item
     limit   ${limit}`
  return rows.map(({ heading, ...gauges }) => ({ item: heading || null, ...gauges }) as Shelf)
}
