/** What a batch of events adds to the counts, by minute. Amounts are whole, and may be larger than 2^53: money is summed here. */

/** A number as long as it is exact. */
type Sum = number | bigint

export interface Addition {
  measure: string
  dimension: string
  item: string
  amount: Sum
}

const MINUTE_MS = 60_000

const plus = (sum: Sum | undefined, amount: Sum): Sum => {
  if (sum === undefined) return amount
  if (typeof sum === 'number' && typeof amount === 'number' && Number.isSafeInteger(sum + amount)) return sum + amount
  return BigInt(sum) + BigInt(amount)
}

export class Additions {
  readonly #minutes = new Map<number, Map<string, Sum>>()

  /** Measures and dimensions are ours and have no line break; an item may be any text. */
  add(at: Date, measure: string, dimension: string, item: string, amount: Sum): void {
    if (!amount) return
    const minute = Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS
    let amounts = this.#minutes.get(minute)
    if (!amounts) this.#minutes.set(minute, (amounts = new Map()))
    const key = `${measure}\n${dimension}\n${item}`
    amounts.set(key, plus(amounts.get(key), amount))
  }

  /** Summed by whatever a minute (milliseconds since 1970) belongs to: an hour, a day, everything. Sums of nothing are left out. */
  by<Bucket extends string | number>(bucketOf: (minute: number) => Bucket): (Addition & { at: Bucket })[] {
    const buckets = new Map<Bucket, Map<string, Sum>>()
    for (const [minute, amounts] of this.#minutes) {
      const bucket = bucketOf(minute)
      const sums = buckets.get(bucket)
      if (!sums) buckets.set(bucket, new Map(amounts))
      else for (const [key, amount] of amounts) sums.set(key, plus(sums.get(key), amount))
    }
    return [...buckets].flatMap(([at, sums]) =>
      [...sums].flatMap(([key, amount]) => (amount ? [{ at, ...parts(key), amount }] : [])),
    )
  }
}

function parts(key: string) {
  const first = key.indexOf('\n')
  const second = key.indexOf('\n', first + 1)
  return { measure: key.slice(0, first), dimension: key.slice(first + 1, second), item: key.slice(second + 1) }
}
