/** What an operator can set about stock, with the documents' values as defaults. */
import type { InventoryRules } from './decider.ts'

export interface InventorySettings extends InventoryRules {
  /** Does a new product get inventory items (C: inventory.autoCreateOnProductCreation). */
  autoCreate: boolean
  /** Where (C: inventory.defaultWarehouses); the first is also meant when a request names none. */
  defaultWarehouses: readonly string[]
  /** For a reservation that asks for no time of its own. */
  reservationTtlSeconds: number
}

export const inventoryDefaults: InventorySettings = {
  low: 3,
  out: 0,
  allocation: 'priority',
  reorderThreshold: 10,
  targetLevel: 50,
  autoCreate: true,
  defaultWarehouses: ['main'],
  reservationTtlSeconds: 900,
}
