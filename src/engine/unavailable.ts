/** The two ways of not knowing better: nothing was done, or it can't be told. Both ask the caller to come again with the same key. */

/** Nothing was done; it may work in a moment. */
export class Unavailable extends Error {
  override name = 'Unavailable'
  readonly code = 'unavailable'
  readonly retryAfterSeconds: number
  readonly detail: Record<string, unknown>
  constructor(message: string, detail: Record<string, unknown> = {}, retryAfterSeconds = 1) {
    super(message)
    this.detail = detail
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** The commit was sent and its answer never came. The same idempotency key tells the outcome. */
export class OutcomeUnknown extends Error {
  override name = 'OutcomeUnknown'
  readonly code = 'outcome-unknown'
  readonly retryAfterSeconds = 1
}
