/** Entries and generations in this process alone. */
import { LRUCache } from 'lru-cache'
import type { Generations, Kept, Store } from './cache.ts'

interface Held extends Kept {
  generations: string
}

/** Characters of JSON that the entries of a cache may have together: objects take about three bytes for each. */
const charactersMax = 32 * 1024 * 1024

export class MemoryStore implements Store {
  evictions = 0
  readonly #held: LRUCache<string, Held>

  constructor(max: number, maxSize = charactersMax) {
    this.#held = new LRUCache({
      max,
      maxSize,
      sizeCalculation: ({ value }) => JSON.stringify(value)?.length || 1,
      dispose: (_held, _key, reason) => {
        if (reason === 'evict') this.evictions++
      },
    })
  }

  async get(key: string, generations: Promise<string>): Promise<Kept | undefined> {
    return this.held(key, await generations)
  }

  held(key: string, generations: string): Kept | undefined {
    const held = this.#held.get(key)
    return held?.generations === generations ? held : undefined
  }

  has(key: string): boolean {
    return this.#held.has(key)
  }

  async set(key: string, generations: string, { value }: Kept, seconds: number): Promise<void> {
    this.#held.set(key, { value, generations }, { ttl: seconds * 1_000 })
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#held.delete(key)
  }

  async clear(): Promise<void> {
    this.#held.clear()
  }

  async entries(): Promise<number> {
    this.#held.purgeStale()
    return this.#held.size
  }
}

/** Tags of which a generation is remembered. */
const tagsMax = 100_000

/**
 * Only right where every change is heard in this process. A forgotten tag has the generation of the last one forgotten: that takes some
 * entries too many, and none too few.
 */
export class MemoryGenerations implements Generations {
  #last = 0
  #forgotten = 0
  readonly #known: LRUCache<string, number>

  constructor(max = tagsMax) {
    this.#known = new LRUCache({
      max,
      dispose: (generation, _tag, reason) => {
        if (reason === 'evict') this.#forgotten = Math.max(this.#forgotten, generation)
      },
    })
  }

  async read(tags: readonly string[]): Promise<string> {
    return tags.map((tag) => this.#known.peek(tag) ?? this.#forgotten).join()
  }

  async renew(tags: readonly string[]): Promise<void> {
    for (const tag of tags) this.#known.set(tag, ++this.#last)
  }
}
