/** Begins checkouts and waits for what becomes of them. */
import type { Database } from '../../engine/database.ts'
import { pause } from '../../engine/deadline.ts'
import { Rejected } from '../../engine/decider.ts'
import type { CommandOptions } from '../../engine/executor.ts'
import { notFound } from '../../engine/http.ts'
import type { Buying } from './buying.ts'
import { begun, type CheckoutCommand } from './decider.ts'
import type { Driver } from './driver.ts'
import type { CartReader, Quote } from './ports.ts'
import { type CheckoutView, readCheckout, readState } from './read.ts'

export interface Wanted {
  id: string
  cartId?: string | undefined
  lines?: { sku: string; quantity: number }[] | undefined
  customerId?: string | undefined
  token: string
}

type Priced = Pick<
  Extract<CheckoutCommand, { type: 'start' }>,
  'customerId' | 'lines' | 'total' | 'currency' | 'refused'
>

const unpriced = { lines: [], total: 0, currency: '' }

export class Checkouts {
  readonly #db: Database
  readonly #buying: Buying
  readonly #driver: Driver
  readonly #quote: Quote
  readonly #cart: CartReader
  readonly #waitMs: number

  constructor(db: Database, buying: Buying, driver: Driver, given: { quote: Quote; cart: CartReader; waitMs: number }) {
    this.#db = db
    this.#buying = buying
    this.#driver = driver
    this.#quote = given.quote
    this.#cart = given.cart
    this.#waitMs = given.waitMs
  }

  /** Answers the checkout's id, the first one's when the key was used before. By then it is kept, and is driven to its end whatever happens. */
  async start({ id, cartId, lines, customerId, token }: Wanted, options: CommandOptions): Promise<string> {
    const priced = await this.#price(cartId, lines, customerId)
    const correlationId = options.correlationId ?? id
    const command = { type: 'start', id, cartId: cartId ?? null, token, correlationId, ...priced } as const
    const { answer } = await this.#buying.start(command, { ...options, correlationId })
    if (answer.id === id) void this.#driver.drive(begun(command, new Date()))
    return answer.id
  }

  async retry(id: string, options: CommandOptions): Promise<void> {
    await this.#buying.retry(id, options)
    const found = await readState(this.#db, id)
    if (found) void this.#driver.drive(found)
  }

  /** As it stands when it is over, or waits for somebody, or after a while. */
  async outcome(id: string): Promise<CheckoutView> {
    const driven = this.#driver.driven(id)
    if (driven) {
      const enough = new AbortController()
      await Promise.race([driven, pause(this.#waitMs, enough.signal)])
      enough.abort()
    }
    const found = await readCheckout(this.#db, id)
    if (!found) throw notFound('checkout', id)
    return found
  }

  /** Why it can't be priced travels with the command: one that was accepted before is answered as then, whatever can be bought now. */
  async #price(cartId: string | undefined, given: Wanted['lines'], customerId = ''): Promise<Priced> {
    let customer = customerId || null
    try {
      const cart = cartId === undefined ? undefined : await this.#cart(cartId)
      if (cartId !== undefined && !cart) throw notFound('cart', cartId)
      if (cart?.lines.length === 0) throw new Rejected('cart-empty', { cartId }, 'there is nothing in the cart')
      customer ??= cart?.customerId ?? null
      const { lines, total, currency } = await this.#quote(summed(cart?.lines ?? given ?? []))
      const kept = lines.map(({ sku, quantity, unitPrice }) => ({ sku, quantity, unitPrice }))
      return { customerId: customer, lines: kept, total, currency }
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      const { code, message, detail } = error
      return { customerId: customer, ...unpriced, refused: { code, message, detail } }
    }
  }
}

/** Each SKU once. */
function summed(lines: { sku: string; quantity: number }[]) {
  const sums = new Map<string, number>()
  for (const { sku, quantity } of lines) sums.set(sku, (sums.get(sku) ?? 0) + quantity)
  return [...sums].map(([sku, quantity]) => ({ sku, quantity }))
}
