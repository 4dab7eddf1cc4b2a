/**
 * Keeps a mirror of the sync status in Redis, for programs of others to read; the truth is what sync-status.ts answers. One process writes at a time.
 * It costs a few statements and one pipeline a turn, whatever the turn holds. After any trouble it forgets what it knew and goes on from what Redis has.
 */
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { RedisGone } from '../cache/redis-link.ts'
import type { Database } from '../database.ts'
import { pause } from '../deadline.ts'
import { Known } from './known.ts'
import { canBeKept, LeaseLost, type Place, RedisStatuses, type Standing, type Use } from './redis-statuses.ts'
import { type Checkpoint, neededBy, troublesOf, withTroubles } from './statuses.ts'

/** Between two turns, while something is yet to be done, and otherwise. */
const TURN_MS = 50
const IDLE_MS = 1_000
/** Events of a turn at most, and when the keys of all of them may have to be looked up in the log. */
const EVENTS_MAX = 1_000
const LOOKED_UP_MAX = 500
/** Failing keys looked at when a process begins to write. */
const TROUBLES_MAX = 10_000

export interface MirrorOptions {
  db: Database
  log: Logger
  use: Use
  /** How long a product's keys stay after its last change. */
  seconds: number
  /** Of a key of the log, is it a product's? */
  isSubject: (key: string) => boolean
  /** All of them in order, for a rebuild. */
  subjects: (after: string, limit: number) => Promise<string[]>
  /** With nothing in Redis to go on from, so many of the last events are gone through. */
  lastEvents?: number
}

export interface MirrorState {
  /** Does this process write it? */
  writing: boolean
  /** Events that are not in it yet. */
  behind: number
  /** Products that are not done everywhere. */
  open: number
  rebuilding: boolean
}

export class SyncMirror {
  readonly #options: MirrorOptions
  readonly #redis: RedisStatuses
  /** Whatever the log has up to here is in Redis; undefined while this process does not write. */
  #position: number | undefined
  #failureId = 0
  #known = new Known(0)
  /** Keys to be looked up. */
  #due = new Set<string>()
  #cursor = '0'
  #sweepAt = 0
  /** There was as much to do as a turn takes. */
  #full = false
  #told = ''
  #wake: () => void = () => {}

  constructor(options: MirrorOptions) {
    this.#options = options
    this.#redis = new RedisStatuses(options.use, randomUUID(), options.seconds)
  }

  /** Something was committed. */
  woken(): void {
    this.#wake()
  }

  /** All products are written anew, by whichever process writes. */
  async rebuild(): Promise<void> {
    await this.#redis.rebuild()
    this.#wake()
  }

