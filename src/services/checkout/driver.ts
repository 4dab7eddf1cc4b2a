/**
 * Drives checkouts: does the current step, reports it, goes on. Whoever starts a checkout drives it; one whose process died or that waits for another try is
 * taken up by any process once it is due. That two drive one at a time is harmless, since steps have keys and only the current step can be reported; the
 * lease keeps it rare. There is no timer a checkout: steps of many meet in the executors' batches.
 */
import type { Logger } from 'pino'
import { texts } from '../../engine/columns.ts'
import type { Database } from '../../engine/database.ts'
import { pause } from '../../engine/deadline.ts'
import { Rejected } from '../../engine/decider.ts'
import type { Executor } from '../../engine/executor.ts'
import { failpoint } from '../../engine/failpoint.ts'
import {
  type CheckoutCommand,
  type CheckoutRules,
  type CheckoutState,
  currentStep,
  reservationOf,
  roundOf,
} from './decider.ts'
import type { Subject } from './ports.ts'
import { type Ports, type Step, saga, stepKey, undoKey } from './saga.ts'

/** Checkouts taken up by others that one process drives at a time. */
const most = 2_000
const lookEveryMs = 250

type Report = Exclude<CheckoutCommand, { type: 'start' }>

export class Driver {
  readonly #db: Database
  readonly #execute: Executor<CheckoutCommand>['execute']
  readonly #ports: Ports
  readonly #rules: CheckoutRules
  readonly #log: Logger
  readonly #driven = new Map<string, Promise<CheckoutState>>()
  /** Steps under way, in the order they were begun. */
  readonly #tried = new Set<{ until: number; end: (late: Error) => void; what: string }>()
  #stopped = false

  constructor(
    db: Database,
    execute: Executor<CheckoutCommand>['execute'],
    ports: Ports,
    rules: CheckoutRules,
    log: Logger,
  ) {
    this.#db = db
    this.#execute = execute
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
        const report = await this.#try(step, state)
        const { answer } = await this.#execute(report, { actor: 'system', correlationId: state.correlationId })
        failpoint(`checkout-${step.name}-reported`)
        if (answer.stale) return state
        state = answer.state
        // Unless patience was at an end and it turned back, somebody takes it up when it is due.
        if (report.type === 'unclear' && state.checkout.status === status) return state
      }
    } catch (error) {
      // Where it stands is in its row; whoever finds it due goes on from there.
      this.#log.warn(
        { err: error, checkoutId: state.checkout.id },
        'a checkout could not be reported on; it is taken up again',
      )
      return state
    }
  }

  async #try(step: Step, { checkout, subject: known, correlationId }: CheckoutState): Promise<Report> {
    const { id, cartId, status } = checkout
    const { name } = step
    const round = roundOf(checkout, name)
    const tried = { id, cartId, step: name, round }
    const subject: Subject = { ...checkout, ...known, reservationId: reservationOf(checkout), correlationId }
    try {
      if (status === 'compensating') {
        await this.#inTime(step, step.undo(subject, this.#ports, undoKey(id, name)))
        failpoint(`checkout-${name}-undone`)
        return { type: 'undone', ...tried }
      }
      const results = await this.#inTime(step, step.do(subject, this.#ports, stepKey(id, name, round)))
      failpoint(`checkout-${name}-done`)
      return { type: 'done', ...tried, results: results ?? {} }
    } catch (error) {
      if (error instanceof Rejected && status === 'running') {
        const { code, message, detail } = error
        return { type: 'failed', ...tried, refusal: { code, message, detail: JSON.parse(JSON.stringify(detail)) } }
      }
      return { type: 'unclear', ...tried, error: String((error as Error)?.message ?? error).slice(0, 500) }
    }
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
