/** The prices of an order's lines: those given, those asked for, and what they come to. */
import { Rejected } from '../../engine/decider.ts'
import type { Money } from '../catalog/events.ts'
import type { LineToSell } from './commands.ts'
import type { OrderedLine, OrderTotal } from './events.ts'

/** What these SKUs cost now; those without a price are not in it. */
export type PricesOf = (skus: string[]) => Promise<ReadonlyMap<string, Money>>

/** The lines with the prices they are sold at: the one given, else what it costs now, else none. */
export async function priced(lines: LineToSell[], pricesOf: PricesOf): Promise<LineToSell[]> {
  const open = lines.filter((line) => line.unitPrice === undefined)
  if (open.length === 0) return lines
  const prices = await pricesOf(open.map((line) => line.sku))
  return lines.map((line) =>
    line.unitPrice === undefined ? { ...line, unitPrice: prices.get(line.sku) ?? null } : line,
  )
}

/** Each SKU's price. Throws `price-conflict` for one that is sold at two. */
export function pricesIn(lines: LineToSell[]): Map<string, Money | null> {
  const prices = new Map<string, Money | null>()
  for (const { sku, unitPrice = null } of lines) {
    const other = prices.get(sku)
    if (other === undefined) prices.set(sku, unitPrice)
    else if (other?.amount !== unitPrice?.amount || other?.currency !== unitPrice?.currency)
      throw new Rejected('price-conflict', { sku }, `${sku} is to be sold at two prices in one order`)
  }
  return prices
}

/** Throws `total-too-large` beyond 2^53. */
export function totalsOf(lines: readonly OrderedLine[]): OrderTotal[] {
  const sums = new Map<string, number>()
  for (const { quantity, unitPrice } of lines) {
    if (unitPrice === null) continue
    const sum = (sums.get(unitPrice.currency) ?? 0) + quantity * unitPrice.amount
    if (!Number.isSafeInteger(sum))
      throw new Rejected('total-too-large', {}, 'the total is beyond what can be counted exactly')
    sums.set(unitPrice.currency, sum)
  }
  return Array.from(sums, ([currency, amount]) => ({ amount, currency }))
}
