/** What a product costs: its list prices under the rules and promotions of a moment, with what did it and why. */
import { exponentOf, inWords } from '../../engine/currency.ts'
import type { Money } from '../catalog/events.ts'
import type { Price, Problem } from './events.ts'
import { type Effect, inScope, type Rule, type Rulebook, type Scoped } from './rule.ts'

/** What pricing takes from the catalog. */
export interface PricedProduct extends Scoped {
  /** The catalog's version of the product. */
  version: number
  status: 'active' | 'draft' | 'archived' | 'deleted'
  variants: { sku: string; list: Money; compareAt?: Money }[]
}

export interface Prices {
  prices: Record<string, Price>
  problems: Problem[]
}

/** A rule or promotion that concerns a product, and why. */
interface Concerned {
  kind: 'rule' | 'promotion'
  rule: Pick<Rule, 'id' | 'name' | 'effect' | 'minPrice'>
  why: string
}

/** Thrown inside: this rule can't be used for this price. */
class Unusable extends Error {}

/**
 * Rules one after the other by priority, each on what the one before left; then, of the promotions under way, the one that leaves the lowest
 * price, if it is lower: promotions don't add up. A rule or promotion that can't be used for a variant is a problem, and is passed over.
 */
export function pricesOf(product: PricedProduct, book: Rulebook, now: Date): Prices {
  const problems: Problem[] = []
  if (product.status === 'deleted') return { prices: {}, problems }
  const rules: Concerned[] = []
  for (const rule of book.rules) {
    const why = inScope(rule.scope, product)
    if (why !== undefined) rules.push({ kind: 'rule', rule, why })
  }
  const promotions: Concerned[] = []
  const at = now.getTime()
  for (const promotion of book.promotions) {
    if (Date.parse(promotion.startsAt) > at || Date.parse(promotion.endsAt) <= at) continue
    const why = inScope(promotion.scope, product)
    if (why !== undefined) promotions.push({ kind: 'promotion', rule: promotion, why })
  }
  const priced: [string, Price][] = []
  for (const variant of product.variants) {
    const price = priceOf(variant, rules, promotions, problems)
    if (price) priced.push([variant.sku, price])
  }
  return { prices: Object.fromEntries(priced), problems }
}

function priceOf(
  { sku, list, compareAt }: PricedProduct['variants'][number],
  rules: Concerned[],
  promotions: Concerned[],
  problems: Problem[],
): Price | undefined {
  const { currency } = list
  if (exponentOf(currency) === undefined) {
    problems.push({ kind: 'price', id: sku, sku, reason: `unknown currency ${currency}` })
    return undefined
  }
  if (compareAt && compareAt.currency !== currency)
    problems.push({
      kind: 'price',
      id: sku,
      sku,
      reason: `compare-at price in ${compareAt.currency}, price in ${currency}`,
    })
  const price: Price = {
    list: list.amount,
    ...(compareAt?.currency === currency && { compareAt: compareAt.amount }),
    effective: list.amount,
    currency,
    applied: [],
  }
  const attempt = ({ kind, rule }: Concerned): number | undefined => {
    try {
      return affected(price.effective, currency, rule)
    } catch (error) {
      if (!(error instanceof Unusable)) throw error
      problems.push({ kind, id: rule.id, sku, reason: `${kind} ${rule.id}: ${error.message}` })
      return undefined
    }
  }
  const apply = ({ kind, rule, why }: Concerned, amount: number) => {
    const reason = `${rule.name}: ${saying(rule.effect)}, for ${why}`
    price.applied.push({ id: rule.id, kind, amountOff: price.effective - amount, reason })
    price.effective = amount
  }
  for (const concerned of rules) {
    const amount = attempt(concerned)
    if (amount !== undefined && amount !== price.effective) apply(concerned, amount)
  }
  let best: { concerned: Concerned; amount: number } | undefined
  for (const concerned of promotions) {
    const amount = attempt(concerned)
    if (amount !== undefined && amount < (best?.amount ?? price.effective)) best = { concerned, amount }
  }
  if (best) apply(best.concerned, best.amount)
  return price
}

/** The price that an effect makes of a price: whole minor units, never below 0 nor, by its own doing, below `minPrice`. Throws Unusable. */
function affected(before: number, currency: string, { effect, minPrice }: Concerned['rule']): number {
  const inCurrency = ({ amount, currency: other }: Money) => {
    if (other !== currency) throw new Unusable(`is in ${other}, the price in ${currency}`)
    return amount
  }
  const least = minPrice ? Math.min(before, inCurrency(minPrice)) : 0
  return Math.max(least, 0, changed(before, effect, inCurrency))
}

function changed(before: number, effect: Effect, inCurrency: (money: Money) => number): number {
  if ('percentOff' in effect) return before - percentOf(before, effect.percentOff)
  if ('amountOff' in effect) return before - inCurrency(effect.amountOff)
  if ('fixedPrice' in effect) return inCurrency(effect.fixedPrice)
  const { step, less } = effect.roundTo
  const steps = Math.floor(before / step) + ((before % step) * 2 >= step ? 1 : 0)
  const rounded = steps * step - less
  if (!Number.isSafeInteger(rounded)) throw new Unusable('makes a price too large')
  return rounded
}

/** Half up, in whole numbers: 12.5 % of 999 is 125. `percent` has at most two decimal places. */
export function percentOf(amount: number, percent: number): number {
  return Number((BigInt(amount) * BigInt(Math.round(percent * 100)) + 5_000n) / 10_000n)
}

function saying(effect: Effect): string {
  if ('percentOff' in effect) return `${effect.percentOff} % off`
  if ('amountOff' in effect) return `${inWords(effect.amountOff.amount, effect.amountOff.currency)} off`
  if ('fixedPrice' in effect) return `price ${inWords(effect.fixedPrice.amount, effect.fixedPrice.currency)}`
  const { step, less } = effect.roundTo
  return `rounded to ${step}${less > 0 ? ` less ${less}` : ''}`
}
