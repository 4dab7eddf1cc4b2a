/**
 * One connection to Redis that may go away: then every use is refused at once, it is said aloud once, and once Redis is back everything of before
 * counts as forgotten, since changes may have been missed meanwhile.
 */
import { randomUUID } from 'node:crypto'
import type { Redis, RedisOptions } from 'ioredis'
import type { Logger } from 'pino'

/** Renewed whenever anybody connects: part of every generation. */
export const epochKey = 'lockstep:cache:epoch'

/** A reader waits no longer for an answer; then Redis counts as gone. */
const COMMAND_MS = 500

const options: RedisOptions = {
  lazyConnect: true,
  enableAutoPipelining: true,
  connectTimeout: 2_000,
  commandTimeout: COMMAND_MS,
  // Refused at once instead of kept for later: whoever reads asks the database.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  // After a short reset ioredis may wait for ever for answers to what it sent again (redis/ioredis #1888).
  autoResendUnfulfilledCommands: false,
  retryStrategy: (tries) => Math.min(50 * 2 ** Math.min(tries, 10), 1_000),
}

export class RedisGone extends Error {
  override name = 'RedisGone'
}

export class RedisLink {
  readonly #url: string
  readonly #log: Logger
  #opening: Promise<void> | undefined
  #client: Redis | undefined
  #up = false
  /** Grows each time it is back. */
  #life = 0
  #told = false
  #closed = false

  /** Connects at its first use. */
  constructor(url: string, log: Logger) {
    this.#url = url
    this.#log = log
  }

  get up(): boolean {
    return this.#up
  }

  /** Rejects with RedisGone while it is gone, and when it goes away over this. */
  async use<Result>(work: (redis: Redis) => Promise<Result>): Promise<Result> {
    if (!this.#up || !this.#client) {
      void this.connect()
      throw new RedisGone('Redis is not there')
    }
    const life = this.#life
    try {
      return await work(this.#client)
    } catch (error) {
      // The first that fails hangs up, for all that wait: a later one must not end the connection that came after.
      if (this.#up && life === this.#life) this.#lost(error)
      throw new RedisGone('Redis did not answer', { cause: error })
    }
  }

  /** Resolves once the first try has ended either way; later ones happen by themselves. */
  connect(): Promise<void> {
    return (this.#opening ??= this.#open())
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#up = false
    await this.#opening
    this.#client?.disconnect()
  }

  async #open(): Promise<void> {
    const { Redis } = await import('ioredis')
    if (this.#closed) return
    const client = new Redis(this.#url, options)
    this.#client = client
    client.on('error', (error) => this.#tell(error))
    client.on('close', () => this.#tell(new Error('the connection was closed')))
    const ready = new Promise<void>((resolve) => {
      client.on('close', resolve)
      client.on('ready', () => void this.#begin(client).then(resolve))
    })
    client.connect().catch(() => {}) // heard as an error
    await ready
  }

  /** Nothing is used before everything of the time before is forgotten. */
  async #begin(client: Redis): Promise<void> {
    try {
      await client.set(epochKey, randomUUID())
      if (this.#closed) return
      this.#up = true
      this.#life++
      if (this.#told) this.#log.info('Redis is back; the cache begins anew')
      this.#told = false
    } catch (error) {
      this.#lost(error)
    }
  }

  #lost(error: unknown): void {
    this.#tell(error)
    this.#client?.disconnect(true)
  }

  #tell(error: unknown): void {
    this.#up = false
    if (this.#told || this.#closed) return
    this.#told = true
    this.#log.warn({ err: error }, 'Redis is gone; reads ask the database until it is back')
  }
}
