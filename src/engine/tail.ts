/** The one reader of the log in a process: it keeps the newest events in memory for all consumers, and wakes them. */
import { randomUUID } from 'node:crypto'
import type { Database } from './database.ts'
import { type LoggedEvent, matches } from './event.ts'
import { CHANNEL, headPosition, read as readLog } from './log.ts'

const CHUNK = 5_000
/** Characters of data read at once, about. How large events are shows in those read before: the first ones are few, then up to four times as many. */
const READ_CHARACTERS = 500_000
const FIRST_READ = 250
/** What is kept in memory at most: events, and characters of their data. */
const WINDOW_EVENTS = 10_000
const WINDOW_CHARACTERS = 4_000_000
/** Milliseconds between two notifications of other processes at least: each takes a lock that all who notify share. */
const ANNOUNCE_MS = 5

type Observer = { on: string[]; seen: (events: LoggedEvent[]) => void }

export class Tail {
  /** The newest position seen. Undefined until started. */
  position: number | undefined
  /** What had committed by then was seen. Milliseconds on the monotonic clock; undefined until the log's end was found. */
  seenAt: number | undefined
  /** The last event that anybody in this process has seen or was told of: a log without it has lost commits. */
  newest: LoggedEvent | undefined
  #window: LoggedEvent[] = []
  #characters = 0
  #observers: Observer[] = []
  #waiting = new Set<() => void>()
  /** Events to be read from the database at once, as large as they are. */
  #room = FIRST_READ
  #wake: () => void = () => {}
  /** Has seen the log up to `position`, and will see what follows. */
  #following = false
  /** Appended in this process, behind something that was not seen yet. */
  #early: LoggedEvent[][] = []
  #announcing = false
  #announceAgain = false
  /** Tells its own notifications from others'. */
  readonly #name = randomUUID()
  #running = false
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  observe(on: string[], seen: (events: LoggedEvent[]) => void): void {
    this.#observers.push({ on, seen })
  }

