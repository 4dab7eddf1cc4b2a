/** How far an import is. */
export interface Progress {
  rows: number
  bytes: number
  bytesTotal: number
  rowsPerSecond: number
  /** Undefined until there is something to judge by. */
  etaSeconds: number | undefined
}

const everyMs = 200

/** Counts, and tells a listener five times a second at most. */
export class ProgressMeter {
  rows = 0
  bytes = 0
  readonly #bytesTotal: number
  readonly #listener: ((progress: Progress) => void) | undefined
  readonly #begun = performance.now()
  #told = 0

  constructor(bytesTotal: number, listener: ((progress: Progress) => void) | undefined) {
    this.#bytesTotal = bytesTotal
    this.#listener = listener
  }

  read(bytes: number): void {
    this.bytes += bytes
  }

  tell(last = false): void {
    const now = performance.now()
    if (!this.#listener || (!last && now - this.#told < everyMs)) return
    this.#told = now
    const seconds = (now - this.#begun) / 1_000
    const bytesPerSecond = this.bytes / seconds
    this.#listener({
      rows: this.rows,
      bytes: this.bytes,
      bytesTotal: this.#bytesTotal,
      rowsPerSecond: Math.round(this.rows / seconds),
      etaSeconds:
        seconds > 0.5 && bytesPerSecond > 0 ? Math.round((this.#bytesTotal - this.bytes) / bytesPerSecond) : undefined,
    })
  }
}
