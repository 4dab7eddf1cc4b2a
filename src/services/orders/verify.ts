/** Proves that orders, the ledger and the log say the same. */
import type { Sql } from '../../engine/database.ts'
import { type Finding, type Found, findingsOf, MOST_FINDINGS } from '../../engine/finding.ts'

export function verifyOrders(sql: Sql): Promise<Finding[]> {
  return findingsOf([
    ['orders: their lines are what the ledger has under their number', linesAgainstLedger(sql)],
    ['orders: every order is at its last event', ordersAgainstLog(sql)],
  ])
}

const linesAgainstLedger = (sql: Sql) => sql<Found>`
  with ordered as (
    select o.id, l ->> 'sku' as sku, (l ->> 'quantity')::bigint as sold, (l ->> 'returned')::bigint as returned
    from   orders.orders o, json_array_elements(o.state -> 'lines') l
  ), moved as (
    select reference as id, sku,
           coalesce(-sum(on_hand_delta) filter (where trigger = 'ORDER_CONFIRMED'), 0) as sold,
           coalesce( sum(on_hand_delta) filter (where trigger = 'ORDER_RETURNED'), 0) as returned
    from   inventory.ledger m
    where  reference_type = 'ORDER' and trigger in ('ORDER_CONFIRMED', 'ORDER_RETURNED')
      and  exists (select from orders.orders o where o.id = m.reference)
    group  by reference, sku
  )
  select 'order/' || id || ' of ' || sku as what,
         format('the order says %s sold, %s returned; the ledger %s and %s', o.sold, o.returned, m.sold, m.returned) as detail
  from   ordered o
  full   join moved m using (id, sku)
  where  (o.sold, o.returned) is distinct from (m.sold, m.returned)
  limit  ${MOST_FINDINGS}`

/** Old events may have left the log with their partition; then the state is ahead of nothing. */
const ordersAgainstLog = (sql: Sql) => sql<Found>`
  with last as (
    select substr(entity, 7) as id, max(version) as version
    from   lockstep.events
    where  entity like 'order/%'
    group  by entity
  )
  select 'order/' || last.id as what,
         format('the state is at %s, the log at %s', coalesce(o.version::text, 'nothing'), last.version) as detail
  from   last
  left   join orders.orders o on o.id = last.id
  where  o.version is distinct from last.version
  limit  ${MOST_FINDINGS}`
