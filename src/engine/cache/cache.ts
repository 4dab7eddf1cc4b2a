/**
 * A cache that never gives what was true before a change. An entry carries tags and stands only while each still has the generation it had
 * before the entry's making began; a change gives its tags new generations, in constant time whatever is cached. So a slow reader may store
 * what it likes: under the generations it began with, nobody finds it any more.
 */

/** Keeps a generation for every tag there can be. */
export interface Generations {
  /** Those of the tags as one text. Rejects when they can't be known: then nothing is taken from the cache or put into it. */
  read(tags: readonly string[]): Promise<string>
  /** Gives each tag a new one, which it never had before. */
  renew(tags: readonly string[]): Promise<void>
}

/** Keeps entries; the least recently used leave first. Rejects only when the generations do: what can't be reached holds nothing. */
export interface Store {
  /** What was set under exactly these generations; it may be looked for while they are not known yet. */
  get(key: string, generations: Promise<string>): Promise<Kept | undefined>
  set(key: string, generations: string, kept: Kept, seconds: number): Promise<void>
  /** Deletes these keys, so that who looks into Redis does not find them either; readers go by generations. */
  remove(keys: readonly string[]): Promise<void>
  /** Makes room at once; that nothing of before is given any more, generations see to. */
  clear(): Promise<void>
  entries(): Promise<number>
  readonly evictions: number
}

export interface Kept {
  /** Something that JSON can carry. */
  value: unknown
}

export interface Place {
  key: string
  tags: readonly string[]
}

export interface Made<Value> {
  value: Value
  /** How long it may be kept; 0 not at all. */
  seconds: number
}

export interface CacheStats {
  name: string
  /** Where entries are kept. */
  kept: 'memory' | 'redis'
  entries: number
  maxEntries: number
  /** Of this process since its start, as are the rest. */
  hits: number
  misses: number
  /** Hits among all reads that asked the cache, 0 to 1. */
  hitRate: number
  evictions: number
  /** Tags that changes gave a new generation. */
  invalidations: number
  /** Reads that went past the cache since it could not be asked. */
  bypassed: number
  /** Redis can't be reached at the moment. */
  fallback: boolean
}

export interface CacheParts {
  name: string
  kept: CacheStats['kept']
  maxEntries: number
  store: Store
  generations: Generations
  fallback?: () => boolean
}

/** Every entry has it: what clears a cache. */
const EVERYTHING = '*'

export class Cache {
  readonly name: string
  readonly #parts: CacheParts
  readonly #making = new Map<string, Promise<unknown>>()
  #hits = 0
  #misses = 0
  #invalidations = 0
  #bypassed = 0

  constructor(parts: CacheParts) {
    this.name = parts.name
    this.#parts = parts
  }

  /** What is kept, else what `make` answers; who asks for the same at the same time shares one making. */
  async fetch<Value>({ key, tags }: Place, make: () => Promise<Made<Value>>): Promise<Value> {
    const { store, generations } = this.#parts
    let now: string
    let kept: Kept | undefined
    try {
      const reading = generations.read([EVERYTHING, ...tags])
      kept = await store.get(key, reading)
      now = await reading
    } catch {
      this.#bypassed++
      return (await make()).value
    }
    if (kept) {
      this.#hits++
      return kept.value as Value
    }
    this.#misses++
    return this.#once(`${now} ${key}`, async () => {
      const { value, seconds } = await make()
      if (seconds > 0) await store.set(key, now, { value }, seconds)
      return value
    })
  }

  /** Forgets whatever carries one of the tags, and what is being made of it; the keys, if they are known, are deleted too. */
  async drop(tags: readonly string[], keys: readonly string[] = []): Promise<void> {
    this.dropped(tags.length)
    const { generations, store } = this.#parts
    await Promise.all([generations.renew(tags), keys.length > 0 && store.remove(keys)])
  }

  /** Counts tags that got a new generation elsewhere, such as in the transaction of the change. */
  dropped(tags: number): void {
    this.#invalidations += tags
  }

  async clear(): Promise<void> {
    await this.drop([EVERYTHING])
    await this.#parts.store.clear()
  }

  async stats(): Promise<CacheStats> {
    const { name, kept, maxEntries, store, fallback } = this.#parts
    const [hits, misses] = [this.#hits, this.#misses]
    return {
      name,
      kept,
      entries: await store.entries(),
      maxEntries,
      hits,
      misses,
      hitRate: hits + misses === 0 ? 0 : hits / (hits + misses),
      evictions: store.evictions,
      invalidations: this.#invalidations,
      bypassed: this.#bypassed,
      fallback: fallback?.() ?? false,
    }
  }

  #once<Value>(key: string, make: () => Promise<Value>): Promise<Value> {
    const under = this.#making.get(key) as Promise<Value> | undefined
    if (under) return under
    const making = make().finally(() => this.#making.delete(key))
    this.#making.set(key, making)
    return making
  }
}
