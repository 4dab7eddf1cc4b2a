/** What a shop says about a product's stock: document C's display rules, its messages to the letter (C, Inventory Display Rules and Example). */
import { filled, type Language } from './messages.ts'

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

export type DisplayStatus = 'IN_STOCK' | 'LOW_STOCK' | 'OUT_OF_STOCK' | 'LIMITED_AVAILABILITY'

/** What holds of a product's stock, in no language. */
export interface Holding {
  displayStatus: DisplayStatus
  /** Units to sell. */
  count: number
  /** ISO 8601; only of what is out of stock. */
  restockExpected: string | null
  /** `1-2 days`; only of what is in stock. */
  leadTime: string | null
}

export interface ProductAvailability {
  isAvailable: boolean
  displayStatus: DisplayStatus
  /** As C's Example has it. */
  message: string
  /** As C's Inventory Display Rules have it. */
  label: string
  leadTimeEstimate: string | null
}

/** When inventory can't be asked: better sold and not there than there and not sold (C, Example). */
export const assumed: Holding = { displayStatus: 'IN_STOCK', count: 0, restockExpected: null, leadTime: null }

export function holdingOf(inventory: ProductInventory, requestedQuantity: number, lowStockThreshold: number): Holding {
  const { totalQuantityAvailable, restockExpected = null, leadTime = null } = inventory
  const holding = { count: Math.max(0, totalQuantityAvailable), restockExpected: null, leadTime: null }
  if (totalQuantityAvailable <= 0) return { ...holding, displayStatus: 'OUT_OF_STOCK', restockExpected }
  if (totalQuantityAvailable < requestedQuantity) return { ...holding, displayStatus: 'LIMITED_AVAILABILITY' }
  if (totalQuantityAvailable <= lowStockThreshold) return { ...holding, displayStatus: 'LOW_STOCK' }
  return { ...holding, displayStatus: 'IN_STOCK', leadTime }
}

export function inWords(holding: Holding, { locale, messages }: Language): ProductAvailability {
  const { displayStatus, count, restockExpected, leadTime } = holding
  const restock = restockExpected && filled(messages.restock, { date: restockDate(restockExpected, locale) })
  return {
    isAvailable: displayStatus !== 'OUT_OF_STOCK',
    displayStatus,
    message: filled(messages[displayStatus], { count }),
    label: filled(messages.labels[displayStatus], { count }),
    leadTimeEstimate: restock || (leadTime && daysInWords(leadTime, locale, messages.days)),
  }
}

/** `May 20, 2023`, in UTC. */
const restockDate = (at: string, locale: string) =>
  // The bare language writes dates as its largest country does; document C's are the American ones.
  new Intl.DateTimeFormat(locale === 'en' ? 'en-US' : locale, { dateStyle: 'long', timeZone: 'UTC' }).format(
    new Date(at),
  )

/** Inventory says `1 day` or `1-2 days`; anything else is repeated as it is. */
function daysInWords(leadTime: string, locale: string, days: Language['messages']['days']): string {
  const [, least, most = least] = /^(\d+)(?:-(\d+))? days?$/.exec(leadTime) ?? []
  if (least === undefined || most === undefined) return leadTime
  const rule = new Intl.PluralRules(locale).select(Number(most))
  return filled(days[rule] ?? days.other, { count: least === most ? least : `${least}-${most}` })
}
