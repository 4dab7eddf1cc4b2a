/** The two ways of not knowing better: nothing was done, or it can't be told. Both ask the caller to come again with the same key. */

/** Why a command was turned away, as it is counted. */
export type Turned = 'overload' | 'deadline' | 'lock' | 'shortage' | 'database' | 'unavailable' | 'outcome-unknown'

/** Nothing was done; it may work in a moment. */
export class Unavailable extends Error {
  override name = 'Unavailable'
  readonly code = 'unavailable'
  readonly retryAfterSeconds: number
  readonly detail: Record<string, unknown>
  readonly reason: Turned
  constructor(
    message: string,
    detail: Record<string, unknown> = {},
    retryAfterSeconds = 1,
    reason: Turned = 'unavailable',
  ) {
    super(message)
    this.reason = reason
    this.detail = detail
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** The commit was sent and its answer never came. The same idempotency key tells the outcome. */
export class OutcomeUnknown extends Error {
  override name = 'OutcomeUnknown'
  readonly code = 'outcome-unknown'
  readonly reason: Turned = 'outcome-unknown'
  readonly retryAfterSeconds = 1
}
