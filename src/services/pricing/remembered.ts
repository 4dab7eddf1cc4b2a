/** Prices for sales: read a tenth of a second ago at most, and not before anything that this process has since heard of them. */
import { LRUCache } from 'lru-cache'
import type { Money } from '../catalog/events.ts'

const rememberedMs = 100

export class RememberedPrices {
  readonly #read: (skus: string[]) => Promise<Map<string, Money>>
  readonly #kept = new LRUCache<string, Money>({ max: 10_000, ttl: rememberedMs, ttlResolution: 10 })
  #forgotten = 0

  constructor(read: (skus: string[]) => Promise<Map<string, Money>>) {
    this.#read = read
  }

  /** Something changed: what is being read now is not kept either. */
  forget(): void {
    this.#forgotten++
    this.#kept.clear()
  }

  /** Those without a price are left out, and asked for again each time. */
  async of(skus: string[]): Promise<Map<string, Money>> {
    const prices = new Map<string, Money>()
    const unknown: string[] = []
    for (const sku of skus) {
      const price = this.#kept.get(sku)
      if (price) prices.set(sku, price)
      else unknown.push(sku)
    }
    if (unknown.length === 0) return prices
    const since = this.#forgotten
    for (const [sku, price] of await this.#read(unknown)) {
      prices.set(sku, price)
      if (since === this.#forgotten) this.#kept.set(sku, price)
    }
    return prices
  }
}
