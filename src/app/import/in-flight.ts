/** Work under way, bounded in number and in size: many commands at once fill group commits, too many or too large ones fill the memory. */
export class InFlight {
  readonly #max: number
  readonly #sizeMax: number
  #running = 0
  #size = 0
  #failure: { error: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(max: number, sizeMax = Number.POSITIVE_INFINITY) {
    this.#max = max
    this.#sizeMax = sizeMax
  }

  /**
   * Starts `work` at once when there is room, else waits for room first; what is larger than all the room goes alone. Rejects with the first failure of
   * any work before.
   */
  async add(work: () => Promise<void>, size = 0): Promise<void> {
    while (this.#running >= this.#max || (this.#running > 0 && this.#size + size > this.#sizeMax)) await this.#change()
    if (this.#failure) throw this.#failure.error
    this.#running++
    this.#size += size
    work()
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#running--
        this.#size -= size
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
