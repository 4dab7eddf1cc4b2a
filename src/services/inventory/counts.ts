/** Items and counts: what is on hand because somebody says so, not because it was sold. */
import { type Decision, Rejected } from '../../engine/decider.ts'
import type { Data, FieldChange } from '../../engine/event.ts'
import { balanceOf } from './allocation.ts'
import type { Cause, Command, Thresholds } from './commands.ts'
import type { Draft, StockThresholds } from './draft.ts'
import type { Level, Trigger } from './events.ts'
import type { InventoryFact, Item } from './facts.ts'
import { type StockState, warehouseIn } from './state.ts'

type Of<Type extends Command['type']> = Extract<Command, { type: Type }>

/** Sets on hand; what is reserved must stay covered. */
export function setQuantity(
  draft: Draft,
  command: Of<'set-quantity'>,
  thresholds: StockThresholds,
): Decision<InventoryFact> {
  const { sku, warehouseId, quantity } = command
  const stock = stockOf(draft, sku)
  const level = stockedIn(draft, stock, warehouseId)
  const previous = level?.onHand ?? 0
  coversReserved(sku, warehouseId, level, quantity - previous)
  if (level === undefined || quantity !== previous) {
    draft.move(sku, warehouseId, { ...causeOf(command, 'ADMIN_UPDATE'), onHand: quantity - previous })
  }
  return draft.done(thresholds, counted(draft, sku, warehouseId, previous))
}

/** Adds or takes units. */
export function adjust(draft: Draft, command: Of<'adjust'>, thresholds: StockThresholds): Decision<InventoryFact> {
  const { sku, delta } = command
  const stock = stockOf(draft, sku)
  const warehouseId = command.warehouseId ?? stock.stock.levels[0]?.warehouseId ?? ''
  const level = stockedIn(draft, stock, warehouseId)
  const previous = level?.onHand ?? 0
  coversReserved(sku, warehouseId, level, delta)
  if (delta !== 0) draft.move(sku, warehouseId, { ...causeOf(command, 'ADMIN_UPDATE'), onHand: delta })
  return draft.done(thresholds, counted(draft, sku, warehouseId, previous))
}

/** The count an import brings; a level that orders or counts have moved since knows better and stays. */
export function setInitial(
  draft: Draft,
  command: Of<'set-initial'>,
  thresholds: StockThresholds,
  usual: Required<Thresholds>,
): Decision<InventoryFact> {
  const { sku, warehouseId, quantity } = command
  const stock = draft.stock(sku)
  const item = itemFor(sku, command, stock, usual)
  const level = stock ? stockedIn(draft, stock, warehouseId) : mustBeInUse(draft, warehouseId)
  const previous = level?.onHand ?? 0
  const open = level === undefined || stock?.untouched.includes(warehouseId)
  const delta = open ? quantity - previous : 0
  if (level === undefined || delta !== 0 || item) {
    draft.move(sku, warehouseId, { ...causeOf(command, 'IMPORTED'), onHand: delta, item })
  }
  return draft.done(thresholds, counted(draft, sku, warehouseId, previous))
}

/** Opens what is missing; an item that is there and active stays as it is. Unknown warehouses are named in `skippedWarehouses`. */
export function open(
  draft: Draft,
  command: Of<'open'>,
  thresholds: StockThresholds,
  usual: Required<Thresholds>,
): Decision<InventoryFact> {
  const cause = causeOf(command, 'PRODUCT_CREATED')
  const warehouseIds = command.warehouseIds.filter((id) => warehouseIn(draft.states, id))
  const opened: string[] = []
  for (const sku of new Set(command.skus)) {
    const stock = draft.stock(sku)
    let item = itemFor(sku, command, stock, usual)
    // Goods stay where they are: default warehouses are for items that have no level yet.
    const missing = stock ? [] : warehouseIds
    for (const warehouseId of missing) {
      draft.move(sku, warehouseId, { ...cause, item })
      item = undefined
    }
    const first = stock?.stock.levels[0]
    if (item && first) draft.move(sku, first.warehouseId, { ...cause, item })
    if (missing.length > 0) opened.push(sku)
  }
  const skippedWarehouses = command.warehouseIds.filter((id) => !warehouseIn(draft.states, id))
  return draft.done(thresholds, { productId: command.productId, opened, skippedWarehouses })
}

