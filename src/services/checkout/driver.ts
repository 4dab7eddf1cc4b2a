/**
 * Drives checkouts: does the current step, reports it, goes on. Whoever starts a checkout drives it; one whose process died or that waits for another try is
 * taken up by any process once it is due. That two drive one at a time is harmless, since what a step asks has a key, and what it changes commits with a
 * report that only the current step can make; the lease keeps it rare. There is no timer a checkout: steps of many meet in the executors' batches.
 */
import type { Logger } from 'pino'
import { texts } from '../../engine/columns.ts'
import type { Database } from '../../engine/database.ts'
import { pause } from '../../engine/deadline.ts'
import { Rejected } from '../../engine/decider.ts'
import { failpoint } from '../../engine/failpoint.ts'
import type { Deed } from '../../engine/joint.ts'
import type { Buying } from './buying.ts'
import { type CheckoutRules, type CheckoutState, currentStep, type Report, reservationOf, roundOf } from './decider.ts'
import type { StepName } from './events.ts'
import type { Subject } from './ports.ts'
import { isStale } from './report.ts'
import { type Ports, type Step, saga, stepKey, undoKey } from './saga.ts'

/** Checkouts taken up by others that one process drives at a time. */
const most = 2_000
const lookEveryMs = 250

export class Driver {
  readonly #db: Database
  readonly #buying: Buying
  readonly #ports: Ports
  readonly #rules: CheckoutRules
  readonly #log: Logger
  readonly #driven = new Map<string, Promise<CheckoutState>>()
  /** Steps under way, in the order they were begun. */
  readonly #tried = new Set<{ until: number; end: (late: Error) => void; what: string }>()
  #stopped = false

  constructor(db: Database, buying: Buying, ports: Ports, rules: CheckoutRules, log: Logger) {
    this.#db = db
    this.#buying = buying
    this.#ports = ports
    this.#rules = rules
    this.#log = log
  }

  /** As far as it goes by now; answers the state it then is in. Never rejects. One that is being driven here is not driven twice. */
  drive(state: CheckoutState): Promise<CheckoutState> {
    const { id } = state.checkout
    const driven = this.#driven.get(id)
    if (driven) return driven
    const work = this.#steps(state).finally(() => this.#driven.delete(id))
    this.#driven.set(id, work)
    return work
  }

