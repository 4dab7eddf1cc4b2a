/** Proves that stock, ledger, reservations and log say the same. */
import type { Sql } from '../../engine/database.ts'
import { type Finding, type Found, findingsOf, MOST_FINDINGS } from '../../engine/finding.ts'

export function verifyInventory(sql: Sql): Promise<Finding[]> {
  return findingsOf([
    ['inventory: counters are the sum of the ledger', countersAgainstLedger(sql)],
    ['inventory: each movement begins where the one before ended', ledgerWithoutJumps(sql)],
    ['inventory: what is reserved is what open reservation lines hold', reservedAgainstLines(sql)],
    ['inventory: what left for another warehouse is there, back, or under way', transfersAgainstLedger(sql)],
    ['inventory: 0 ≤ reserved ≤ on hand − backordered + backorder', withinBounds(sql)],
    ['inventory: every SKU is at its last event', stockAgainstLog(sql)],
  ])
}

const countersAgainstLedger = (sql: Sql) => sql<Found>`
  with sums as (
    select sku, warehouse_id, sum(on_hand_delta) as on_hand, sum(reserved_delta) as reserved
      from inventory.ledger
     group by sku, warehouse_id
  )
  select coalesce(l.sku, s.sku) || ' in ' || coalesce(l.warehouse_id, s.warehouse_id) as what,
         format('the counters say %s on hand, %s reserved; the ledger sums to %s and %s',
                l.on_hand - l.backordered, l.reserved, s.on_hand, s.reserved) as detail
    from inventory.levels l
    full join sums s on s.sku = l.sku and s.warehouse_id = l.warehouse_id
   where (l.on_hand - l.backordered, l.reserved) is distinct from (s.on_hand, s.reserved)
   limit ${MOST_FINDINGS}`

const ledgerWithoutJumps = (sql: Sql) => sql<Found>`
  with seen as (
    select *, lag(on_hand_after) over level as on_hand_before, lag(reserved_after) over level as reserved_before
      from inventory.ledger
    window level as (partition by sku, warehouse_id order by version)
  )
  select 'stock/' || sku || '@' || version as what,
         format('%s on hand and %s reserved, changed by %s and %s, are not %s and %s',
                coalesce(on_hand_before, 0), coalesce(reserved_before, 0), on_hand_delta, reserved_delta,
                on_hand_after, reserved_after) as detail
    from seen
   where coalesce(on_hand_before, 0) + on_hand_delta <> on_hand_after
      or coalesce(reserved_before, 0) + reserved_delta <> reserved_after
   limit ${MOST_FINDINGS}`

const reservedAgainstLines = (sql: Sql) => sql<Found>`
  with held as (
    select sku, warehouse_id, sum(quantity) as quantity
      from inventory.reservation_lines
     where released_at is null
     group by sku, warehouse_id
  )
  select coalesce(l.sku, h.sku) || ' in ' || coalesce(l.warehouse_id, h.warehouse_id) as what,
         format('%s reserved, open reservation lines hold %s', coalesce(l.reserved, 0), coalesce(h.quantity, 0)) as detail
    from inventory.levels l
    full join held h on h.sku = l.sku and h.warehouse_id = l.warehouse_id
   where coalesce(l.reserved, 0) <> coalesce(h.quantity, 0)
   union all
  select 'reservation/' || r.id, format('%s, yet %s of its lines still hold units', r.status, count(*))
    from inventory.reservations r
    join inventory.reservation_lines l on l.reservation_id = r.id and l.released_at is null
   where r.status <> 'held'
   group by r.id
   limit ${MOST_FINDINGS}`

/** Units never vanish between two warehouses: what the ledger misses of a transfer is what it has under way. */
const transfersAgainstLedger = (sql: Sql) => sql<Found>`
  with moved as (
    select reference as id, sku, -sum(on_hand_delta) as missing
      from inventory.ledger
     where reference_type = 'TRANSFER'
     group by reference, sku
  ), under_way as (
    select d.id, l.sku, case d.status when 'under-way' then l.quantity - l.received else 0 end as quantity
      from inventory.deliveries d
      join inventory.delivery_lines l on l.delivery_id = d.id
     where d.from_warehouse is not null
  )
  select 'transfer/' || id || ' of ' || sku as what,
         format('%s are under way, the warehouses miss %s', coalesce(quantity, 0), coalesce(missing, 0)) as detail
    from moved
    full join under_way using (id, sku)
   where coalesce(missing, 0) <> coalesce(quantity, 0)
   union all
  select 'delivery/' || d.id, format('%s, yet %s of %s have arrived', d.status, l.received, l.quantity)
    from inventory.deliveries d
    join inventory.delivery_lines l on l.delivery_id = d.id
   where d.status = 'received' and l.received < l.quantity
   limit ${MOST_FINDINGS}`

const withinBounds = (sql: Sql) => sql<Found>`
  select sku || ' in ' || warehouse_id as what,
         format('%s on hand, %s reserved, %s backordered of %s', on_hand, reserved, backordered, backorder) as detail
    from inventory.levels
   where on_hand < 0 or reserved < 0 or reserved + backordered > on_hand + backorder
      or backordered not between 0 and backorder or backordered > 0 and on_hand > 0
   limit ${MOST_FINDINGS}`

/** Old events may have left the log with their partition; then the state is ahead of nothing. */
const stockAgainstLog = (sql: Sql) => sql<Found>`
  with last as (
    select substr(entity, 7) as sku, max(version) as version
      from lockstep.events
     where source = 'inventory' and entity like 'stock/%'
     group by entity
  )
  select 'stock/' || coalesce(s.sku, e.sku) as what,
         format('the state is at %s, the log at %s', coalesce(s.version::text, 'nothing'), e.version) as detail
    from last e
    left join inventory.stock s on s.sku = e.sku
   where s.version is distinct from e.version
   limit ${MOST_FINDINGS}`
