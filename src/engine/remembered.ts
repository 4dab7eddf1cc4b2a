/** What every sale has to know of its SKUs, as prices: read a tenth of a second ago at most, and not before anything that this process has since heard of them. */
import { LRUCache } from 'lru-cache'

const rememberedMs = 100

export class Remembered<Value extends {}> {
  readonly #read: (names: string[]) => Promise<ReadonlyMap<string, Value>>
  readonly #kept = new LRUCache<string, Value>({ max: 10_000, ttl: rememberedMs, ttlResolution: 10 })
  #forgotten = 0

  constructor(read: (names: string[]) => Promise<ReadonlyMap<string, Value>>) {
    this.#read = read
  }

  /** Something changed: what is being read now is not kept either. */
  forget(): void {
    this.#forgotten++
    this.#kept.clear()
  }

  /** Those of which nothing is known are left out, and asked for again each time. */
  async of(names: string[]): Promise<Map<string, Value>> {
    const values = new Map<string, Value>()
    const unknown: string[] = []
    for (const name of names) {
      const value = this.#kept.get(name)
      if (value === undefined) unknown.push(name)
      else values.set(name, value)
    }
    if (unknown.length === 0) return values
    const since = this.#forgotten
    for (const [name, value] of await this.#read(unknown)) {
      values.set(name, value)
      if (since === this.#forgotten) this.#kept.set(name, value)
    }
    return values
  }
}
