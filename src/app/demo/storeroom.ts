/** The demo's storeroom: what is scarce comes in, at once or announced for later, and goods move between warehouses. */
import { randomUUID } from 'node:crypto'
import { demoProducts, demoWarehouses } from './products.ts'
import { actor, among, type DemoShop, type Random } from './shop.ts'

type Kind = 'receipt' | 'transfer'

/** Deliveries under way at most; more are waited for first. */
const underWayMost = 6
const dayMs = 86_400_000

export class Storeroom {
  readonly #shop: DemoShop
  readonly #random: Random
  readonly #skus = demoProducts().flatMap(({ product }) => product.variants.map(({ sku }) => sku))
  readonly #underWay: { deliveryId: string; kind: Kind }[] = []

  constructor(shop: DemoShop, random: Random) {
    this.#shop = shop
    this.#random = random
  }

  /** What is scarcest comes in. */
  async restock(): Promise<void> {
    const scarce = await this.#scarcest()
    if (!scarce || scarce.available > 2) return
    const command = { type: 'adjust', sku: scarce.sku, delta: this.#box(), trigger: 'SCHEDULED_SYNC' } as const
    await this.#shop.inventory.execute({ ...command, reason: 'delivery' }, { actor })
  }

  /** What is scarcest is promised for a day of this week: storefronts tell when. */
  async announce(): Promise<void> {
    const scarce = await this.#scarcest()
    if (!scarce) return
    if (this.#underWay.length >= underWayMost) return this.receive()
    const deliveryId = randomUUID()
    const expectedAt = new Date(Date.now() + dayMs * (1 + Math.floor(this.#random() * 6))).toISOString()
    const lines = [{ sku: scarce.sku, quantity: this.#box() }]
    await this.#shop.inventory.execute({ type: 'announce', deliveryId, to: 'main', lines, expectedAt }, { actor })
    this.#underWay.push({ deliveryId, kind: 'receipt' })
  }

  /** The first that is under way arrives. */
  async receive(): Promise<void> {
    const delivery = this.#underWay.shift()
    if (delivery) await this.#shop.inventory.execute({ type: 'receive', ...delivery }, { actor })
  }

  /** A piece or two leave the main warehouse for another. */
  async transfer(): Promise<void> {
    if (this.#underWay.length >= underWayMost) return this.receive()
    const deliveryId = randomUUID()
    const to = among(this.#random, demoWarehouses.slice(1)).id
    const lines = [{ sku: among(this.#random, this.#skus), quantity: this.#random() < 0.6 ? 1 : 2 }]
    await this.#shop.inventory.execute({ type: 'announce', deliveryId, from: 'main', to, lines }, { actor })
    this.#underWay.push({ deliveryId, kind: 'transfer' })
  }

  #box = () => 8 + Math.floor(this.#random() * 20)

  async #scarcest() {
    const [scarce] = await this.#shop.db<{ sku: string; available: number }>`
      select   l.sku, sum(l.on_hand - l.reserved)::int as available
      from     inventory.levels l
      join     inventory.stock s using (sku)
      where    l.sku = any(${this.#skus}::text[]) and s.active
      group by l.sku
      order by available, l.sku
      limit    1`
    return scarce
  }
}
