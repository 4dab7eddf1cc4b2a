/** One who follows live: a Server-Sent Events connection that keeps the newest state of each thing until the reader has room for it. */
import type { ServerResponse } from 'node:http'
import type { Language } from './messages.ts'

/** A reader that takes nothing for so long is let go; it may come again and say what it saw last. */
const PATIENCE_MS = 30_000
/** The browser comes again after so long. */
const RETRY_MS = 2_000

export class Reader {
  readonly language: Language
  readonly #response: ServerResponse
  /** What waits for room, by thing: a newer state takes the place of an older one. */
  readonly #pending = new Map<string, { event: string; data: object }>()
  readonly #told = new Map<string, number>()
  #since = -1
  /** Everything up to here was told, or waits; undefined until all things were told once. */
  #place: number | undefined
  #marked: number | undefined
  #full = false
  #patience: NodeJS.Timeout | undefined
  #ended: (() => void) | undefined
  #over = false

  /** Takes the response over. */
  constructor(response: ServerResponse, language: Language) {
    this.#response = response
    this.language = language
    response.on('drain', () => this.#drained())
    response.on('close', () => this.end())
    response.on('error', () => this.end())
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'content-language': language.locale,
      'x-accel-buffering': 'no',
    })
    this.#write(`retry: ${RETRY_MS}\n\n`)
  }

  /** States that wait to be taken: never more than things followed. */
  get waiting(): number {
    return this.#pending.size
  }

  onEnd(ended: () => void): void {
    if (this.#over) ended()
    else this.#ended = ended
  }

  /** What was told before, on another connection: all states up to a tick. */
  since(tick: number): void {
    this.#since = tick
  }

  /** The state of a thing as of a tick. One that was told already, or is older, is passed over. */
  push(thing: string, tick: number, event: string, data: object): void {
    if (this.#over || tick <= (this.#told.get(thing) ?? this.#since)) return
    this.#told.set(thing, tick)
    this.#pending.delete(thing)
    this.#pending.set(thing, { event, data })
    this.#flush()
  }

  /** All things were told as they stood at a tick: from now on there is a place to come again with. */
  begin(tick: number): void {
    this.#place = tick
    this.#flush()
  }

  /** What changed up to a tick was pushed. */
  reached(tick: number): void {
    if (this.#place === undefined || tick <= this.#place) return
    this.#place = tick
    this.#flush()
  }

  /** Keeps proxies and the server from taking a quiet connection for a dead one. */
  beat(): void {
    if (!this.#full) this.#write(': here\n\n')
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#patience)
    this.#pending.clear()
    if (this.#full) this.#response.destroy()
    else this.#response.end()
    this.#ended?.()
  }

  #flush() {
    for (const [thing, { event, data }] of this.#pending) {
      if (this.#full) return
      this.#pending.delete(thing)
      this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    }
    if (this.#full || this.#place === undefined || this.#place === this.#marked) return
    this.#marked = this.#place
    // An id without data only sets what the browser sends as Last-Event-ID.
    this.#write(`id: ${this.#place}\n\n`)
  }

  #write(text: string) {
    if (this.#over || this.#response.write(text)) return
    this.#full = true
    this.#patience = setTimeout(() => this.end(), PATIENCE_MS).unref()
  }

  #drained() {
    this.#full = false
    clearTimeout(this.#patience)
    this.#flush()
  }
}
