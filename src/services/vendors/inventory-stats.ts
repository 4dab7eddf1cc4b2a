/** A vendor's inventory at a glance (document D, getVendorInventoryStats), read from what catalog and inventory keep: never behind them. */
import type { Sql } from '../../engine/database.ts'

export interface InventoryStats {
  vendorId: string
  /** Products that are neither drafts, archived nor deleted; each is one of the three that follow. */
  totalProducts: number
  availableProducts: number
  /** Available, but at or below the reorder threshold (document C, isLowStock). */
  limitedProducts: number
  /** Taken off the shelf, or with nothing left for sale. */
  outOfStockProducts: number
  /** Units over all warehouses; what reservations past their time hold counts as available. */
  onHand: number
  reserved: number
  available: number
  /** Where its products are, by name. */
  categories: { category: string; products: number }[]
}

interface Row {
  category: string | null
  products: number
  out: number
  limited: number
  on_hand: number
  reserved: number
  available: number
}

/** All zero for a vendor nobody has heard of. A product without stock items is available, as the storefront has it. */
export async function inventoryStatsOf(sql: Sql, vendorId: string): Promise<InventoryStats> {
  const rows = await sql<Row>`
    with due as (
      select l.sku, l.warehouse_id, sum(l.quantity)::bigint as quantity
      from   inventory.reservations r
      join   inventory.reservation_lines l on l.reservation_id = r.id and l.released_at is null
      where  r.status = 'held' and r.expires_at <= statement_timestamp()
      group  by l.sku, l.warehouse_id
    ), sold as (
      select id, category, (state ->> 'isAvailable')::boolean as shown
      from   catalog.products
      where  vendor_id = ${vendorId} and not deleted and status = 'active'
    ), stocked as (
      select s.product_id, max(s.reorder_threshold) as threshold, sum(l.on_hand) as on_hand,
             sum(l.reserved - coalesce(due.quantity, 0)) as reserved,
             sum(greatest(0, l.on_hand - l.backordered - l.reserved + coalesce(due.quantity, 0) - l.safety_stock + l.backorder)) as available
      from   sold
      join   inventory.stock s on s.product_id = sold.id and s.active
      join   inventory.levels l on l.sku = s.sku
      left   join due on due.sku = l.sku and due.warehouse_id = l.warehouse_id
      group  by s.product_id
    )
    select sold.category, count(*) as products,
           count(*) filter (where not shown or available <= 0) as out,
           count(*) filter (where shown and available > 0 and available <= threshold) as limited,
           coalesce(sum(on_hand), 0)::bigint as on_hand, coalesce(sum(reserved), 0)::bigint as reserved,
           coalesce(sum(available), 0)::bigint as available
    from   sold
    left   join stocked on stocked.product_id = sold.id
    group  by sold.category
    order  by sold.category`
  const sum = (field: Exclude<keyof Row, 'category'>) => rows.reduce((total, row) => total + row[field], 0)
  return {
    vendorId,
    totalProducts: sum('products'),
    availableProducts: sum('products') - sum('out') - sum('limited'),
    limitedProducts: sum('limited'),
    outOfStockProducts: sum('out'),
    onHand: sum('on_hand'),
    reserved: sum('reserved'),
    available: sum('available'),
    categories: rows.flatMap(({ category, products }) => (category === null ? [] : [{ category, products }])),
  }
}
