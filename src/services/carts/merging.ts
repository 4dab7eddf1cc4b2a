/**
 * What was put into an anonymous cart comes into the customer's when he logs in: quantities are added, as far as there is stock, and nothing of either
 * is lost. A line that is sold no more, or is out of stock, comes along with its notice. While a checkout buys either of them they stay apart: what is in it
 * would be bought, and in the other cart too.
 */
import { type Decision, Rejected } from '../../engine/decider.ts'
import { type CartsFact, cartEntity, LINES_MAX } from './decider.ts'
import type { Cart, CartLine, MergedLine } from './events.ts'
import { mustBeOpen } from './open.ts'
import { type Goods, marked } from './validation.ts'

const QUANTITY_MAX = 1_000_000_000

export function merge(into: Cart, from: Cart, goods: Goods[], at: string): Decision<CartsFact> {
  if (from.mergedInto === into.id) return { facts: [], answer: { id: into.id, merged: { from: from.id, lines: [] } } }
  mustBeOpen(into)
  mustBeOpen(from)
  if (into.customerId === null || (from.customerId !== null && from.customerId !== into.customerId)) {
    const message = 'an anonymous cart, or one of the same customer, is merged into a customer’s'
    throw new Rejected('cart-owner', { cartId: into.id, from: from.id }, message)
  }
  const now = new Map(goods.map((one) => [one.sku, one]))
  const lines = [...into.lines]
  const merged: MergedLine[] = []
  for (const theirs of from.lines) {
    const at = lines.findIndex(({ sku }) => sku === theirs.sku)
    const line = added(lines[at], theirs, now.get(theirs.sku))
    merged.push({ sku: line.sku, asked: theirs.quantity + (lines[at]?.quantity ?? 0), quantity: line.quantity })
    lines[at < 0 ? lines.length : at] = line
  }
  if (lines.length > LINES_MAX)
    throw new Rejected('cart-full', { most: LINES_MAX }, `a cart has at most ${LINES_MAX} lines`)
  const skus = from.lines.map(({ sku }) => sku)
  const told = { from: from.id, lines: merged }
  return {
    facts: [
      {
        type: 'cart.updated',
        entity: cartEntity(into.id),
        cart: { ...into, lines, updatedAt: at },
        skus,
        merged: told,
      },
      {
        type: 'cart.merged',
        entity: cartEntity(from.id),
        cart: { ...from, lines: [], mergedInto: into.id, updatedAt: at },
        skus,
      },
    ],
    answer: { id: into.id, merged: told },
  }
}

/** As many as both, at most what is there, but no fewer than the customer had himself. The price stays the one he saw. */
function added(mine: CartLine | undefined, theirs: CartLine, goods: Goods | undefined): CartLine {
  const both = Math.min((mine?.quantity ?? 0) + theirs.quantity, QUANTITY_MAX)
  const buyable = goods?.live && goods.available > 0
  const there = buyable ? goods.available : goods && mine ? mine.quantity : both
  const line = { ...(mine ?? theirs), quantity: Math.max(Math.min(both, there), mine?.quantity ?? 0) }
  // Of goods that nobody looked up nothing new is said; who reads the cart is told.
  return goods ? marked(line, goods) : line
}
