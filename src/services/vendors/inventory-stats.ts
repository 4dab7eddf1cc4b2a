/** A vendor's inventory at a glance (document D, getVendorInventoryStats), of this moment. */
import type { Database, Sql } from '../../engine/database.ts'
import { contributions, countOnce, dueLines } from './counting.ts'

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
  category: string
  products: number
  gone: number
  limited: number
  on_hand: number
  reserved: number
  available: number
}

/** All zero for a vendor nobody has heard of. While more has happened than a step counts, it looks at every product. */
export async function inventoryStatsOf(db: Database, vendorId: string): Promise<InventoryStats> {
  const counted = await countOnce(db)
  return statsFrom(vendorId, await (counted ? kept(db, vendorId) : looked(db, vendorId)))
}

const sums = `sum(products)::bigint as products, sum(gone)::bigint as gone, sum(limited)::bigint as limited,
  sum(on_hand)::bigint as on_hand, sum(reserved)::bigint as reserved, sum(available)::bigint as available`

/** What was counted, with the few products that something held past its time looked at anew. */
async function kept(sql: Sql, vendorId: string): Promise<Row[]> {
  const held = await sql.text<{ product_id: string }>(
    `select distinct k.product_id
     from   (${dueLines}) d
     join   inventory.stock s on s.sku = d.sku
     join   vendors.products k on k.product_id = s.product_id and k.vendor_id = $1`,
    [vendorId],
  )
  const totals =
    'select category, products, gone, limited, on_hand, reserved, available from vendors.totals where vendor_id ='
  if (held.length === 0) return sql.text<Row>(`${totals} $1 and products > 0 order by category`, [vendorId])
  return sql.text<Row>(
    `select category, ${sums}
     from (
       ${totals} $2
       union all
       select category, -1, -gone, -limited, -on_hand, -reserved, -available
       from   vendors.products where product_id = any(string_to_array($1, chr(30))) and vendor_id = $2
       union all
       select category, 1, gone, limited, on_hand, reserved, available from (${contributions(true)}) now where vendor_id = $2
     ) parts
     group  by category
     having sum(products) > 0
     order  by category`,
    [held.map(({ product_id }) => product_id).join('\x1e'), vendorId],
  )
}

async function looked(sql: Sql, vendorId: string): Promise<Row[]> {
  const [all] = await sql<{ ids: string | null }>`
    select string_agg(id, chr(30)) as ids from catalog.products where vendor_id = ${vendorId} and not deleted`
  return sql.text<Row>(
    `select category, ${sums} from (select *, 1 as products from (${contributions(true)}) c) each group by category order by category`,
    [all?.ids ?? ''],
  )
}

function statsFrom(vendorId: string, rows: Row[]): InventoryStats {
  const sum = (field: Exclude<keyof Row, 'category'>) => rows.reduce((total, row) => total + row[field], 0)
  return {
    vendorId,
    totalProducts: sum('products'),
    availableProducts: sum('products') - sum('gone') - sum('limited'),
    limitedProducts: sum('limited'),
    outOfStockProducts: sum('gone'),
    onHand: sum('on_hand'),
    reserved: sum('reserved'),
    available: sum('available'),
    categories: rows.flatMap(({ category, products }) => (category === '' ? [] : [{ category, products }])),
  }
}
