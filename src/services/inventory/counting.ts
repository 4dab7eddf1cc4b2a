/** Counts of a product's SKUs as somebody gives them who knows the product and not where its goods lie. */
import type { Database } from '../../engine/database.ts'
import type { Command } from './commands.ts'
import { itemsOfProduct } from './queries.ts'
import type { InventorySettings } from './settings.ts'
import { stockId } from './state.ts'

export interface Count {
  sku: string
  warehouseId?: string | undefined
  quantity: number
  reason?: string | undefined
}

/**
 * The commands that set the counts, items opened first where the catalog is ahead of us, and the versions of what is there. A count without a
 * warehouse is of the only one that keeps the SKU, or of the first default one.
 */
export async function counting(
  db: Database,
  { defaultWarehouses }: Pick<InventorySettings, 'defaultWarehouses'>,
  productId: string,
  counts: Count[],
): Promise<{ commands: Command[]; versions: Record<string, number> }> {
  const items = new Map((await itemsOfProduct(db, productId)).map((item) => [item.sku, item]))
  const versions: Record<string, number> = {}
  const sets = counts.map(({ sku, warehouseId, quantity, reason }): Command => {
    const levels = items.get(sku)?.levels ?? []
    const only = levels.length === 1 ? levels[0]?.warehouseId : undefined
    const where = warehouseId ?? only ?? defaultWarehouses[0] ?? levels[0]?.warehouseId ?? ''
    versions[stockId(sku)] = items.get(sku)?.version ?? 0
    return { type: 'set-quantity', sku, warehouseId: where, quantity, ...(reason !== undefined && { reason }) }
  })
  const missing = [...new Set(counts.map(({ sku }) => sku))].filter((sku) => !items.get(sku)?.active)
  const opened = missing.map((sku): Command => {
    // Where it is counted it has an item, whatever the default warehouses are.
    const named = counts.flatMap((one) => (one.sku === sku && one.warehouseId !== undefined ? [one.warehouseId] : []))
    return { type: 'open', productId, skus: [sku], warehouseIds: [...new Set([...defaultWarehouses, ...named])] }
  })
  return { commands: [...opened, ...sets], versions }
}
