/** Which warehouse an order's units are taken from. */

export interface Allocation {
  warehouseId: string
  quantity: number
}

/** What allocation needs to know of a level. */
interface Shelf {
  warehouseId: string
  onHand: number
  reserved: number
}

/**
 * Empties warehouses in the order given, the preferred one first, skipping those with nothing to give. Answers less than `quantity`
 * in sum only if there is less.
 */
export function byPriority(levels: readonly Shelf[], quantity: number): Allocation[] {
  const taken: Allocation[] = []
  let left = quantity
  for (const level of levels) {
    const some = Math.min(left, level.onHand - level.reserved)
    if (some <= 0) continue
    taken.push({ warehouseId: level.warehouseId, quantity: some })
    left -= some
    if (left === 0) break
  }
  return taken
}
