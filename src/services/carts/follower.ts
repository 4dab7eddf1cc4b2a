/**
 * One who follows a cart: a Server-Sent Events connection that is told each of the cart's events once, in order, its version as `id`. What it has no room for
 * is not kept but read from the log when it has; one that takes nothing for half a minute is let go, and may come again with what it saw last.
 */
import type { ServerResponse } from 'node:http'
import { AGAIN_MS, EventStream } from '../../engine/event-stream.ts'

/** `version`: of the cart after it. */
export interface Told {
  version: number
  event: string
  data: object
}

export interface Source {
  /** Up to a page of what happened after a version, in order. */
  after(version: number): Promise<Told[]>
  /** How it stands, for who has seen nothing of it, or too long ago for the log. */
  now(): Promise<Told | undefined>
}

export class Follower {
  readonly #stream: EventStream
  readonly #source: Source
  #seen: number | undefined
  #behind = true
  #reading = false
  #again: NodeJS.Timeout | undefined

  /** Takes the response over. `seen`: the version that was told last, on another connection. */
  constructor(response: ServerResponse, source: Source, seen: number | undefined) {
    this.#source = source
    this.#seen = seen
    this.#stream = new EventStream(response, {
      drained: () => {
        if (this.#behind) void this.catchUp()
      },
      over: () => clearTimeout(this.#again),
    })
  }

  get seen(): number {
    return this.#seen ?? -1
  }

  onEnd(ended: () => void): void {
    this.#stream.onEnd(ended)
  }

  /** Something happened. What follows what was told is told; anything else is found in the log. */
  heard(told: Told): void {
    if (this.#stream.over || told.version <= this.seen) return
    if (!this.#behind && !this.#reading && !this.#stream.full && told.version === this.seen + 1) this.#tell(told)
    else void this.catchUp()
  }

  /** Tells what is in the log and was not told yet, as far as there is room. Never rejects: what can't be read is tried again. */
  async catchUp(): Promise<void> {
    this.#behind = true
    if (this.#reading) return
    this.#reading = true
    try {
      while (this.#behind && !this.#stream.full && !this.#stream.over) {
        this.#behind = false
        for (const told of await this.#next()) {
          if (this.#stream.full || this.#stream.over) break
          this.#tell(told)
          this.#behind = true // perhaps there is more
        }
      }
    } catch {
      this.#behind = true
      clearTimeout(this.#again)
      this.#again = setTimeout(() => void this.catchUp(), AGAIN_MS).unref()
    } finally {
      this.#reading = false
    }
  }

  async #next(): Promise<Told[]> {
    const seen = this.#seen
    const page = seen === undefined ? [] : await this.#source.after(seen)
    if (seen !== undefined && (page.length === 0 || page[0]?.version === seen + 1)) return page
    const now = await this.#source.now()
    return now ? [now] : []
  }

  beat(): void {
    this.#stream.beat()
  }

  end(): void {
    this.#stream.end()
  }

  #tell({ version, event, data }: Told) {
    this.#seen = version
    this.#stream.write(`id: ${version}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }
}
