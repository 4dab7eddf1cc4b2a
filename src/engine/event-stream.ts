/** One Server-Sent Events connection: it says when it has no room, and is let go when it takes nothing for half a minute. */
import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { invalidRequest } from './http.ts'

const PATIENCE_MS = 30_000
/** After so long the browser comes again. */
export const AGAIN_MS = 2_000

interface Listener {
  /** There is room again. */
  drained(): void
  /** Nothing can be told any more. */
  over(): void
}

export class EventStream {
  readonly #response: ServerResponse
  readonly #listener: Listener
  #full = false
  #over = false
  #patience: NodeJS.Timeout | undefined
  #ended: (() => void) | undefined

  /** Takes the response over. */
  constructor(response: ServerResponse, listener: Listener, headers: Record<string, string> = {}) {
    this.#response = response
    this.#listener = listener
    response.on('drain', () => this.#drained())
    response.on('close', () => this.end())
    response.on('error', () => this.end())
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      ...headers,
      'x-accel-buffering': 'no',
    })
    this.write(`retry: ${AGAIN_MS}\n\n`)
  }

  /** What is written now would have to be kept for the reader. */
  get full(): boolean {
    return this.#full
  }

  get over(): boolean {
    return this.#over
  }

  onEnd(ended: () => void): void {
    if (this.#over) ended()
    else this.#ended = ended
  }

  write(text: string): void {
    if (this.#over || this.#response.write(text)) return
    this.#full = true
    clearTimeout(this.#patience)
    this.#patience = setTimeout(() => this.end(), PATIENCE_MS).unref()
  }

  /** Keeps proxies and the server from taking a quiet connection for a dead one. */
  beat(): void {
    if (!this.#full) this.write(': here\n\n')
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#patience)
    this.#listener.over()
    if (this.#full) this.#response.destroy()
    else this.#response.end()
    this.#ended?.()
  }

  #drained() {
    this.#full = false
    clearTimeout(this.#patience)
    this.#listener.drained()
  }
}

/** The place that a reader who comes again has reached. Throws the problem if it can't be one. */
export function lastSeen(request: Pick<FastifyRequest, 'headers'>): number | undefined {
  const given = request.headers['last-event-id']
  if (given === undefined || given === '') return undefined
  if (typeof given === 'string' && /^\d{1,15}$/.test(given)) return Number(given)
  throw invalidRequest({
    in: 'header',
    field: 'Last-Event-ID',
    message: 'is not a place in this stream; send the `id` of the last event you saw, or nothing',
  })
}
