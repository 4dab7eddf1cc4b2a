/** Which warehouses an order's units are taken from: one function a strategy. */

export interface Allocation {
  warehouseId: string
  quantity: number
}

/** What allocation needs to know of a level. */
interface Shelf {
  warehouseId: string
  onHand: number
  reserved: number
  safetyStock?: number
  /** Sold beyond what is on hand, and how many may be. */
  backordered?: number
  backorderLimit?: number
}

/**
 * What a level has for sale: safety stock is kept back, backorders may be taken up to their limit, and what is missing of either is no other level's
 * debt.
 */
export function sellable(shelf: Omit<Shelf, 'warehouseId'>): number {
  const { onHand, reserved, safetyStock, backorderLimit } = shelf
  if (!safetyStock && !backorderLimit) return onHand - reserved
  return Math.max(0, balanceOf(shelf) - reserved - (safetyStock ?? 0) + (backorderLimit ?? 0))
}

/** On hand, below zero by what is backordered: what movements count in. */
export const balanceOf = ({ onHand, backordered }: Pick<Shelf, 'onHand' | 'backordered'>) => onHand - (backordered ?? 0)

/** Takes what is asked for, less only if there is less. Levels come in the order of preference, which settles every tie. */
export type Strategy = (levels: readonly Shelf[], quantity: number) => Allocation[]

/** Empties the preferred warehouse first, then the next. */
function byPriority(levels: readonly Shelf[], quantity: number): Allocation[] {
  const taken: Allocation[] = []
  let left = quantity
  for (const level of levels) {
    const some = Math.min(left, sellable(level))
    if (some <= 0) continue
    taken.push({ warehouseId: level.warehouseId, quantity: some })
    left -= some
    if (left === 0) break
  }
  return taken
}

/** Evens warehouses out: from the one that has most. */
const byMostStock: Strategy = (levels, quantity) => byPriority(fullestFirst(levels), quantity)

/**
 * As few parcels as can be. The fullest warehouses in turn are never more than any other choice; as soon as one has all that is left,
 * the preferred of those that have it gives it.
 */
function byFewestSplits(levels: readonly Shelf[], quantity: number): Allocation[] {
  const taken: Allocation[] = []
  let left = quantity
  const fullest = fullestFirst(levels)
  for (const [n, level] of fullest.entries()) {
    const rest = new Set(fullest.slice(n))
    const enough = levels.find((one) => rest.has(one) && sellable(one) >= left)
    if (enough) return [...taken, { warehouseId: enough.warehouseId, quantity: left }]
    if (sellable(level) <= 0) break
    taken.push({ warehouseId: level.warehouseId, quantity: sellable(level) })
    left -= sellable(level)
  }
  return taken
}

const fullestFirst = (levels: readonly Shelf[]) => levels.toSorted((a, b) => sellable(b) - sellable(a))

export const strategies = {
  priority: byPriority,
  'most-stock': byMostStock,
  'fewest-splits': byFewestSplits,
} satisfies Record<string, Strategy>

export type StrategyName = keyof typeof strategies

/** What is there goes first, wherever it is; only then is sold what is not there yet. Each warehouse once. */
export function allocated(take: Strategy, levels: readonly Shelf[], quantity: number): Allocation[] {
  if (!levels.some((level) => level.backorderLimit)) return take(levels, quantity)
  const there = levels.map(({ warehouseId, onHand, reserved, safetyStock = 0 }) => ({
    warehouseId,
    onHand: Math.max(0, onHand - reserved - safetyStock),
    reserved: 0,
  }))
  const taken = new Map(take(there, quantity).map((one) => [one.warehouseId, one.quantity]))
  const left = quantity - [...taken.values()].reduce((sum, some) => sum + some, 0)
  if (left > 0) {
    const beyond = levels.map((level) => ({
      warehouseId: level.warehouseId,
      onHand: sellable(level) - (taken.get(level.warehouseId) ?? 0),
      reserved: 0,
    }))
    for (const { warehouseId, quantity: some } of take(beyond, left))
      taken.set(warehouseId, (taken.get(warehouseId) ?? 0) + some)
  }
  return Array.from(taken, ([warehouseId, quantity]) => ({ warehouseId, quantity }))
}
