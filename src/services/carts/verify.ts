/** Proves that carts, the lines by which they are found, and the log say the same. */
import type { Sql } from '../../engine/database.ts'

export interface Finding {
  rule: string
  what: string
  detail: string
}

type Row = Omit<Finding, 'rule'>

/** Findings a rule reports at most. */
const most = 1_000

/** Run it in one snapshot: what is written between its queries would be found as a difference. */
export async function verifyCarts(sql: Sql): Promise<Finding[]> {
  const rules: [string, Promise<Row[]>][] = [
    ['carts: every cart is at its last event', againstLog(sql)],
    ['carts: every line is found by its SKU, and no other', lines(sql)],
  ]
  const found = await Promise.all(rules.map(async ([rule, rows]) => (await rows).map((row) => ({ rule, ...row }))))
  return found.flat()
}

const againstLog = (sql: Sql) => sql<Row>`
  with last as (
    select entity, max(version) as version from lockstep.events where entity like 'cart/%' group by entity
  )
  select last.entity as what,
         format('the state is at %s, the log at %s', coalesce(c.version::text, 'nothing'), last.version) as detail
  from   last
  left   join carts.carts c on last.entity = 'cart/' || c.id
  where  c.version is distinct from last.version
  limit  ${most}`

const lines = (sql: Sql) => sql<Row>`
  with said as (
    select true as here, c.id as cart_id, l ->> 'sku' as sku from carts.carts c, json_array_elements(c.cart -> 'lines') l
  )
  select 'cart/' || cart_id as what,
         format('%s is %s', sku, case when s.here is null then 'not in the cart' else 'not found' end) as detail
  from   said s
  full   join (select true as there, cart_id, sku from carts.lines) l using (cart_id, sku)
  where  s.here is null or l.there is null
  limit  ${most}`
