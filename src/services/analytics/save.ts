/** Writes what a batch of events added: one statement a table. Rows travel as JSON, which takes any text as it is. */
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Addition, Additions } from './additions.ts'
import { dayIn } from './days.ts'
import { type AnalyticsSettings, DAY_MS, HOUR_MS } from './settings.ts'
import type { Gauges, World } from './world.ts'

export interface Clock {
  zone: string
  now: Date
}

/** What is older than is kept is not written first. */
function kept({ now }: Clock, settings: AnalyticsSettings) {
  return {
    minutes: now.getTime() - settings.minutesKeptHours * HOUR_MS,
    hours: now.getTime() - settings.hoursKeptDays * DAY_MS,
  }
}

export function saveAdditions(additions: Additions, clock: Clock, settings: AnalyticsSettings, tx: Sql) {
  const from = kept(clock, settings)
  const minutes = additions.by((minute) => minute).filter(({ at }) => at >= from.minutes)
  const hours = additions.by((minute) => minute - (minute % HOUR_MS)).filter(({ at }) => at >= from.hours)
  const dayOf = dayIn(clock.zone)
  return [
    minutes.length > 0 &&
      tx`
        insert into analytics.minutes as t (measure, dimension, at, item, amount)
        select measure, dimension, to_timestamp(at / 1000), item, amount
          from json_to_recordset(${rowsOf(minutes)}::json) as r (measure text, dimension text, at float8, item text, amount numeric)
        on conflict (measure, dimension, at, item) do update set amount = t.amount + excluded.amount`,
    hours.length > 0 &&
      tx`
        insert into analytics.hours as t (measure, dimension, at, item, amount)
        select measure, dimension, to_timestamp(at / 1000), item, amount
          from json_to_recordset(${rowsOf(hours)}::json) as r (measure text, dimension text, at float8, item text, amount numeric)
        on conflict (measure, dimension, at, item) do update set amount = t.amount + excluded.amount`,
    tx`
      insert into analytics.days as t (measure, dimension, at, item, amount)
      select *
        from json_to_recordset(${rowsOf(additions.by(dayOf))}::json) as r (measure text, dimension text, at date, item text, amount numeric)
      on conflict (measure, dimension, at, item) do update set amount = t.amount + excluded.amount`,
    tx`
      insert into analytics.totals as t (measure, dimension, item, amount)
      select *
        from json_to_recordset(${rowsOf(additions.by(() => 0))}::json) as r (measure text, dimension text, item text, amount numeric)
      on conflict (measure, dimension, item) do update set amount = t.amount + excluded.amount`,
  ]
}

const rowsOf = (additions: (Addition & { at: string | number })[]) =>
  JSON.stringify(
    additions.map((one) => (typeof one.amount === 'bigint' ? { ...one, amount: String(one.amount) } : one)),
  )

export function saveWorld(world: World, clock: Clock, settings: AnalyticsSettings, tx: Sql) {
  const { products, stock, consents } = world.changed
  const closings = closingsOf(world, clock, settings)
  return [
    products.size > 0 &&
      tx`
        insert into analytics.products (product_id, title, category, vendor_id, live)
        select id, title, category, "vendorId", live
          from json_to_recordset(${JSON.stringify([...products].map((id) => ({ id, ...world.products.get(id) })))}::json)
            as r (id text, title text, category text, "vendorId" text, live boolean)
        on conflict (product_id) do update
        set title = excluded.title, category = excluded.category, vendor_id = excluded.vendor_id, live = excluded.live`,
    stock.size > 0 &&
      tx`
        insert into analytics.stock (sku, product_id, active, available, levels)
        select sku, "productId", active, available, levels
          from json_to_recordset(${JSON.stringify([...stock].map((sku) => ({ sku, ...world.stock.get(sku) })))}::json)
            as r (sku text, "productId" text, active boolean, available bigint, levels json)
        on conflict (sku) do update
        set product_id = excluded.product_id, active = excluded.active, available = excluded.available, levels = excluded.levels`,
    consents.size > 0 &&
      tx`
        insert into analytics.consents (customer, purposes)
        select decode(digest, 'hex'), array(select json_array_elements_text(purposes))
          from json_to_recordset(${JSON.stringify([...consents].map((digest) => ({ digest, purposes: [...(world.consents.get(digest) ?? [])] })))}::json)
            as r (digest text, purposes json)
        on conflict (customer) do update set purposes = excluded.purposes`,
    closings.length > 0 &&
      tx`
        insert into analytics.closings (grain, product_id, at, on_hand, reserved, available, skus, low, out)
        select grain, id, case grain when 'hour' then at::timestamptz else at::date::timestamp at time zone 'UTC' end,
               "onHand", reserved, available, skus, low, out
          from json_to_recordset(${JSON.stringify(closings)}::json)
            as r (grain text, id text, at text, "onHand" bigint, reserved bigint, available bigint, skus bigint, low bigint, out bigint)
        on conflict (product_id, grain, at) do update
        set on_hand = excluded.on_hand, reserved = excluded.reserved, available = excluded.available,
            skus = excluded.skus, low = excluded.low, out = excluded.out`,
  ]
}

/** The last of each hour and day. */
function closingsOf(world: World, clock: Clock, settings: AnalyticsSettings) {
  const rows = new Map<string, Gauges & { grain: string; id: string; at: string }>()
  const from = kept(clock, settings).hours
  const dayOf = dayIn(clock.zone)
  for (const [quarter, closings] of [...world.closings].sort(([a], [b]) => a - b)) {
    const hour = quarter - (quarter % HOUR_MS)
    const [at, day] = [new Date(hour).toISOString(), dayOf(quarter)]
    for (const [id, gauges] of closings) {
      if (hour >= from) rows.set(`${at} ${id}`, { grain: 'hour', id, at, ...gauges })
      rows.set(`${day} ${id}`, { grain: 'day', id, at: day, ...gauges })
    }
  }
  return [...rows.values()]
}

/**
 * How long these events took from their commit to here, by the database's clock, in bins that grow by 5 %: so two hours' histograms are one
 * by adding them, and a percentile is off by 2.5 % at most.
 */
export function measureLatencies(events: readonly LoggedEvent[], zone: string, tx: Sql) {
  const counts = new Map<number, number>()
  for (const { at } of events) counts.set(at.getTime(), (counts.get(at.getTime()) ?? 0) + 1)
  return tx`
    insert into analytics.latencies as l (grain, at, bin, count)
    select   g.grain, date_trunc(g.grain, e.at, case g.grain when 'day' then ${zone} else 'UTC' end), e.bin, sum(e.count)
    from    (select to_timestamp(ms / 1000) as at, count,
                    ceil(ln(greatest(extract(epoch from clock_timestamp()) * 1000 - ms, 0.1)::float8) / ln(1.05::float8))::int as bin
               from unnest(${[...counts.keys()]}::float8[], ${[...counts.values()]}::bigint[]) as u (ms, count)) as e,
             unnest('{minute,hour,day}'::text[]) as g (grain)
    group by 1, 2, 3
    on conflict (grain, at, bin) do update set count = l.count + excluded.count`
}
