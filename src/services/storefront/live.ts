/**
 * Tells readers what changed, once it can be read: what they follow is looked up when the projection has committed, and each gets the newest state
 * of each thing. A reader that is slow misses states in between and never makes anything grow.
 */
import type { Logger } from 'pino'
import type { Database } from '../../engine/database.ts'
import { Unavailable } from '../../engine/unavailable.ts'
import type { Reader } from './reader.ts'
import { CHANNEL } from './storefront-projection.ts'

/** Changes are looked up at most this often, and after a failure. */
const EVERY_MS = 50
const AGAIN_MS = 1_000
const HEARTBEAT_MS = 15_000

/** A kind of thing that can be followed. */
export interface Topic {
  /** Those that changed after a tick, and what to tell a reader of each. */
  changed(ids: string[], after: number): Promise<Map<string, Change>>
}

export interface Change {
  tick: number
  /** In the reader's language; the last word on what is not there any more. */
  told(reader: Reader): Promise<{ event: string; data: object }>
}

export class Live {
  readonly #db: Database
  readonly #log: Logger
  readonly #topics: Record<string, Topic>
  readonly #max: number
  readonly #readers = new Set<Reader>()
  /** By topic and id. */
  readonly #followers = new Map<string, Map<string, Set<Reader>>>()
  #tick = 0
  #listening: Promise<() => Promise<void>> | undefined
  #beating: NodeJS.Timeout | undefined
  #waiting: NodeJS.Timeout | undefined
  #looking = false
  #again = false
  #closed = false

  constructor(db: Database, log: Logger, topics: Record<string, Topic>, max: number) {
    this.#db = db
    this.#log = log
    this.#topics = topics
    this.#max = max
  }

  get readers(): number {
    return this.#readers.size
  }

  /** Throws `unavailable` when there are too many readers, or everything is about to stop. */
  admit(): void {
    if (this.#closed) throw new Unavailable('the server is stopping')
    if (this.#readers.size >= this.#max)
      throw new Unavailable('as many readers as there may be follow live already', { limit: this.#max }, 5)
  }

  /**
   * Tells the reader how its things stand, but those it has seen as of `since`, and from then on what changes. Resolves once it has been told
   * how they stand; rejects, without following, when that can't be read.
   */
  async follow(reader: Reader, topic: string, ids: string[], since: number | undefined): Promise<void> {
    try {
      this.admit()
    } catch (error) {
      reader.end()
      throw error
    }
    this.#readers.add(reader)
    reader.onEnd(() => this.#forget(reader, topic, ids))
    const followers = this.#followers.get(topic) ?? new Map<string, Set<Reader>>()
    this.#followers.set(topic, followers)
    for (const id of ids) followers.set(id, (followers.get(id) ?? new Set()).add(reader))
    this.#listening ??= this.#db.listen(CHANNEL, () => this.#look())
    this.#beating ??= setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
    try {
      await this.#listening
      const tick = await this.#now()
      if (this.#tick === 0) this.#tick = tick
      // A place beyond the end is of another database: everything is new.
      const seen = since !== undefined && since <= tick ? since : -1
      reader.since(seen)
      const changes = await this.#topics[topic]?.changed(ids, seen)
      for (const id of ids) {
        const change = changes?.get(id)
        if (change) await this.#tell([reader], topic, id, change)
        else if (seen < 0) reader.push(`${topic} ${id}`, tick, 'gone', { id })
      }
      reader.begin(tick)
    } catch (error) {
      reader.end()
      throw error
    }
  }

  /** Ends all readers and hears of nothing more. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#beating)
    clearTimeout(this.#waiting)
    for (const reader of [...this.#readers]) reader.end()
    await (await this.#listening)?.()
  }

  #forget(reader: Reader, topic: string, ids: string[]) {
    this.#readers.delete(reader)
    const followers = this.#followers.get(topic)
    for (const id of ids) {
      const of = followers?.get(id)
      of?.delete(reader)
      if (of?.size === 0) followers?.delete(id)
    }
  }

  #beat() {
    for (const reader of this.#readers) reader.beat()
  }

  /** Now, or once more when a look is under way. */
  #look(): void {
    if (this.#looking || this.#waiting) {
      this.#again = true
      return
    }
    if (this.#readers.size === 0 || this.#closed) return
    this.#looking = true
    this.#again = false
    this.#lookOnce().then(
      () => this.#rest(EVERY_MS),
      (error) => {
        this.#log.warn({ err: error }, 'what changed in the storefront can not be read; it is told later')
        this.#again = true
        this.#rest(AGAIN_MS)
      },
    )
  }

  #rest(ms: number) {
    this.#looking = false
    this.#waiting = setTimeout(() => {
      this.#waiting = undefined
      if (this.#again) this.#look()
    }, ms).unref()
  }

  async #lookOnce() {
    const after = this.#tick
    // First the clock: what commits while the things are read is found again by the next look.
    const tick = await this.#now()
    for (const [topic, followers] of this.#followers) {
      const changes = await this.#topics[topic]?.changed([...followers.keys()], after)
      const told = new Set<Reader>()
      for (const [id, change] of changes ?? []) {
        const readers = [...(followers.get(id) ?? [])]
        await this.#tell(readers, topic, id, change)
        for (const reader of readers) told.add(reader)
      }
      for (const reader of told) reader.reached(tick)
    }
    this.#tick = tick
  }

  /** Readers of one language are told in the same words. */
  async #tell(readers: Reader[], topic: string, id: string, change: Change) {
    for (const of of Map.groupBy(readers, ({ language }) => language).values()) {
      const [first] = of
      if (!first) continue
      const { event, data } = await change.told(first)
      for (const reader of of) reader.push(`${topic} ${id}`, change.tick, event, data)
    }
  }

  async #now(): Promise<number> {
    const [row] = await this.#db<{ tick: number }>`select tick from storefront.clock`
    return row?.tick ?? 0
  }
}
