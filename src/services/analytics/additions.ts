/** What a batch of events adds to the counts, by minute. Amounts are whole, and may be larger than 2^53: money is summed here. */

export interface Addition {
  measure: string
  dimension: string
  item: string
  amount: bigint
}

const MINUTE_MS = 60_000

export class Additions {
  readonly #minutes = new Map<number, Map<string, bigint>>()

  /** Measures and dimensions are ours and have no line break; an item may be any text. */
  add(at: Date, measure: string, dimension: string, item: string, amount: number | bigint): void {
    if (!amount) return
    const minute = Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS
    let amounts = this.#minutes.get(minute)
    if (!amounts) this.#minutes.set(minute, (amounts = new Map()))
    const key = `${measure}\n${dimension}\n${item}`
    amounts.set(key, (amounts.get(key) ?? 0n) + BigInt(amount))
  }

  /** Summed by whatever a minute (milliseconds since 1970) belongs to: an hour, a day, everything. Sums of nothing are left out. */
  by<Bucket extends string | number>(bucketOf: (minute: number) => Bucket): (Addition & { at: Bucket })[] {
    const buckets = new Map<Bucket, Map<string, bigint>>()
    for (const [minute, amounts] of this.#minutes) {
      const bucket = bucketOf(minute)
      const sums = buckets.get(bucket)
      if (!sums) buckets.set(bucket, new Map(amounts))
      else for (const [key, amount] of amounts) sums.set(key, (sums.get(key) ?? 0n) + amount)
    }
    return [...buckets].flatMap(([at, sums]) =>
      [...sums].flatMap(([key, amount]) => (amount === 0n ? [] : [{ at, ...parts(key), amount }])),
    )
  }
}

function parts(key: string) {
  const first = key.indexOf('\n')
  const second = key.indexOf('\n', first + 1)
  return { measure: key.slice(0, first), dimension: key.slice(first + 1, second), item: key.slice(second + 1) }
}
