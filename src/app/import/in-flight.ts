/** Work under way, bounded: many commands at once fill group commits, too many fill the memory. */
export class InFlight {
  readonly #max: number
  #running = 0
  #failure: { error: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(max: number) {
    this.#max = max
  }

  /** Starts `work` at once when there is room, else waits for room first. Rejects with the first failure of any work before. */
  async add(work: () => Promise<void>): Promise<void> {
    while (this.#running >= this.#max) await this.#change()
    if (this.#failure) throw this.#failure.error
    this.#running++
    work()
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#running--
        this.#wake?.()
      })
  }

  /** Resolves when all is done; rejects with the first failure. */
  async all(): Promise<void> {
    while (this.#running > 0) await this.#change()
    if (this.#failure) throw this.#failure.error
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }
}
