/** Entries and generations that processes share in Redis 5 or later; what a process has read it keeps in memory too. */
import { randomBytes } from 'node:crypto'
import type { Generations, Kept, Store } from './cache.ts'
import { MemoryStore } from './memory.ts'
import { epochKey, type RedisLink } from './redis-link.ts'

/** Longer than any entry lives. */
const tagSeconds = 86_400

// An entry, its turn among the least recently used, and room for it; answers how many living ones had to go.
const setScript = `
  local time = redis.call('time')
  redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
  redis.call('zadd', KEYS[2], time[1] * 1000000 + time[2], KEYS[1])
  local over = redis.call('zcard', KEYS[2]) - ARGV[3]
  local gone = 0
  if over > 0 then
    local oldest = redis.call('zpopmin', KEYS[2], over)
    for n = 1, #oldest, 2 do gone = gone + redis.call('del', oldest[n]) end
  end
  return gone`

const getScript = `
  local text = redis.call('get', KEYS[1])
  if text then
    local time = redis.call('time')
    redis.call('zadd', KEYS[2], 'xx', time[1] * 1000000 + time[2], KEYS[1])
  else redis.call('zrem', KEYS[2], KEYS[1]) end
  return { text, redis.call('pttl', KEYS[1]) }`

const renewScript = `for _, key in ipairs(KEYS) do redis.call('set', key, ARGV[1], 'ex', ARGV[2]) end`

/** Keys stand in Redis as they are; beside them a sorted set of each cache's keys by last use. */
export class RedisStore implements Store {
  readonly #link: RedisLink
  readonly #near: MemoryStore
  readonly #lru: string
  readonly #max: number
  #evictions = 0

  constructor(link: RedisLink, name: string, max: number) {
    this.#link = link
    this.#near = new MemoryStore(max)
    this.#lru = `lockstep:cache:${name}:used`
    this.#max = max
  }

  get evictions(): number {
    return this.#evictions
  }

  async get(key: string, generations: Promise<string>): Promise<Kept | undefined> {
    // Both questions travel together unless the answer may be here.
    const early = this.#near.has(key) ? undefined : this.#far(key)
    const now = await generations
    const near = this.#near.held(key, now)
    if (near) return near
    const held = await (early ?? this.#far(key))
    if (held?.generations !== now) return undefined
    if (held.ms > 0) await this.#near.set(key, now, held, held.ms / 1_000)
    return held
  }

  async #far(key: string): Promise<Held | undefined> {
    const found = await this.#ask((redis) => redis.eval(getScript, 2, key, this.#lru))
    const [text, ms] = (found ?? []) as [unknown?, unknown?]
    return typeof text === 'string' ? parsed(text, Number(ms)) : undefined
  }

  async set(key: string, generations: string, kept: Kept, seconds: number): Promise<void> {
    const ms = Math.ceil(seconds * 1_000)
    const text = JSON.stringify({ value: kept.value, generations })
    await this.#near.set(key, generations, kept, seconds)
    const gone = await this.#ask((redis) => redis.eval(setScript, 2, key, this.#lru, text, ms, this.#max))
    this.#evictions += Number(gone ?? 0)
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.#near.remove(keys)
    await this.#ask((redis) => Promise.all([redis.unlink(...keys), redis.zrem(this.#lru, ...keys)]))
  }

  async clear(): Promise<void> {
    await this.#near.clear()
    await this.#ask((redis) => redis.del(this.#lru)) // the entries themselves die of age
  }

  async entries(): Promise<number> {
    return (await this.#ask((redis) => redis.zcard(this.#lru))) ?? (await this.#near.entries())
  }

  async #ask<Result>(work: Parameters<RedisLink['use']>[0]): Promise<Result | undefined> {
    return this.#link.use(work).catch(() => undefined) as Promise<Result | undefined>
  }
}

interface Held extends Kept {
  generations: string
  /** It lives so many milliseconds yet, by Redis' clock: a copy must not live longer than its original. */
  ms: number
}

/** Whatever else stands under a key is no entry. */
function parsed(text: string, ms: number): Held | undefined {
  try {
    const held = JSON.parse(text) as Omit<Held, 'ms'> | null
    return typeof held?.generations === 'string' ? { ...held, ms } : undefined
  } catch {
    return undefined
  }
}

/**
 * Random texts, not counters: what Redis has forgotten (restart, eviction, FLUSHALL) comes back as something it never was. A tag that is missing
 * gets one from whoever reads it first.
 */
export class RedisGenerations implements Generations {
  readonly #link: RedisLink
  readonly #name: string

  constructor(link: RedisLink, name: string) {
    this.#link = link
    this.#name = name
  }

  async read(tags: readonly string[]): Promise<string> {
    const keys = [epochKey, ...tags.map((tag) => this.#key(tag))]
    return this.#link.use(async (redis) => {
      let found = await redis.mget(keys)
      if (found.includes(null)) {
        const pipeline = redis.pipeline()
        for (const [n, key] of keys.entries())
          if (found[n] === null) pipeline.set(key, random(), 'EX', tagSeconds, 'NX')
        await pipeline.exec()
        found = await redis.mget(keys)
      }
      if (found.includes(null)) throw new Error('Redis keeps no generations')
      return found.join()
    })
  }

  /** One command, whose cost is that of the tags alone. If Redis can't be told, it is asked nothing more until everything in it counts as forgotten. */
  async renew(tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return
    const keys = tags.map((tag) => this.#key(tag))
    await this.#link.use((redis) => redis.eval(renewScript, keys.length, ...keys, random(), tagSeconds)).catch(() => {})
  }

  #key(tag: string): string {
    return `lockstep:cache:${this.#name}:tag:${tag}`
  }
}

const random = () => randomBytes(9).toString('base64url')
