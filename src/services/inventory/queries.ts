/** What can be asked about stock. Units of reservations past their time count as available, whether or not they were swept. */
import type { Sql } from '../../engine/database.ts'
import { sellable } from './allocation.ts'
import { type Incoming, incomingOfProduct } from './delivery-queries.ts'

export interface LevelView {
  inventoryItemId: string
  warehouseId: string
  warehouseName: string
  onHand: number
  reserved: number
  safetyStock: number
  /** Units sold beyond what is on hand, and how many may be. */
  backordered: number
  backorderLimit: number
  available: number
  leadTimeMin: number
  leadTimeMax: number
}

export interface ItemView {
  sku: string
  productId: string
  active: boolean
  version: number
  reorderThreshold: number
  targetLevel: number
  onHand: number
  reserved: number
  backordered: number
  available: number
  /** In the order orders take from them. */
  levels: LevelView[]
  /** On their way with receipts and transfers. */
  incoming: Incoming[]
}

interface LevelRow {
  sku: string
  product_id: string
  active: boolean
  version: number
  reorder_threshold: number
  target_level: number
  item_id: string
  warehouse_id: string
  name: string
  on_hand: number
  reserved: number
  safety_stock: number
  backordered: number
  backorder: number
  lead_time_min: number
  lead_time_max: number
}

/** The items of a product, by SKU; none for a product inventory has not heard of. */
export async function itemsOfProduct(sql: Sql, productId: string): Promise<ItemView[]> {
  const levels = sql<LevelRow>`
    with due as (
      select l.sku, l.warehouse_id, sum(l.quantity)::bigint as quantity
        from inventory.reservations r
        join inventory.reservation_lines l on l.reservation_id = r.id and l.released_at is null
       where r.status = 'held' and r.expires_at <= statement_timestamp()
       group by l.sku, l.warehouse_id
    )
    select s.sku, s.product_id, s.active, s.version, s.reorder_threshold, s.target_level,
           l.item_id, l.warehouse_id, w.name, l.on_hand, l.reserved - coalesce(due.quantity, 0) as reserved, l.safety_stock,
           l.backordered, l.backorder,
           w.lead_time_min, w.lead_time_max
      from inventory.stock s
      join inventory.levels l on l.sku = s.sku
      join inventory.warehouses w on w.id = l.warehouse_id
      left join due on due.sku = l.sku and due.warehouse_id = l.warehouse_id
     where s.product_id = ${productId}
     order by s.sku, w.priority, w.id`
  const [rows, incoming] = await Promise.all([levels, incomingOfProduct(sql, productId)])
  return itemsFrom(rows, incoming)
}

/** The SKU an item of document C (one SKU in one warehouse) belongs to, with all its levels. */
export async function itemOf(sql: Sql, inventoryItemId: string): Promise<ItemView | undefined> {
  const [found] = await sql<{ sku: string; product_id: string }>`
    select s.sku, s.product_id
      from inventory.levels l
      join inventory.stock s on s.sku = l.sku
     where l.item_id = ${inventoryItemId}`
  if (!found) return undefined
  const items = await itemsOfProduct(sql, found.product_id)
  return items.find((item) => item.sku === found.sku)
}

function itemsFrom(rows: LevelRow[], incoming: Incoming[]): ItemView[] {
  const items = new Map<string, ItemView>()
  for (const row of rows) {
    let item = items.get(row.sku)
    if (!item) {
      item = {
        sku: row.sku,
        productId: row.product_id,
        active: row.active,
        version: row.version,
        reorderThreshold: row.reorder_threshold,
        targetLevel: row.target_level,
        onHand: 0,
        reserved: 0,
        backordered: 0,
        available: 0,
        levels: [],
        incoming: incoming.filter((one) => one.sku === row.sku),
      }
      items.set(row.sku, item)
    }
    const { on_hand: onHand, reserved, safety_stock: safetyStock, backordered, backorder: backorderLimit } = row
    const available = sellable({ onHand, reserved, safetyStock, backordered, backorderLimit })
    item.levels.push({
      inventoryItemId: row.item_id,
      warehouseId: row.warehouse_id,
      warehouseName: row.name,
      onHand,
      reserved,
      safetyStock,
      backordered,
      backorderLimit,
      available,
      leadTimeMin: row.lead_time_min,
      leadTimeMax: row.lead_time_max,
    })
    item.onHand += onHand
    item.reserved += reserved
    item.backordered += backordered
    item.available += available
  }
  return [...items.values()]
}

/** What a level could send now. */
export const unitsThere = ({ onHand, reserved, safetyStock }: LevelView) => Math.max(0, onHand - reserved - safetyStock)

/** Document C's lead time in words; null when nothing is there to be sent: what is only promised waits for goods. */
export function leadTimeOf(levels: readonly LevelView[]): string | null {
  const first = levels.find((level) => unitsThere(level) > 0)
  if (!first) return null
  const { leadTimeMin: min, leadTimeMax: max } = first
  return min === max ? `${min} ${min === 1 ? 'day' : 'days'}` : `${min}-${max} days`
}

/** Document C, Get Inventory by Product ID: the answer's data, and the lead time the storefront shows. */
export interface ProductInventory {
  totalQuantityAvailable: number
  totalQuantityReserved: number
  isLowStock: boolean
  isOutOfStock: boolean
  warehouseInventory: {
    inventoryItemId: string
    warehouseId: string
    warehouseName: string
    quantityAvailable: number
    quantityReserved: number
  }[]
}

/** Low is what document C's display rules call low: at or below the reorder threshold, but not nothing. Inactive items don't count. */
export function productInventoryOf(items: readonly ItemView[]): ProductInventory {
  const active = items.filter((item) => item.active)
  const available = active.reduce((sum, item) => sum + item.available, 0)
  const threshold = Math.max(0, ...active.map((item) => item.reorderThreshold))
  return {
    totalQuantityAvailable: available,
    totalQuantityReserved: active.reduce((sum, item) => sum + item.reserved, 0),
    isLowStock: available > 0 && available <= threshold,
    isOutOfStock: available <= 0,
    warehouseInventory: active.flatMap((item) =>
      item.levels.map((level) => ({
        inventoryItemId: level.inventoryItemId,
        warehouseId: level.warehouseId,
        warehouseName: level.warehouseName,
        quantityAvailable: level.available,
        quantityReserved: level.reserved,
      })),
    ),
  }
}
