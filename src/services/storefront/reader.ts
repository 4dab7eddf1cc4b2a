/** One who follows live: a Server-Sent Events connection that keeps the newest state of each thing until the reader has room for it. */
import type { ServerResponse } from 'node:http'
import { EventStream } from '../../engine/event-stream.ts'
import type { Language } from './messages.ts'

export class Reader {
  readonly language: Language
  readonly #stream: EventStream
  /** What waits for room, by thing: a newer state takes the place of an older one. */
  readonly #pending = new Map<string, { event: string; data: object }>()
  readonly #told = new Map<string, number>()
  #since = -1
  /** Everything up to here was told, or waits; undefined until all things were told once. */
  #place: number | undefined
  #marked: number | undefined

  /** Takes the response over. */
  constructor(response: ServerResponse, language: Language) {
    this.language = language
    this.#stream = new EventStream(
      response,
      { drained: () => this.#flush(), over: () => this.#pending.clear() },
      { 'content-language': language.locale },
    )
  }

  /** States that wait to be taken: never more than things followed. */
  get waiting(): number {
    return this.#pending.size
  }

  onEnd(ended: () => void): void {
    this.#stream.onEnd(ended)
  }

  /** What was told before, on another connection: all states up to a tick. */
  since(tick: number): void {
    this.#since = tick
  }

  /** The state of a thing as of a tick. One that was told already, or is older, is passed over. */
  push(thing: string, tick: number, event: string, data: object): void {
    if (this.#stream.over || tick <= (this.#told.get(thing) ?? this.#since)) return
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

  beat(): void {
    this.#stream.beat()
  }

  end(): void {
    this.#stream.end()
  }

  #flush() {
    for (const [thing, { event, data }] of this.#pending) {
      if (this.#stream.full) return
      this.#pending.delete(thing)
      this.#stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    }
    if (this.#stream.full || this.#place === undefined || this.#place === this.#marked) return
    this.#marked = this.#place
    // An id without data only sets what the browser sends as Last-Event-ID.
    this.#stream.write(`id: ${this.#place}\n\n`)
  }
}