  /** Settles when it goes no further for now; undefined when it is not driven here. */
  driven(id: string): Promise<unknown> | undefined {
    return this.#driven.get(id)
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#stopped = false
    let renewAt = 0
    while (!signal.aborted) {
      try {
        if (performance.now() >= renewAt) {
          await this.#renew()
          renewAt = performance.now() + this.#rules.leaseMs / 4
        }
        await this.runOnce()
      } catch (error) {
        if (!signal.aborted) this.#log.warn({ err: error }, 'due checkouts could not be looked for; trying again')
      }
      this.#endOverdue()
      await pause(Math.min(lookEveryMs, this.#rules.leaseMs / 4), signal)
    }
    this.#stopped = true
    const left = [...this.#driven.keys()]
    await Promise.all(this.#driven.values())
    await this.#handOver(left)
  }

  /** Claims what is due and begins to drive it; answers how many. */
  async runOnce(): Promise<number> {
    const room = most - this.#driven.size
    if (room <= 0) return 0
    const claimed = await this.#db<{ state: string }>`
      update checkout.checkouts c
      set    due_at = clock_timestamp() + make_interval(secs => ${this.#rules.leaseMs / 1_000})
      from   (select id
              from   checkout.checkouts
              where  due_at <= clock_timestamp()
              order  by due_at
              limit  ${room}
              for    update skip locked) due
      where  c.id = due.id
      returning c.state`
    for (const { state } of claimed) void this.drive(JSON.parse(state))
    return claimed.length
  }

  /** Until nothing is driven here; for tests and benches. */
  async rest(): Promise<void> {
    while (this.#driven.size > 0) await Promise.all(this.#driven.values())
  }

  async #steps(begin: CheckoutState): Promise<CheckoutState> {
    let state = begin
    try {
      for (;;) {
        const name = currentStep(state.checkout)
        const step = saga.find((one) => one.name === name)
        if (!step || this.#stopped) return state
        const { status } = state.checkout
        const told = status === 'running' ? await this.#forward(step, state) : await this.#back(step, state)
        state = told.state
        // Unless patience was at an end and it turned back, somebody takes it up when it is due.
        if (told.unclear && state.checkout.status === status) return state
      }
    } catch (error) {
      // Where it stands is in its row; whoever finds it due goes on from there.
      if (!isStale(error))
        this.#log.warn(
          { err: error, checkoutId: state.checkout.id },
          'a checkout could not be reported on; it is taken up again',
        )
      return state
    }
  }

  /** Asks, and writes with the report. What was only asked is reported with the next step, if that only writes. */
  async #forward(step: Step, state: CheckoutState): Promise<Told> {
    const asked = await this.#ask(step, state)
    if (asked.type !== 'done') return this.#tell(state, [asked])
    const next = step.write ? undefined : saga[saga.indexOf(step) + 1]
    const writer = next && !next.ask ? next : step
    const tried = triedOf(state, writer.name)
    const reports: Report[] = writer === step ? [asked] : [asked, { type: 'done', ...tried, results: {} }]
    try {
      const subject = { ...subjectOf(state), ...asked.results }
      const changes = (await writer.write?.(subject, this.#ports)) ?? []
      return await this.#tell(state, reports, changes)
    } catch (error) {
      if (isStale(error)) throw error
      return this.#tell(state, [...reports.slice(0, -1), failure(tried, error)])
    }
  }

  async #ask(step: Step, state: CheckoutState): Promise<Report> {
    const tried = triedOf(state, step.name)
    try {
      const key = stepKey(tried.id, step.name, tried.round)
      const asking = step.ask?.(subjectOf(state), this.#ports, key)
      const results = asking && (await this.#inTime(step, asking))
      if (asking) failpoint(`checkout-${step.name}-done`)
      return { type: 'done', ...tried, results: results ?? {} }
    } catch (error) {
      return failure(tried, error)
    }
  }

  async #back(step: Step, state: CheckoutState): Promise<Told> {
    const tried = triedOf(state, step.name)
    try {
      await this.#inTime(step, step.undo(subjectOf(state), this.#ports, undoKey(tried.id, step.name)))
      failpoint(`checkout-${step.name}-undone`)
    } catch (error) {
      return this.#tell(state, [unclear(tried, error)])
    }
    return this.#tell(state, [{ type: 'undone', ...tried }])
  }

  async #tell({ correlationId }: CheckoutState, reports: Report[], changes: Deed[] = []): Promise<Told> {
    const state = await this.#buying.report(reports, changes, { actor: 'checkout', correlationId })
    for (const { step } of reports) failpoint(`checkout-${step}-reported`)
    return { state, unclear: reports.at(-1)?.type === 'unclear' }
  }

  /** Rejects once the step's deadline is over, as far as `run` looks: one clock for all, since a timer each costs more than many a step. */
  #inTime<Result>({ name, deadlineMs }: Step, work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const tried = {
        until: performance.now() + deadlineMs,
        end: reject,
        what: `${name} took more than ${deadlineMs} ms`,
      }
      this.#tried.add(tried)
      const done = () => this.#tried.delete(tried)
      work.then(resolve, reject).finally(done)
    })
  }

  #endOverdue(): void {
    const now = performance.now()
    for (const tried of this.#tried) {
      if (tried.until > now) return // the longest under way come first, give or take what their deadlines differ
      this.#tried.delete(tried)
      tried.end(new Error(tried.what))
    }
  }

  async #renew(): Promise<void> {
    if (this.#driven.size === 0) return
    await this.#db`
      update checkout.checkouts
      set    due_at = clock_timestamp() + make_interval(secs => ${this.#rules.leaseMs / 1_000})
      where  id = any(string_to_array(${texts([...this.#driven.keys()])}, chr(30)))
      and    due_at < clock_timestamp() + make_interval(secs => ${this.#rules.leaseMs / 2_000})`
  }

  async #handOver(ids: string[]): Promise<void> {
    if (ids.length === 0) return
    const due = this.#db`
      update checkout.checkouts
      set    due_at = clock_timestamp()
      where  id = any(string_to_array(${texts(ids)}, chr(30))) and due_at is not null`
    await due.catch(() => {})
  }
}

interface Told {
  state: CheckoutState
  unclear: boolean
}

const subjectOf = (state: CheckoutState): Subject => {
  const { checkout, subject, correlationId } = state
  return { ...checkout, ...subject, reservationId: reservationOf(checkout), correlationId }
}

const triedOf = ({ checkout }: CheckoutState, step: StepName) => {
  const { id, cartId } = checkout
  return { id, cartId, step, round: roundOf(checkout, step) }
}

type Tried = ReturnType<typeof triedOf>

function failure(tried: Tried, error: unknown): Report {
  if (!(error instanceof Rejected)) return unclear(tried, error)
  const { code, message, detail } = error
  return { type: 'failed', ...tried, refusal: { code, message, detail: JSON.parse(JSON.stringify(detail)) } }
}

const unclear = (tried: Tried, error: unknown): Report => ({
  type: 'unclear',
  ...tried,
  error: String((error as Error)?.message ?? error).slice(0, 500),
})
