/**
 * Keeps vendors' statistics counted, step by step in the background. Whoever asks looks at what has happened since on top of it; so an answer is never
 * behind catalog and inventory, and costs what has changed instead of what there is.
 */
import { texts } from '../../engine/columns.ts'
import type { Database, Sql } from '../../engine/database.ts'

/** Events counted in one transaction, which has ten seconds on a busy machine. */
const STEP = 5_000

/**
 * What products add to their vendor's statistics, as the tables of catalog and inventory have them now; the ids are `$1`, separated by chr(30). One
 * without stock items is available, as the storefront has it. With `due`, reservations past their time hold nothing.
 */
export const contributions = (due: boolean) => `
  select p.id as product_id, p.vendor_id, coalesce(p.category, '') as category,
         (not p.shown or coalesce(s.available <= 0, false))::int as gone,
         (p.shown and coalesce(s.available > 0 and s.available <= s.threshold, false))::int as limited,
         coalesce(s.on_hand, 0) as on_hand, coalesce(s.reserved, 0) as reserved, coalesce(s.available, 0) as available
  from   (select id, vendor_id, category, (state ->> 'isAvailable')::boolean as shown
          from   catalog.products
          where  id = any(string_to_array($1, chr(30))) and not deleted and status = 'active' and vendor_id is not null) p
  left   join (
    select i.product_id, max(i.reorder_threshold) as threshold, sum(l.on_hand)::bigint as on_hand, sum(l.reserved - ${due ? 'coalesce(d.quantity, 0)' : '0'})::bigint as reserved,
           sum(greatest(0, l.on_hand - l.backordered - l.reserved + ${due ? 'coalesce(d.quantity, 0)' : '0'} - l.safety_stock + l.backorder))::bigint as available
    from   inventory.stock i
    join   inventory.levels l on l.sku = i.sku
    ${due ? `left   join (${dueLines}) d on d.sku = l.sku and d.warehouse_id = l.warehouse_id` : ''}
    where  i.active and i.product_id = any(string_to_array($1, chr(30)))
    group  by i.product_id
  ) s on s.product_id = p.id`

/** What reservations past their time hold until they are swept. */
export const dueLines = `
  select l.sku, l.warehouse_id, sum(l.quantity)::bigint as quantity
  from   inventory.reservations r
  join   inventory.reservation_lines l on l.reservation_id = r.id and l.released_at is null
  where  r.status = 'held' and r.expires_at <= statement_timestamp()
  group  by l.sku, l.warehouse_id`

/** Counts a step, if there is something; answers whether everything up to the log's end of before is counted. */
export async function countOnce(db: Database): Promise<boolean> {
  const [gap] = await db<{ open: boolean }>`
    select h.position > c.position as open from lockstep.head h, vendors.counted c`
  if (!gap?.open) return true
  return db.begin(async (tx) => {
    const [at] = await tx<{ after: number; head: number }>`
      select c.position as after, (select position from lockstep.head) as head from vendors.counted c for update`
    if (!at) throw new Error('vendors.counted has lost its row')
    const upTo = Math.min(at.head, at.after + STEP)
    const rows = await tx<{ key: string }>`
      select distinct key
      from   lockstep.events
      where  position > ${at.after} and position <= ${upTo} and (type like 'product.%' or type like 'stock.%')`
    if (rows.length > 0) await recount(tx, texts(rows.map(({ key }) => key)))
    await tx`update vendors.counted set position = ${upTo}`
    return upTo >= at.head
  })
}

/** What a product adds now takes the place of what it added; the sums move by the difference. */
async function recount(tx: Sql, ids: string): Promise<void> {
  const fields = ['gone', 'limited', 'on_hand', 'reserved', 'available']
  const each = (make: (field: string) => string) => fields.map(make).join(', ')
  await tx.text(
    `with moved as (
       merge into vendors.products k
       using (select c.product_id, l.vendor_id, l.category, ${each((field) => `l.${field}`)}
              from   unnest(string_to_array($1, chr(30))) as c (product_id)
              left   join (${contributions(false)}) l using (product_id)) n
       on    k.product_id = n.product_id
       when  matched and n.vendor_id is null then delete
       when  matched and (k.vendor_id, k.category, ${each((field) => `k.${field}`)}) is distinct from (n.vendor_id, n.category, ${each((field) => `n.${field}`)})
             then update set vendor_id = n.vendor_id, category = n.category, ${each((field) => `${field} = n.${field}`)}
       when  not matched and n.vendor_id is not null
             then insert values (n.product_id, n.vendor_id, n.category, ${each((field) => `n.${field}`)})
       returning old.vendor_id as old_vendor, old.category as old_category, ${each((field) => `old.${field} as old_${field}`)},
                 new.vendor_id as new_vendor, new.category as new_category, ${each((field) => `new.${field} as new_${field}`)}
     ), differences as (
       select old_vendor as vendor_id, old_category as category, -1 as products, ${each((field) => `-old_${field} as ${field}`)} from moved where old_vendor is not null
       union  all
       select new_vendor, new_category, 1, ${each((field) => `new_${field}`)} from moved where new_vendor is not null
     )
     insert into vendors.totals as t (vendor_id, category, products, ${fields.join(', ')})
     select vendor_id, category, sum(products), ${each((field) => `sum(${field})`)} from differences group by vendor_id, category
     on conflict (vendor_id, category) do update
     set    products = t.products + excluded.products, ${each((field) => `${field} = t.${field} + excluded.${field}`)}`,
    [ids],
  )
}
