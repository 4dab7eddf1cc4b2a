/** What every sale has to know of its SKUs, as prices: read a tenth of a second ago at most, and not before anything that this process has since heard of them. */
const rememberedMs = 100
/** Beyond so many all are forgotten, which costs no more than to have remembered them. */
const most = 10_000

export class Remembered<Value extends {}> {
  readonly #read: (names: string[]) => Promise<ReadonlyMap<string, Value>>
  readonly #kept = new Map<string, { value: Value; until: number }>()
  #forgotten = 0

  constructor(read: (names: string[]) => Promise<ReadonlyMap<string, Value>>) {
    this.#read = read
  }

  /** Something changed: what is being read now is not kept either. */
  forget(): void {
    this.#forgotten++
    this.#kept.clear()
  }

  /** Those of which nothing is known are left out, and asked for again each time. */
  async of(names: string[]): Promise<Map<string, Value>> {
    const values = new Map<string, Value>()
    const unknown: string[] = []
    const now = performance.now()
    for (const name of names) {
      const kept = this.#kept.get(name)
      if (kept === undefined || kept.until <= now) unknown.push(name)
      else values.set(name, kept.value)
    }
    if (unknown.length === 0) return values
    const since = this.#forgotten
    const read = await this.#read(unknown)
    if (this.#kept.size + read.size > most) this.#kept.clear()
    for (const [name, value] of read) {
      values.set(name, value)
      if (since === this.#forgotten) this.#kept.set(name, { value, until: now + rememberedMs })
    }
    return values
  }
}
