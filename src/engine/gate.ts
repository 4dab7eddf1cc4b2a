/**
 * A turnstile for consumers' steps: so many at a time, first come first served. Under load the others' backlogs grow into larger, better
 * conflated batches instead of all steps slowing each other and the writers down.
 */

/** A step that takes longer does not count any more: a slow or dead consumer costs the others nothing. */
const HOLD_MS = 100

export class Gate {
  readonly #width: number
  #inside = 0
  readonly #waiting: (() => void)[] = []

  constructor(width: number) {
    this.#width = Math.max(1, width)
  }

  /** Resolves when it is the caller's turn, with what ends the turn. */
  async enter(): Promise<() => void> {
    if (this.#inside < this.#width) this.#inside++
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    let left = false
    const leave = () => {
      if (left) return
      left = true
      clearTimeout(timer)
      const next = this.#waiting.shift()
      if (next) next()
      else this.#inside--
    }
    const timer = setTimeout(leave, HOLD_MS)
    return leave
  }
}
