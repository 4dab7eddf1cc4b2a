/** Customers of the demo: they order, hold things in a cart, change their mind and send things back; and the shop sends what they bought. */
import { randomUUID } from 'node:crypto'
import { demoProducts } from './products.ts'
import { actor, type DemoShop, type Random } from './shop.ts'

interface Sale {
  orderId: string
  lines: { sku: string; quantity: number }[]
}

/** Sales under way that are remembered. */
const remembered = 50
const customers = 20

export class Sales {
  readonly #shop: DemoShop
  readonly #random: Random
  readonly #skus = demoProducts().flatMap(({ product }) => product.variants.map(({ sku }) => sku))
  /** Ordered; paid; sent. */
  readonly #open: Sale[] = []
  readonly #paid: Sale[] = []
  readonly #sent: Sale[] = []
  readonly #held: (Sale & { reservationId: string })[] = []

  constructor(shop: DemoShop, random: Random) {
    this.#shop = shop
    this.#random = random
  }

  async order(): Promise<void> {
    const sale = { orderId: `demo-${randomUUID()}`, lines: this.#basket() }
    const customerId = this.#someone()
    await this.#shop.orders.execute({ type: 'place', customerId, ...sale }, { actor, key: `order:${sale.orderId}` })
    remember(this.#open, sale)
  }

  /** A cart is filled and bought; now and then the card is declined, and everything goes back. */
  async buy(): Promise<void> {
    const cartId = `demo-${randomUUID()}`
    const customerId = this.#someone()
    await this.#shop.carts.execute({ type: 'create', cartId, customerId, anonymousId: null }, { actor })
    const basket = this.#basket()
    const known = new Map(
      (await this.#shop.carts.goods(basket.map(({ sku }) => sku))).map((goods) => [goods.sku, goods]),
    )
    for (const line of basket) {
      const goods = known.get(line.sku)
      await this.#shop.carts.execute({ type: 'put', cartId, ...line, ...(goods && { goods }) }, { actor })
    }
    const token = this.#random() < 0.9 ? 'tok_visa' : 'tok_decline'
    await this.#shop.checkout.start({ id: randomUUID(), cartId, token }, { actor })
  }

  async reserve(): Promise<void> {
    const held = { reservationId: randomUUID(), orderId: `demo-${randomUUID()}`, lines: this.#basket() }
    await this.#shop.inventory.execute({ type: 'reserve', ...held, ttlSeconds: 30 }, { actor })
    this.#held.push(held)
  }

  /** Most carts are bought, some are left, and a few are forgotten until they expire. */
  async closeReservation(): Promise<void> {
    const held = this.#held.shift()
    if (held === undefined) return this.reserve()
    const { reservationId, orderId, lines } = held
    const dice = this.#random()
    if (dice < 0.6) {
      const sold = { type: 'confirm', reservationId, orderId, lines, customerId: this.#someone() } as const
      await this.#shop.orders.execute(sold, { actor })
      remember(this.#open, { orderId, lines })
    } else if (dice < 0.85) await this.#shop.inventory.execute({ type: 'release', reservationId }, { actor })
  }

  /** The oldest order is paid, or, now and then, called off. */
  async settle(): Promise<void> {
    const sale = this.#open.shift()
    if (!sale) return this.order()
    const { orderId } = sale
    if (this.#random() < 0.1)
      return void (await this.#shop.orders.execute(
        { type: 'cancel', orderId, reason: 'ordered by mistake' },
        { actor },
      ))
    await this.#shop.orders.execute({ type: 'mark', orderId, status: 'paid' }, { actor })
    remember(this.#paid, sale)
  }

  /** The oldest that is paid leaves the house. */
  async send(): Promise<void> {
    const sale = this.#paid.shift()
    if (!sale) return this.settle()
    await this.#shop.orders.execute({ type: 'mark', orderId: sale.orderId, status: 'fulfilled' }, { actor })
    remember(this.#sent, sale)
  }

  async giveBack(): Promise<void> {
    const [sale] = this.#sent.splice(Math.floor(this.#random() * this.#sent.length), 1)
    const [line] = sale?.lines ?? []
    if (!sale || !line) return this.send()
    const lines = [{ sku: line.sku, quantity: 1 }]
    const returned = { type: 'return', orderId: sale.orderId, returnId: randomUUID(), lines } as const
    await this.#shop.orders.execute({ ...returned, reason: 'changed my mind' }, { actor })
  }

  #someone = () => `customer-${1 + Math.floor(this.#random() * customers)}`

  /** One to three lines, mostly of one piece; some things sell much better than others. */
  #basket(): Sale['lines'] {
    const lines = new Map<string, number>()
    const size = this.#random() < 0.65 ? 1 : this.#random() < 0.7 ? 2 : 3
    for (let n = 0; n < size; n++) {
      const sku = this.#skus[Math.floor(this.#random() ** 3 * this.#skus.length)] ?? ''
      lines.set(sku, this.#random() < 0.85 ? 1 : 2)
    }
    return Array.from(lines, ([sku, quantity]) => ({ sku, quantity }))
  }
}

function remember(list: Sale[], sale: Sale): void {
  list.push(sale)
  if (list.length > remembered) list.shift()
}