/** SKUs of other products among them are left alone. */
export function deactivate(
  draft: Draft,
  command: Of<'deactivate'>,
  thresholds: StockThresholds,
): Decision<InventoryFact> {
  const cause = causeOf(command, 'PRODUCT_DELETED')
  const deactivated: string[] = []
  for (const sku of new Set(command.skus)) {
    const found = draft.stock(sku)
    const first = found?.stock.levels[0]
    if (!found?.stock.active || !first || found.stock.productId !== command.productId) continue
    const changes = [{ field: 'active', oldValue: true, newValue: false }]
    draft.move(sku, first.warehouseId, { ...cause, item: { ...itemOf(found), active: false, changes } })
    deactivated.push(sku)
  }
  return draft.done(thresholds, { productId: command.productId, deactivated })
}

/** What the item becomes: undefined when it already is so. Throws when another product's item holds the SKU (document A, SKU consistency). */
function itemFor(
  sku: string,
  command: { productId: string } & Thresholds,
  found: StockState | undefined,
  usual: Required<Thresholds>,
): Item | undefined {
  const { productId } = command
  if (!found) {
    const changes = [{ field: 'active', oldValue: null, newValue: true }]
    const { reorderThreshold = usual.reorderThreshold, targetLevel = usual.targetLevel } = command
    return { sku, productId, active: true, reorderThreshold, targetLevel, changes }
  }
  const { stock } = found
  if (stock.active && stock.productId === productId) return undefined
  if (stock.active) {
    const message = `SKU conflict: ${sku} is stocked for product ${stock.productId}`
    throw new Rejected('sku-conflict', { sku, productId: stock.productId }, message)
  }
  const changes: FieldChange[] = [{ field: 'active', oldValue: false, newValue: true }]
  if (stock.productId !== productId) {
    changes.push({ field: 'productId', oldValue: stock.productId, newValue: productId })
  }
  return { ...itemOf(found), productId, active: true, changes }
}

export function itemOf({ stock, reorderThreshold, targetLevel }: StockState): Omit<Item, 'changes'> {
  return { sku: stock.sku, productId: stock.productId, active: stock.active, reorderThreshold, targetLevel }
}

export function stockOf(draft: Draft, sku: string): StockState {
  const stock = draft.stock(sku)
  if (stock) return stock
  throw new Rejected('unknown-sku', { lines: [{ sku }] }, `there is no stock of ${sku}`)
}

/** The level of a SKU in a warehouse, undefined when it has none there yet. Throws for a warehouse that isn't one, or no more. */
function stockedIn(draft: Draft, stock: StockState, warehouseId: string): Level | undefined {
  return stock.stock.levels.find((level) => level.warehouseId === warehouseId) ?? mustBeInUse(draft, warehouseId)
}

/** Throws for a warehouse that isn't one, or no more. */
export function mustBeInUse(draft: Draft, warehouseId: string): undefined {
  const warehouse = warehouseIn(draft.states, warehouseId)
  const detail = { what: 'warehouse', id: warehouseId }
  if (!warehouse) throw new Rejected('not-found', detail, `there is no warehouse ${JSON.stringify(warehouseId)}`)
  if (!warehouse.active) throw new Rejected('inactive-warehouse', { warehouseId })
}

/** What was counted or brought in fills backorders first, and must leave what is promised covered: by units, or by the limit for backorders. */
function coversReserved(sku: string, warehouseId: string, level: Level | undefined, delta: number): void {
  const { onHand, reserved, backorderLimit = 0 } = level ?? { onHand: 0, reserved: 0 }
  const balance = (level ? balanceOf(level) : 0) + delta
  if (onHand + delta >= 0 && balance + backorderLimit >= reserved) return
  const requested = onHand + delta
  throw new Rejected(
    'below-reserved',
    { sku, warehouseId, requested, reserved, onHand },
    `${sku} in ${warehouseId}: ${reserved} reserved, so not ${requested} on hand`,
  )
}

function causeOf({ trigger, reason, referenceType, reference }: Cause, usual: Trigger) {
  return { trigger: trigger ?? usual, reason, referenceType, reference }
}

function counted(draft: Draft, sku: string, warehouseId: string, previousQuantity: number): Data {
  const stock = draft.stock(sku)?.stock
  const newQuantity = stock?.levels.find((level) => level.warehouseId === warehouseId)?.onHand ?? 0
  return { productId: stock?.productId, sku, warehouseId, previousQuantity, newQuantity, available: stock?.available }
}
