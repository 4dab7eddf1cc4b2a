/** What is planned for an item: how much of it to keep back in a warehouse, when to order more of it, and how much. */
import { type Decision, Rejected } from '../../engine/decider.ts'
import type { FieldChange } from '../../engine/event.ts'
import type { Command } from './commands.ts'
import { itemOf, stockOf } from './counts.ts'
import type { Draft, StockThresholds } from './draft.ts'
import type { InventoryFact } from './facts.ts'

/** Safety stock is the level's, thresholds are the SKU's. What is so already changes nothing. */
export function plan(
  draft: Draft,
  command: Extract<Command, { type: 'plan' }>,
  thresholds: StockThresholds,
): Decision<InventoryFact> {
  const { sku, warehouseId, safetyStock } = command
  const found = stockOf(draft, sku)
  const level = found.stock.levels.find((one) => one.warehouseId === warehouseId)
  if (!level) throw new Rejected('not-found', { what: 'inventory item', sku, warehouseId })
  const item = itemOf(found)
  const { reorderThreshold = item.reorderThreshold, targetLevel = item.targetLevel } = command
  const changes: FieldChange[] = []
  const change = (field: string, oldValue: number, newValue: number) => {
    if (oldValue !== newValue) changes.push({ field, oldValue, newValue })
  }
  const kept = level.safetyStock ?? 0
  change(`levels.${warehouseId}.safetyStock`, kept, safetyStock ?? kept)
  change('reorderThreshold', item.reorderThreshold, reorderThreshold)
  change('targetLevel', item.targetLevel, targetLevel)
  if (changes.length > 0) {
    draft.move(sku, warehouseId, {
      trigger: 'ADMIN_UPDATE',
      reason: command.reason,
      item: { ...item, reorderThreshold, targetLevel, safetyStock, changes },
    })
  }
  const available = draft.stock(sku)?.stock.available
  return draft.done(thresholds, {
    sku,
    warehouseId,
    safetyStock: safetyStock ?? kept,
    reorderThreshold,
    targetLevel,
    available,
  })
}
