/** Availability answers in memory, dropped by events. An answer computed before a drop is never given after it, however late it is stored. */
import { LRUCache } from 'lru-cache'
import type { Holding } from './availability.ts'

interface Stored {
  /** When its making began. */
  since: number
  holding: Holding
}

export class AvailabilityCache {
  // A clock of its own: ticks with every reading begun and every drop.
  private now = 0
  /** Every answer begun until then is doubtful: drops of that age have been forgotten. */
  private forgotten = 0
  private readonly answers: LRUCache<string, Stored>
  private readonly drops: LRUCache<string, number>

  constructor(max = 10_000) {
    this.answers = new LRUCache({ max })
    this.drops = new LRUCache({
      max,
      dispose: (droppedAt, _productId, reason) => {
        if (reason === 'evict') this.forgotten = Math.max(this.forgotten, droppedAt)
      },
    })
  }

  get(productId: string, quantity: number): Holding | undefined {
    const found = this.answers.get(cacheKey(productId, quantity))
    return found && found.since > this.lastDrop(productId) ? found.holding : undefined
  }

  /** Call before inventory is asked, and give the answer to what it returns. */
  begin(productId: string, quantity: number): (holding: Holding, seconds: number) => void {
    const since = ++this.now
    return (holding, seconds) => {
      if (seconds > 0 && since > this.lastDrop(productId))
        this.answers.set(cacheKey(productId, quantity), { since, holding }, { ttl: seconds * 1000 })
    }
  }

  /** Forgets a product's answers for all quantities, and those still being made; constant time. */
  drop(productId: string): void {
    this.drops.set(productId, ++this.now)
  }

  private lastDrop(productId: string): number {
    return Math.max(this.drops.get(productId) ?? 0, this.forgotten)
  }
}

/** C, Example: the key of a cached availability. */
export const cacheKey = (productId: string, quantity: number) => `product_availability_${productId}_${quantity}`
