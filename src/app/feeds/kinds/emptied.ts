/** Stock that a stock feed no longer speaks of is none: that of its warehouse or vendor, or of its last run. */
import type { Absence } from './kind.ts'

export const emptied: Absence = {
  async count(db, { vendor, warehouse }, baselineRun) {
    const [row] = await db<{ count: number }>`
      select count(*) as count
      from   inventory.levels l
      join   inventory.stock s on s.sku = l.sku
      where  l.on_hand > 0
        and  (${warehouse}::text is null or l.warehouse_id = ${warehouse})
        and  (${vendor}::text is null or exists (select from catalog.products p where p.id = s.product_id and p.vendor_id = ${vendor}))
        and  (${warehouse}::text is not null or ${vendor}::text is not null
              or exists (select from feeds.keys k where k.run_id = ${baselineRun} and k.key = l.warehouse_id || '/' || l.sku))`
    return row?.count ?? 0
  },

  async stage(db, { vendor, warehouse }, { id, baselineRun, after }) {
    const { count } = await db`
      insert into feeds.changes (run_id, n, key, outcome, says, changes)
      select ${id}, ${after} + row_number() over (order by l.warehouse_id, l.sku), l.warehouse_id || '/' || l.sku, 'removed',
             json_build_object('sku', l.sku, 'warehouseId', l.warehouse_id, 'quantity', 0, 'productId', s.product_id),
             json_build_array(json_build_object('field', 'onHand', 'oldValue', l.on_hand, 'newValue', 0))
      from   inventory.levels l
      join   inventory.stock s on s.sku = l.sku
      where  l.on_hand > 0
        and  (${warehouse}::text is null or l.warehouse_id = ${warehouse})
        and  (${vendor}::text is null or exists (select from catalog.products p where p.id = s.product_id and p.vendor_id = ${vendor}))
        and  (${warehouse}::text is not null or ${vendor}::text is not null
              or exists (select from feeds.keys k where k.run_id = ${baselineRun} and k.key = l.warehouse_id || '/' || l.sku))
        and  not exists (select from feeds.keys k where k.run_id = ${id} and k.key = l.warehouse_id || '/' || l.sku)`
    return count
  },
}
