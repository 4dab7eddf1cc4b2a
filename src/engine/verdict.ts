/** What a failure means: try again when, or give up. */
import { isLockTimeout } from './database.ts'
import { OutcomeUnknown, Unavailable } from './unavailable.ts'

export interface RetryPolicy {
  /** Tries in all, the first included (E, Retry Mechanism: 3, then dead letter). */
  attempts: number
  /** Wait before the second try; doubles from there, with up to a fifth of jitter. */
  firstMs: number
  maxMs: number
}

/** Thrown by a handler that knows no retry can help. */
export class GiveUp extends Error {
  override name = 'GiveUp'
}

/** Thrown by a handler that knows when to come back; does not count as a try. */
export class RetryAfter extends Error {
  override name = 'RetryAfter'
  readonly ms: number
  constructor(ms: number, message = `retry after ${ms} ms`) {
    super(message)
    this.ms = ms
  }
}

/** Thrown by a projection that knows which keys of its batch are to blame: the others go through at once, without the batch being split to find out. */
export class KeysFailed extends Error {
  override name = 'KeysFailed'
  readonly failures: ReadonlyMap<string, Error>
  constructor(failures: ReadonlyMap<string, Error>) {
    super([...failures].map(([key, error]) => `${key}: ${error.message}`).join('; '))
    this.failures = failures
  }
}

export type Verdict = { dead: true } | { dead: false; retryInMs: number; counts: boolean }

/** Somebody holds rows that the handler writes: come back so often, which is nobody's failed try. */
const HELD_MS = 10_000

/** `attempt` counts from 1; `random` is in [0, 1). */
export function verdict(error: unknown, attempt: number, policy: RetryPolicy, random = Math.random()): Verdict {
  if (error instanceof GiveUp) return { dead: true }
  if (error instanceof RetryAfter) return { dead: false, retryInMs: error.ms, counts: false }
  // A command that a handler gave found no room, or no database: nobody's failed try either.
  if (error instanceof Unavailable || error instanceof OutcomeUnknown)
    return { dead: false, retryInMs: error.retryAfterSeconds * 1_000, counts: false }
  if (isLockTimeout(error)) return { dead: false, retryInMs: Math.min(policy.maxMs, HELD_MS), counts: false }
  if (attempt >= policy.attempts) return { dead: true }
  const wait = Math.min(policy.maxMs, policy.firstMs * 2 ** (attempt - 1))
  return { dead: false, retryInMs: Math.round(wait * (1 + random / 5)), counts: true }
}