  /**
   * Events were appended in this process: they are taken as they are if they follow what was seen, and read otherwise. Other processes' tails are
   * woken by one notification, however many commits there were meanwhile.
   */
  appended(events: LoggedEvent[]): void {
    this.#note(events)
    if (this.#following) {
      this.#early.push(events)
      this.#takeEarly()
      // Of two commits the later one may be heard of first; what another process appended in between has to be read.
      if (this.#early.length > 0) setImmediate(() => this.#early.length > 0 && this.#wake())
    }
    void this.#announce()
  }

  /** Events after a position: from memory when they are there, from the database otherwise. */
  async read(after: number, limit: number): Promise<LoggedEvent[]> {
    const first = this.#window[0]
    if (first && this.position !== undefined && after >= first.position - 1) {
      const from = after - first.position + 1
      return this.#window.slice(from, from + limit)
    }
    return this.#readLog(after, limit)
  }

  /** No more than there is memory for, at least one. */
  async #readLog(after: number, limit: number): Promise<LoggedEvent[]> {
    const events = await readLog(this.#db, after, Math.min(limit, this.#room))
    this.#note(events)
    if (events.length > 0) {
      const fits = READ_CHARACTERS / (events.reduce((sum, event) => sum + sizeOf(event), 1) / events.length)
      this.#room = Math.max(1, Math.floor(Math.min(fits, Math.max(FIRST_READ, 4 * events.length))))
    }
    return events
  }

  /** What is in memory of the log's end. */
  known(): LoggedEvent[] {
    const known = [...this.#window, ...this.#early.flat(), ...(this.newest ? [this.newest] : [])]
    return [...new Map(known.map((event) => [event.id, event])).values()]
  }

  /** Is there anything after a position? */
  async has(after: number): Promise<boolean> {
    return this.position === undefined ? (await this.read(after, 1)).length > 0 : this.position > after
  }

  /** Resolves once there is something after the position, or after `ms`, or when the signal fires. */
  async beyond(after: number, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || (this.position ?? 0) > after) return
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#waiting.delete(done)
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done)
      this.#waiting.add(done)
    })
  }

  /** Wakes everybody who waits: something other than an event asks for attention. */
  nudge(): void {
    for (const done of [...this.#waiting]) done()
  }

  async run(signal: AbortSignal): Promise<void> {
    const unlisten = await this.#db.listen(CHANNEL, (from) => from !== this.#name && this.#wake())
    this.#running = true
    let woken = true
    let resume: () => void = () => {}
    this.#wake = () => {
      woken = true
      resume()
    }
    signal.addEventListener('abort', () => resume())
    try {
      while (!signal.aborted) {
        woken = false
        const more = await this.runOnce().catch((error) => {
          if (error?.name === 'LogBroken') throw error
          return false
        })
        if (more || woken || signal.aborted) continue
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 500)
          resume = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    } finally {
      this.#wake = () => {}
      this.#running = this.#following = false
      this.#early = []
      await unlisten().catch(() => {})
    }
  }

  /** Reads what is new once; true when there may be more. */
  async runOnce(): Promise<boolean> {
    const now = performance.now()
    if (this.position === undefined) {
      const end = await headPosition(this.#db)
      if (end > 0) this.#note(await readLog(this.#db, end - 1, 1))
      this.position ??= end
    }
    const asked = Math.min(CHUNK, this.#room)
    const read = await this.#readLog(this.position, asked)
    this.#take(read)
    this.#takeEarly()
    const whole = read.length < asked
    if (whole) {
      this.#following = this.#running
      this.seenAt = now
    }
    return !whole
  }

  #takeEarly() {
    let next: LoggedEvent[] | undefined
    const follows = ([first]: LoggedEvent[]) => (first as LoggedEvent).position <= (this.position as number) + 1
    while ((next = this.#early.find(follows))) {
      this.#early.splice(this.#early.indexOf(next), 1)
      this.#take(next)
    }
  }

  /** Takes what was not seen yet of events that follow each other. */
  #take(some: LoggedEvent[]) {
    const seen = this.position as number
    const events = some[0] && some[0].position <= seen ? some.filter((event) => event.position > seen) : some
    const last = events.at(-1)
    if (!last) return
    this.#note(events)
    this.#keep(events)
    this.position = last.position
    for (const { on, seen } of this.#observers) {
      const concerned = events.filter((event) => on.some((pattern) => matches(pattern, event.type)))
      if (concerned.length > 0) seen(concerned)
    }
    this.nudge()
  }

  #note(events: LoggedEvent[]) {
    const last = events.at(-1)
    if (last && last.position > (this.newest?.position ?? 0)) this.newest = last
  }

  #keep(events: LoggedEvent[]) {
    this.#window.push(...events)
    for (const event of events) this.#characters += sizeOf(event)
    this.#withoutHoles()
    let excess = 0
    while (
      this.#window.length - excess > WINDOW_EVENTS ||
      (this.#characters > WINDOW_CHARACTERS && excess < this.#window.length - 1)
    ) {
      this.#characters -= sizeOf(this.#window[excess] as LoggedEvent)
      excess++
    }
    // Dropped in bulk, so that the window is not moved for every chunk.
    if (excess > 0) this.#window = this.#window.slice(excess)
  }

  /** A place in the window is counted from its first event, so behind a hole, where retention has thinned the log, it begins anew. */
  #withoutHoles() {
    const [first, last] = [this.#window[0], this.#window.at(-1)]
    if (!first || !last || last.position - first.position + 1 === this.#window.length) return
    let from = this.#window.length - 1
    while (this.#window[from - 1]?.position === (this.#window[from] as LoggedEvent).position - 1) from--
    this.#window = this.#window.slice(from)
    this.#characters = this.#window.reduce((sum, event) => sum + sizeOf(event), 0)
  }

  async #announce() {
    if (this.#announcing) {
      this.#announceAgain = true
      return
    }
    this.#announcing = true
    do {
      this.#announceAgain = false
      await this.#db`select pg_notify(${CHANNEL}, ${this.#name})`.catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, ANNOUNCE_MS).unref())
    } while (this.#announceAgain)
    this.#announcing = false
  }
}

const sizeOf = (event: LoggedEvent) => (event as LoggedEvent & { size: number }).size
