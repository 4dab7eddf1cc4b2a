/**
 * One who follows a cart: a Server-Sent Events connection that is told each of the cart's events once, in order, its version as `id`. What it has no room for
 * is not kept but read from the log when it has; one that takes nothing for half a minute is let go, and may come again with what it saw last.
 */
import type { ServerResponse } from 'node:http'

const PATIENCE_MS = 30_000
/** After what can't be read is tried again, and after which the browser comes again. */
const AGAIN_MS = 2_000

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
  readonly #response: ServerResponse
  readonly #source: Source
  #seen: number | undefined
  #behind = true
  #reading = false
  #full = false
  #over = false
  #patience: NodeJS.Timeout | undefined
  #again: NodeJS.Timeout | undefined
  #ended: (() => void) | undefined

  /** Takes the response over. `seen`: the version that was told last, on another connection. */
  constructor(response: ServerResponse, source: Source, seen: number | undefined) {
    this.#response = response
    this.#source = source
    this.#seen = seen
    response.on('drain', () => this.#drained())
    response.on('close', () => this.end())
    response.on('error', () => this.end())
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    this.#write(`retry: ${AGAIN_MS}\n\n`)
  }

  get seen(): number {
    return this.#seen ?? -1
  }

  onEnd(ended: () => void): void {
    if (this.#over) ended()
    else this.#ended = ended
  }

  /** Something happened. What follows what was told is told; anything else is found in the log. */
  heard(told: Told): void {
    if (this.#over || told.version <= this.seen) return
    if (!this.#behind && !this.#reading && !this.#full && told.version === this.seen + 1) this.#tell(told)
    else void this.catchUp()
  }

  /** Tells what is in the log and was not told yet, as far as there is room. Never rejects: what can't be read is tried again. */
  async catchUp(): Promise<void> {
    this.#behind = true
    if (this.#reading) return
    this.#reading = true
    try {
      while (this.#behind && !this.#full && !this.#over) {
        this.#behind = false
        for (const told of await this.#next()) {
          if (this.#full || this.#over) break
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

  /** Keeps proxies and the server from taking a quiet connection for a dead one. */
  beat(): void {
    if (!this.#full) this.#write(': here\n\n')
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#patience)
    clearTimeout(this.#again)
    if (this.#full) this.#response.destroy()
    else this.#response.end()
    this.#ended?.()
  }

  #tell({ version, event, data }: Told) {
    this.#seen = version
    this.#write(`id: ${version}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  #write(text: string) {
    if (this.#over || this.#response.write(text)) return
    this.#full = true
    clearTimeout(this.#patience)
    this.#patience = setTimeout(() => this.end(), PATIENCE_MS).unref()
  }

  #drained() {
    this.#full = false
    clearTimeout(this.#patience)
    if (this.#behind) void this.catchUp()
  }
}
