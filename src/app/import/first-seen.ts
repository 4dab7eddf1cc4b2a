/** Remembers on which line each of very many names first stood: 12 bytes a name instead of the name itself. */
export class FirstSeen {
  // Open addressing over 64-bit fingerprints: two of a million names are taken for one with a chance of 3 in 10^8.
  #high = new Uint32Array(1 << 12)
  #low = new Uint32Array(1 << 12)
  #line = new Uint32Array(1 << 12)
  #count = 0

  /** The line on which this name stood before, or undefined, and then it is kept with this line (from 1). */
  at(name: string, line: number): number | undefined {
    if (this.#count * 2 > this.#line.length) this.#grow()
    const [high, low] = fingerprint(name)
    const slot = this.#slot(high, low)
    const before = this.#line[slot]
    if (before) return before
    this.#put(slot, high, low, line)
    this.#count++
    return undefined
  }

  has(name: string): boolean {
    return this.#line[this.#slot(...fingerprint(name))] !== 0
  }

  #slot(high: number, low: number): number {
    const mask = this.#line.length - 1
    let slot = low & mask
    while (this.#line[slot] && (this.#low[slot] !== low || this.#high[slot] !== high)) slot = (slot + 1) & mask
    return slot
  }

  #put(slot: number, high: number, low: number, line: number): void {
    this.#high[slot] = high
    this.#low[slot] = low
    this.#line[slot] = line
  }

  #grow(): void {
    const [highs, lows, lines] = [this.#high, this.#low, this.#line]
    this.#high = new Uint32Array(lines.length * 2)
    this.#low = new Uint32Array(lines.length * 2)
    this.#line = new Uint32Array(lines.length * 2)
    lines.forEach((line, n) => {
      if (line) this.#put(this.#slot(highs[n] ?? 0, lows[n] ?? 0), highs[n] ?? 0, lows[n] ?? 0, line)
    })
  }
}

// cyrb53's two lanes, kept whole.
function fingerprint(name: string): [number, number] {
  let one = 0xdeadbeef
  let two = 0x41c6ce57
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    one = Math.imul(one ^ code, 2654435761)
    two = Math.imul(two ^ code, 1597334677)
  }
  one = Math.imul(one ^ (one >>> 16), 2246822507) ^ Math.imul(two ^ (two >>> 13), 3266489909)
  two = Math.imul(two ^ (two >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909)
  return [two >>> 0, one >>> 0]
}
