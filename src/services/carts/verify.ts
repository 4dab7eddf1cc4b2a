/** Proves that carts, the lines by which they are found, and the log say the same. */
import type { Sql } from '../../engine/database.ts'
import { type Finding, type Found, findingsOf, MOST_FINDINGS } from '../../engine/finding.ts'

export function verifyCarts(sql: Sql): Promise<Finding[]> {
  return findingsOf([
    ['carts: every cart is at its last event', againstLog(sql)],
    ['carts: every line is found by its SKU, and no other', lines(sql)],
  ])
}

const againstLog = (sql: Sql) => sql<Found>`
  with last as (
    select entity, max(version) as version from lockstep.events where entity like 'cart/%' group by entity
  )
  select last.entity as what,
         format('the state is at %s, the log at %s', coalesce(c.version::text, 'nothing'), last.version) as detail
  from   last
  left   join carts.carts c on last.entity = 'cart/' || c.id
  where  c.version is distinct from last.version
  limit  ${MOST_FINDINGS}`

const lines = (sql: Sql) => sql<Found>`
  with said as (
    select true as here, c.id as cart_id, l ->> 'sku' as sku from carts.carts c, json_array_elements(c.cart -> 'lines') l
  )
  select 'cart/' || cart_id as what,
         format('%s is %s', sku, case when s.here is null then 'not in the cart' else 'not found' end) as detail
  from   said s
  full   join (select true as there, cart_id, sku from carts.lines) l using (cart_id, sku)
  where  s.here is null or l.there is null
  limit  ${MOST_FINDINGS}`