  async state(): Promise<MirrorState> {
    const [position = 0, rebuilt, open] = await Promise.all([
      this.#redis.position(),
      this.#redis.rebuilt(),
      this.#redis.openCount(),
    ])
    const [head] = await this.#options.db<{ position: number }>`select position from lockstep.head`
    const behind = Math.max(0, (head?.position ?? 0) - position)
    return { writing: this.#position !== undefined, behind, open, rebuilding: rebuilt !== undefined }
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const busy = await this.runOnce()
        this.#told = ''
        if (this.#position === undefined) await pause(IDLE_MS, signal)
        else if (this.#full) continue
        else await this.#rest(busy, signal)
      } catch (error) {
        this.#tell(error)
        await pause(IDLE_MS, signal)
      }
    }
    if (this.#position !== undefined) await this.#redis.release().catch(() => {})
    this.#position = undefined
  }

  /** One turn; true when there is more to do soon. One that fails is begun anew, from what Redis has. */
  async runOnce(): Promise<boolean> {
    try {
      this.#position ??= await this.#begin()
      return this.#position !== undefined && (await this.#turn(this.#position))
    } catch (error) {
      this.#position = undefined
      throw error
    }
  }

  async #turn(after: number): Promise<boolean> {
    const { db } = this.#options
    const sweep = performance.now() >= this.#sweepAt
    const limit = this.#known.certain ? EVENTS_MAX : LOOKED_UP_MAX
    const [checkpoints, events, failures, [now], rebuilt, swept] = await Promise.all([
      db<Checkpoint>`select name, patterns, position from lockstep.consumers order by name`,
      db<{ position: number; key: string; type: string }>`
        select position, key, type from lockstep.events where position > ${after} order by position limit ${limit}`,
      db<{ id: number; key: string }>`
        select id, key from lockstep.failures where id > ${this.#failureId} order by id limit ${LOOKED_UP_MAX}`,
      db<{ at: Date }>`select clock_timestamp() as at`,
      this.#redis.rebuilt(),
      sweep ? this.#redis.open(this.#cursor, LOOKED_UP_MAX) : undefined,
    ])
    this.#known.learn(
      checkpoints,
      events.filter(({ key }) => this.#isKept(key)),
    )
    for (const { key } of [...failures, ...(swept?.keys ?? []).map((key) => ({ key }))]) this.#due.add(key)
    const place = {
      position: events.at(-1)?.position ?? after,
      rebuilt: await this.#nextOfAll(rebuilt),
    }
    await this.#write(checkpoints, place, now?.at ?? new Date())
    this.#position = place.position
    this.#full = events.length === limit
    this.#failureId = failures.at(-1)?.id ?? this.#failureId
    if (swept) this.#cursor = swept.cursor
    // A pass over all that is open goes on at once; the next one begins a second later.
    if (swept) this.#sweepAt = this.#cursor === '0' ? performance.now() + IDLE_MS : 0
    this.#known.bound(place.position)
    return this.#known.size + events.length + this.#due.size > 0 || this.#cursor !== '0' || place.rebuilt !== undefined
  }

  /** Becomes the writer, and answers from where; what can't be seen from there is found in the sweep of what is open, or as a failure. */
  async #begin(): Promise<number | undefined> {
    if (!(await this.#redis.acquire())) return undefined
    const { db } = this.#options
    const [[log], kept, troubles] = await Promise.all([
      db<{ head: number; failure: number }>`
        select (select position from lockstep.head) as head, coalesce((select max(id) from lockstep.failures), 0) as failure`,
      this.#redis.position(),
      db<{
        key: string
      }>`select key from lockstep.unfinished union select key from lockstep.failures limit ${TROUBLES_MAX}`,
    ])
    const { head = 0, failure = 0 } = log ?? {}
    const { lastEvents = 10_000 } = this.#options
    // A place beyond the log's end is another database's.
    const position = kept !== undefined && kept <= head ? kept : Math.max(0, head - lastEvents)
    this.#known = new Known(position)
    this.#due = new Set(troubles.map(({ key }) => key))
    this.#failureId = failure
    this.#cursor = '0'
    this.#sweepAt = 0
    return position
  }

  /** Writes those that changed since they were written, as of the checkpoints. */
  async #write(checkpoints: Checkpoint[], place: Place, at: Date): Promise<void> {
    const { db } = this.#options
    for (const key of this.#takeDue()) this.#known.suspect(key)
    const keys = this.#known.turn()
    const uncertain = keys.filter((key) => !this.#known.isCertain(key))
    const [needed, troubles] = await Promise.all([
      uncertain.length > 0 ? neededBy(db, uncertain) : [],
      keys.length > 0 ? troublesOf(db, keys) : [],
    ])
    this.#known.found(uncertain, needed)
    const statuses = new Map(keys.map((key) => [key, this.#known.byPosition(key, checkpoints)]))
    const standings: Standing[] = []
    for (const [key, of] of withTroubles(statuses, troubles)) {
      const fresh = this.#known.written(key, of, checkpoints)
      if (fresh) standings.push({ key, statuses: of, fresh })
    }
    const refused = await this.#redis.write(standings, place, at)
    if (refused.length > 0) this.#tell(new Error(`what stands under product:sync:${refused[0]} is not a sync status`))
  }

  /** Of a rebuild: takes up the next keys; its place moves on with their writing. */
  async #nextOfAll(rebuilt: string | undefined): Promise<Place['rebuilt']> {
    if (rebuilt === undefined || this.#due.size > 0) return undefined
    const keys = await this.#options.subjects(rebuilt.slice(1), LOOKED_UP_MAX)
    for (const key of keys) this.#due.add(key)
    const last = keys.at(-1)
    return last === undefined ? 'end' : { key: last }
  }

  #takeDue(): string[] {
    const keys = [...this.#due].slice(0, LOOKED_UP_MAX)
    for (const key of keys) this.#due.delete(key)
    return keys.filter((key) => this.#isKept(key))
  }

  #isKept(key: string): boolean {
    return this.#options.isSubject(key) && canBeKept(key)
  }

  /** Once for each trouble; that Redis is gone, its link says. */
  #tell(error: unknown) {
    if (error instanceof RedisGone || error instanceof LeaseLost || (error as Error).message === this.#told) return
    this.#told = (error as Error).message
    this.#options.log.warn({ err: error }, 'the sync status in Redis is not as it should be')
  }

  async #rest(busy: boolean, signal: AbortSignal): Promise<void> {
    await pause(TURN_MS, signal)
    if (busy) return
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    await pause(IDLE_MS - TURN_MS, AbortSignal.any([signal, woken.signal]))
    this.#wake = () => {}
  }
}
