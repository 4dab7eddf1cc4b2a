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
}

/** What a level has for sale: safety stock is kept back, and what is missing of it is no other level's debt. */
export function sellable({ onHand, reserved, safetyStock }: Omit<Shelf, 'warehouseId'>): number {
  return safetyStock ? Math.max(0, onHand - reserved - safetyStock) : onHand - reserved
}

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
