/** What is planned for an item: how much of it to keep back in a warehouse or to sell before it is there, when to order more of it, and how much. */
import { type Decision, Rejected } from '../../engine/decider.ts'
import type { FieldChange } from '../../engine/event.ts'
import { balanceOf } from './allocation.ts'
import type { Command } from './commands.ts'
import { itemOf, stockOf } from './counts.ts'
import type { Draft, StockThresholds } from './draft.ts'
import type { InventoryFact } from './facts.ts'

/** Safety stock and backorder limit are the level's, thresholds are the SKU's. What is so already changes nothing. Throws for a limit below what was promised. */
export function plan(
  draft: Draft,
  command: Extract<Command, { type: 'plan' }>,
  thresholds: StockThresholds,
): Decision<InventoryFact> {
  const { sku, warehouseId, safetyStock, backorderLimit } = command
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
  const limit = level.backorderLimit ?? 0
  const promised = level.reserved - balanceOf(level)
  if (backorderLimit !== undefined && backorderLimit < promised) {
    const detail = { sku, warehouseId, requested: backorderLimit, promised }
    throw new Rejected('below-promised', detail, `${promised} units more than are on hand are promised already`)
  }
  change(`levels.${warehouseId}.backorderLimit`, limit, backorderLimit ?? limit)
  change('reorderThreshold', item.reorderThreshold, reorderThreshold)
  change('targetLevel', item.targetLevel, targetLevel)
  if (changes.length > 0) {
    draft.move(sku, warehouseId, {
      trigger: 'ADMIN_UPDATE',
      reason: command.reason,
      item: { ...item, reorderThreshold, targetLevel, safetyStock, backorderLimit, changes },
    })
  }
  const available = draft.stock(sku)?.stock.available
  return draft.done(thresholds, {
    sku,
    warehouseId,
    safetyStock: safetyStock ?? kept,
    backorderLimit: backorderLimit ?? limit,
    reorderThreshold,
    targetLevel,
    available,
  })
}
