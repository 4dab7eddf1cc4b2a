/** A vendor's inventory at a glance (document D, getVendorInventoryStats), of this moment. */
import { texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import { contributions, dueLines } from './counting.ts'

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

/** Events that are not counted yet and looked through for what they changed; with more, all of the vendor's products are looked at. */
const LOOKED_THROUGH = 50_000

/** All zero for a vendor nobody has heard of. Never behind what was committed before it was asked. */
export async function inventoryStatsOf(db: Sql, vendorId: string): Promise<InventoryStats> {
  const changed = await changedSinceCounted(db, vendorId)
  return statsFrom(vendorId, await (changed ? corrected(db, vendorId, changed) : lookedAt(db, vendorId)))
}

const sums = `sum(products)::bigint as products, sum(gone)::bigint as gone, sum(limited)::bigint as limited,
  sum(on_hand)::bigint as on_hand, sum(reserved)::bigint as reserved, sum(available)::bigint as available`

/** Products that are other than they were counted: by what has happened since, or for something held them past its time. Undefined: too much has happened. */
async function changedSinceCounted(sql: Sql, vendorId: string): Promise<string[] | undefined> {
  const [gap] = await sql<{ after: number; head: number }>`
    select c.position as after, h.position as head from vendors.counted c, lockstep.head h`
  if (!gap || gap.head - gap.after > LOOKED_THROUGH) return undefined
  const rows = await sql.text<{ product_id: string }>(
    `select key as product_id
     from   lockstep.events
     where  position > $1 and (type like 'product.%' or type like 'stock.%')
     union
     select k.product_id
     from   (${dueLines}) d
     join   inventory.stock s on s.sku = d.sku
     join   vendors.products k on k.product_id = s.product_id and k.vendor_id = $2`,
    [gap.after, vendorId],
  )
  return rows.map(({ product_id }) => product_id)
}

/** What was counted, with the products that have changed looked at anew. One statement, so that what is taken off is what had been added. */
async function corrected(sql: Sql, vendorId: string, changed: string[]): Promise<Row[]> {
  const totals =
    'select category, products, gone, limited, on_hand, reserved, available from vendors.totals where vendor_id ='
  if (changed.length === 0) return sql.text<Row>(`${totals} $1 and products > 0 order by category`, [vendorId])
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
    [texts(changed), vendorId],
  )
}

async function lookedAt(sql: Sql, vendorId: string): Promise<Row[]> {
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
