/**
 * A checkout's states: forward step by step, then, once a step is refused, back from it to the first. Whoever reports a step that is not the current one is
 * refused, with all that came with the report: two processes that drive one checkout can't take it apart. Which carts may be bought is theirs to say (buying.ts).
 */
import { type Decider, type Decision, type EntityId, Rejected } from '../../engine/decider.ts'
import type { Data } from '../../engine/event.ts'
import type { Checkout, StepName } from './events.ts'
import type { Subject } from './ports.ts'
import { report, soon } from './report.ts'
import { saga } from './saga.ts'

export interface Refusal {
  code: string
  message: string
  detail: Data
}

export type CheckoutCommand =
  /** `refused`: it can't be priced; told unless the same start was accepted before. */
  | ({ type: 'start'; cartId: string | null; refused?: Refusal } & Omit<Subject, 'payment' | 'reservationId'>)
  | Report
  /** Asks again at once. */
  | { type: 'retry'; id: string }

/** What became of a step. */
export type Report =
  | ({ type: 'done'; results: Partial<Subject> } & Tried)
  | ({ type: 'failed'; refusal: Refusal } & Tried)
  | ({ type: 'undone' } & Tried)
  /** Nobody knows whether the step, or its undoing, was done. */
  | ({ type: 'unclear'; error: string } & Tried)

interface Tried {
  id: string
  /** The checkout's. */
  cartId?: string | null
  step: StepName
  /** The first when left out. */
  round?: number
}

/** `subject.token` is emptied when the checkout is over. */
export interface CheckoutState {
  checkout: Checkout
  subject: Pick<Subject, 'token' | 'payment'>
  correlationId: string
}

/** `dueAt`: when somebody else should see to it; null: never again; left out: as before. */
export interface CheckoutFact {
  type:
    | 'checkout.started'
    | 'checkout.step.done'
    | 'checkout.step.failed'
    | 'checkout.step.undone'
    | 'checkout.step.reopened'
    | 'checkout.stuck'
    | 'checkout.completed'
    | 'checkout.compensated'
    | 'step.unclear'
    | 'step.retried'
  entity: EntityId
  state: CheckoutState
  step: StepName
  dueAt?: string | null
}

export interface CheckoutRules {
  /** A checkout that its process has not reported on for so long is taken over by another one. */
  leaseMs: number
  /** Wait before an unclear step is asked again; doubles each time. */
  retryFirstMs: number
  retryMaxMs: number
  /** Unclear so many times in a row, it is stuck. */
  stuckAfter: number
}

export const checkoutDefaults: CheckoutRules = { leaseMs: 5_000, retryFirstMs: 200, retryMaxMs: 60_000, stuckAfter: 6 }

export const checkoutEntity = (id: string): EntityId => `checkout/${id}`
export const isOver = ({ status }: Checkout) => status === 'completed' || status === 'compensated'

/** The step to be done, or undone, next; none when it is over. */
export function currentStep({ status, steps }: Checkout): StepName | undefined {
  if (status === 'running') return steps.find((step) => step.status === 'pending')?.name
  if (status === 'compensating')
    return steps.findLast((step) => step.status === 'done' || step.status === 'failed')?.name
  return undefined
}

export const roundOf = ({ steps }: Checkout, name: StepName): number =>
  steps.find((step) => step.name === name)?.round ?? 1

/** What holds its stock: each round's reservation is another. */
export function reservationOf(checkout: Checkout): string {
  const round = roundOf(checkout, 'reserve')
  return round === 1 ? checkout.id : `${checkout.id}.${round}`
}

export function checkoutDecider(rules: CheckoutRules): Decider<CheckoutState, CheckoutCommand, CheckoutFact> {
  return {
    touches: ({ id }) => [checkoutEntity(id)],
    creates: ({ type, id }) => (type === 'start' ? [checkoutEntity(id)] : []),
    evolve: (_, fact) => fact.state,
    tell(fact) {
      if (fact.type === 'step.unclear' || fact.type === 'step.retried') return undefined
      const { checkout } = fact.state
      const key = checkoutEntity(checkout.id)
      return { key, data: fact.type === 'checkout.started' ? { checkout } : { checkout, step: fact.step } }
    },
    decide(states, command, now) {
      if (command.type === 'start') return start(command, now, rules)
      const found = states.get(checkoutEntity(command.id))?.state
      if (!found) {
        const message = `there is no checkout ${JSON.stringify(command.id)}`
        throw new Rejected('not-found', { what: 'checkout', id: command.id }, message)
      }
      return report(found, command, now, rules)
    },
  }
}

type Start = Extract<CheckoutCommand, { type: 'start' }>

function start(command: Start, now: Date, { leaseMs }: CheckoutRules): Decision<CheckoutFact> {
  const { id, refused } = command
  if (refused) throw new Rejected(refused.code, refused.detail, refused.message)
  const entity = checkoutEntity(id)
  const dueAt = soon(now, leaseMs)
  const started: CheckoutFact = { type: 'checkout.started', entity, state: begun(command, now), step: 'reserve', dueAt }
  // Answers are kept for good, and may be asked for again: this one names the checkout and not what pays for it.
  return { facts: [started], answer: { id } }
}

/** A checkout before its first step. */
export function begun({ type: _, refused, token, correlationId, cartId, ...given }: Start, now: Date): CheckoutState {
  const at = now.toISOString()
  const checkout: Checkout = {
    ...given,
    cartId,
    status: 'running',
    stuck: false,
    steps: saga.map(({ name }) => ({ name, status: 'pending', unclear: 0, at: null })),
    failure: null,
    createdAt: at,
    updatedAt: at,
  }
  return { checkout, subject: { token, payment: '' }, correlationId }
}
