/** Customers of the demo: they order, hold things in a cart, change their mind and send things back. */
import { randomUUID } from 'node:crypto'
import { demoProducts } from './products.ts'
import { actor, type DemoShop, type Random } from './shop.ts'

interface Sale {
  orderId: string
  lines: { sku: string; quantity: number }[]
}

/** Sales remembered for returns. */
const remembered = 50

export class Sales {
  readonly #shop: DemoShop
  readonly #random: Random
  readonly #skus = demoProducts().flatMap(({ product }) => product.variants.map(({ sku }) => sku))
  readonly #sales: Sale[] = []
  readonly #held: string[] = []

  constructor(shop: DemoShop, random: Random) {
    this.#shop = shop
    this.#random = random
  }

  async order(): Promise<void> {
    const sale = { orderId: `demo-${randomUUID()}`, lines: this.#basket() }
    const customerId = `customer-${1 + Math.floor(this.#random() * 20)}`
    await this.#shop.inventory.execute({ type: 'order', customerId, ...sale }, { actor, key: `order:${sale.orderId}` })
    this.#sales.push(sale)
    if (this.#sales.length > remembered) this.#sales.shift()
  }

  async reserve(): Promise<void> {
    const reservationId = randomUUID()
    const lines = this.#basket()
    await this.#shop.inventory.execute({ type: 'reserve', reservationId, lines, ttlSeconds: 30 }, { actor })
    this.#held.push(reservationId)
  }

  /** Most carts are bought, some are left, and a few are forgotten until they expire. */
  async closeReservation(): Promise<void> {
    const reservationId = this.#held.shift()
    if (reservationId === undefined) return this.reserve()
    const dice = this.#random()
    if (dice < 0.85)
      await this.#shop.inventory.execute({ type: dice < 0.6 ? 'confirm' : 'release', reservationId }, { actor })
  }

  async giveBack(): Promise<void> {
    const [sale] = this.#sales.splice(Math.floor(this.#random() * this.#sales.length), 1)
    const [line] = sale?.lines ?? []
    if (!sale || !line) return this.order()
    const lines = [{ sku: line.sku, quantity: 1 }]
    const returned = { type: 'return', orderId: sale.orderId, returnId: randomUUID(), lines } as const
    await this.#shop.inventory.execute({ ...returned, reason: 'changed my mind' }, { actor })
  }

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
