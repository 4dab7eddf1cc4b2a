/** What a shop says about a product's stock: document C's display rules, its messages to the letter (C, Inventory Display Rules and Example). */

/** What inventory answers for a product (C, Get Inventory by Product ID). */
export interface ProductInventory {
  totalQuantityAvailable: number
  totalQuantityReserved: number
  isLowStock: boolean
  isOutOfStock: boolean
  warehouseInventory: unknown[]
  /** ISO 8601. */
  restockExpected?: string | null
  /** In words: `1-2 days`. */
  leadTime?: string | null
}

export interface ProductAvailability {
  isAvailable: boolean
  displayStatus: 'IN_STOCK' | 'LOW_STOCK' | 'OUT_OF_STOCK' | 'LIMITED_AVAILABILITY'
  message: string
  leadTimeEstimate: string | null
}

/** When inventory can't be asked: better sold and not there than there and not sold (C, Example). */
export const assumedAvailability: ProductAvailability = {
  isAvailable: true,
  displayStatus: 'IN_STOCK',
  message: 'In Stock',
  leadTimeEstimate: null,
}

export function availabilityOf(
  inventory: ProductInventory,
  requestedQuantity: number,
  lowStockThreshold: number,
): ProductAvailability {
  const available = inventory.totalQuantityAvailable
  if (available <= 0)
    return {
      isAvailable: false,
      displayStatus: 'OUT_OF_STOCK',
      message: 'Out of Stock',
      leadTimeEstimate: inventory.restockExpected
        ? `Expected back in stock ${restockDate(inventory.restockExpected)}`
        : null,
    }
  if (available < requestedQuantity)
    return {
      isAvailable: true,
      displayStatus: 'LIMITED_AVAILABILITY',
      message: `Only ${available} available`,
      leadTimeEstimate: null,
    }
  if (available <= lowStockThreshold)
    return {
      isAvailable: true,
      displayStatus: 'LOW_STOCK',
      message: `Only ${available} left in stock - order soon`,
      leadTimeEstimate: null,
    }
  return { ...assumedAvailability, leadTimeEstimate: inventory.leadTime ?? null }
}

/** `May 20, 2023`, in UTC. */
const restockDate = (at: string) => dates.format(new Date(at))
const dates = new Intl.DateTimeFormat('en-US', { dateStyle: 'long', timeZone: 'UTC' })
