/** Commands that wait for a batch, in the order they came; who waits for too long is told so. */
import type { Job } from './batch.ts'
import { LATE } from './pace.ts'
import { OutcomeUnknown, type Turned, Unavailable } from './unavailable.ts'

/** Seconds after which those come again who were let in and then turned away. */
const AGAIN_SECONDS = 5

export class Queue<Command> {
  readonly #source: string
  readonly #deadlineMs: number
  readonly #lateMs: number
  #jobs: Job<Command>[] = []

  constructor(source: string, deadlineMs: number) {
    this.#source = source
    this.#deadlineMs = deadlineMs
    this.#lateMs = LATE.waiting * deadlineMs
  }

  get length(): number {
    return this.#jobs.length
  }

  push(job: Job<Command>): void {
    this.#jobs.push(job)
  }

  /** Before all others. */
  pushFirst(jobs: Job<Command>[]): void {
    this.#jobs.unshift(...jobs)
  }

  /** So many at most, without those whose deadline has passed. */
  take(most: number): Job<Command>[] {
    const now = performance.now()
    return this.#jobs.splice(0, most).filter((job) => this.#inTime(job, now))
  }

  /** At so many milliseconds each, those who came last will not be reached in time: they are told so now rather than then. */
  cut(costMs: number): void {
    if (costMs === 0) return
    const why = `${this.#source} takes longer than it seemed, and others came first; come again in ${AGAIN_SECONDS} s`
    const jobs = this.#jobs
    const now = performance.now()
    for (let last = jobs.at(-1); last && now - last.since + jobs.length * costMs > this.#lateMs; last = jobs.at(-1))
      turnAway(jobs.pop() as Job<Command>, why, 'overload', AGAIN_SECONDS)
  }

  /** Lets go those whom `takes` accepts. */
  offer(takes: (job: Job<Command>) => boolean): void {
    const now = performance.now()
    this.#jobs = this.#jobs.filter((job) => this.#inTime(job, now) && !takes(job))
  }

  /** Turns away whose deadline has passed. */
  #inTime(job: Job<Command>, now: number): boolean {
    if (now - job.since < this.#deadlineMs) return true
    turnAway(job, `${this.#source} did not get to the command within ${this.#deadlineMs} ms`, 'deadline')
    return false
  }
}

function turnAway(job: Job<unknown>, why: string, reason: Turned, retryAfterSeconds?: number) {
  const unknown = 'the database did not tell whether the change was committed; repeat with the same Idempotency-Key'
  job.reject(job.commitSent ? new OutcomeUnknown(unknown) : new Unavailable(why, {}, retryAfterSeconds, reason))
}
