/** The caches of a process: in memory alone, or shared over Redis. */
import type { Logger } from 'pino'
import { Cache, type CacheStats, type Generations } from './cache.ts'
import { MemoryGenerations, MemoryStore } from './memory.ts'
import { RedisGenerations, RedisStore } from './redis.ts'
import { RedisLink } from './redis-link.ts'

/** D, Cache Management. */
export const entriesMax = 10_000

export interface CacheOptions {
  maxEntries?: number
  /** Where changes are told; without it in memory or Redis, by `drop` in every process that hears of them. */
  generations?: Generations
}

export class Caches {
  /** To Redis, when there is one; for others of the process too. */
  readonly link: RedisLink | undefined
  readonly #open = new Map<string, Cache>()

  /** With a URL of Redis they are shared; it is asked for nothing before a cache is used. */
  constructor(log: Logger, redisUrl?: string) {
    this.link = redisUrl === undefined ? undefined : new RedisLink(redisUrl, log)
  }

  open(name: string, { maxEntries = entriesMax, generations }: CacheOptions = {}): Cache {
    if (this.#open.has(name)) throw new Error(`there is a cache ${name} already`)
    const link = this.link
    const parts = link
      ? {
          kept: 'redis' as const,
          store: new RedisStore(link, name, maxEntries),
          generations: generations ?? new RedisGenerations(link, name),
          fallback: () => !link.up,
        }
      : {
          kept: 'memory' as const,
          store: new MemoryStore(maxEntries),
          generations: generations ?? new MemoryGenerations(),
        }
    const cache = new Cache({ name, maxEntries, ...parts })
    this.#open.set(name, cache)
    return cache
  }

  get(name: string): Cache | undefined {
    return this.#open.get(name)
  }

  stats(): Promise<CacheStats[]> {
    return Promise.all([...this.#open.values()].map((cache) => cache.stats()))
  }

  /** Redis is wanted and not there. */
  get fallback(): boolean {
    return this.link !== undefined && !this.link.up
  }

  /** After the first try to reach Redis. */
  async ready(): Promise<void> {
    await this.link?.connect()
  }

  async close(): Promise<void> {
    await this.link?.close()
  }
}
