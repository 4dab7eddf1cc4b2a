/** What a line is told of its goods (document E, Update Cart Validation). */
import { isDeepStrictEqual } from 'node:util'
import type { Money } from '../catalog/events.ts'
import type { CartLine, Notice } from './events.ts'

/** A SKU as it can be bought now. */
export interface Goods {
  sku: string
  /** The product is active and has it. */
  live: boolean
  available: number
  /** What one costs; null when nobody knows. */
  price: Money | null
}

/** The line with the notices that are true now. One that was acknowledged stays so while it says the same. */
export function marked(line: CartLine, goods: Goods | undefined): CartLine {
  const notices = noticesOf(line, goods).map((notice): Notice => {
    const seen = line.notices.some(
      (old) => old.acknowledged && isDeepStrictEqual({ ...old, acknowledged: false }, notice),
    )
    return seen ? { ...notice, acknowledged: true } : notice
  })
  return { ...line, notices }
}

/** The line as somebody leaves it who has seen it: at the price of now, with nothing new. */
export function acknowledged(line: CartLine, goods: Goods | undefined): CartLine {
  const seen = { ...line, price: goods?.price ?? line.price }
  return { ...seen, notices: noticesOf(seen, goods).map((notice) => ({ ...notice, acknowledged: true })) }
}

function noticesOf({ quantity, price }: CartLine, goods: Goods | undefined): Notice[] {
  if (!goods?.live) return [{ kind: 'no-longer-sold', acknowledged: false }]
  const notices: Notice[] = []
  if (goods.available <= 0) notices.push({ kind: 'out-of-stock', acknowledged: false })
  else if (goods.available < quantity) {
    notices.push({ kind: 'only-left', left: goods.available, acknowledged: false })
  }
  const to = goods.price
  if (price && to && (to.amount !== price.amount || to.currency !== price.currency)) {
    notices.push({ kind: 'price-changed', from: price, to, acknowledged: false })
  }
  return notices
}
