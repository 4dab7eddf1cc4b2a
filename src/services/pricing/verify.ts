/** What must always hold of prices: they are as their last events told them. */
import type { Sql } from '../../engine/database.ts'
import type { Finding } from '../../engine/finding.ts'

const rule = 'pricing: prices are as their last events say'

export async function verifyPricing(sql: Sql): Promise<Finding[]> {
  const rows = await sql<{ what: string; detail: string }>`
    with last as (
      select distinct on (entity) entity, version, data
        from lockstep.events
       where entity like 'price/%'
       order by entity, version desc
    )
    select coalesce(l.entity, 'price/' || p.product_id) as what,
           format('version %s, its last event has %s', p.version, l.version) as detail
      from pricing.prices p full join last l on l.entity = 'price/' || p.product_id
     where p.version is distinct from l.version
        or (p.state -> 'prices')::jsonb <> (l.data -> 'prices')::jsonb
     limit 1000`
  return rows.map((row) => ({ rule, ...row }))
}
