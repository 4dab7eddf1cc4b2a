/** Proves that the counts agree with each other, with the log and with the stock they were made of. */
import type { Sql } from '../../engine/database.ts'
import type { Finding } from '../../engine/finding.ts'

/** For a snapshot (repeatable read). */
export async function verifyAnalytics(sql: Sql): Promise<Finding[]> {
  const [days, hours, events, stock] = await Promise.all([
    sql<Row>`
      select concat_ws(' ', measure, dimension, item) as what, coalesce(d.amount, 0) as is, coalesce(t.amount, 0) as due
        from (select measure, dimension, item, sum(amount) as amount from analytics.days group by 1, 2, 3) as d
        full join analytics.totals t using (measure, dimension, item)
       where coalesce(d.amount, 0) <> coalesce(t.amount, 0)
       limit 1000`,
    // Those hours of which no minute is gone yet.
    sql<Row>`
      with kept as (select date_trunc('hour', min(at), 'UTC') + interval '1 hour' as since from analytics.minutes)
      select concat_ws(' ', measure, dimension, item, at) as what, coalesce(m.amount, 0) as is, coalesce(h.amount, 0) as due
        from (select measure, dimension, item, date_trunc('hour', at, 'UTC') as at, sum(amount) as amount
                from analytics.minutes, kept where at >= since group by 1, 2, 3, 4) as m
        full join (select measure, dimension, item, at, amount from analytics.hours, kept where at >= since) as h
             using (measure, dimension, item, at)
       where coalesce(m.amount, 0) <> coalesce(h.amount, 0)
       limit 1000`,
    sql<Row>`
      select coalesce(e.type, t.item) as what, coalesce(t.amount, 0) as is, coalesce(e.count, 0) as due
        from (select type, count(*) as count from lockstep.events, analytics.state s where events.position <= s.position group by type) as e
        full join (select item, amount from analytics.totals where measure = 'events') as t on t.item = e.type
       where coalesce(t.amount, 0) <> coalesce(e.count, 0) and not exists (select from lockstep.thinned where position > 0)
       limit 1000`,
    sql<Row>`
      select 'stock.available' as what, coalesce(t.amount, 0) as is, s.sum as due
        from (select coalesce(sum(available), 0) as sum from analytics.stock where active) as s
        left join analytics.totals t on t.measure = 'stock.available' and t.dimension = 'all'
       where coalesce(t.amount, 0) <> s.sum`,
  ])
  return [
    ...findings('days add up to totals', days),
    ...findings('minutes add up to hours', hours),
    ...findings('every event of the log is counted once', events),
    ...findings('levels are the sum of their changes', stock),
  ]
}

interface Row {
  what: string
  is: string
  due: string
}

const findings = (rule: string, rows: Row[]): Finding[] =>
  rows.map(({ what, is, due }) => ({ rule: `analytics: ${rule}`, what, detail: `${is}, and should be ${due}` }))
