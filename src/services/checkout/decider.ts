/**
 * A checkout's states: forward step by step, then, once a step is refused, back from it to the first. Whoever reports a step that is not the current one is
 * told so and changes nothing: two processes that drive one checkout can't take it apart.
 */
import { type Decider, type Decision, type EntityId, Rejected, type Versioned } from '../../engine/decider.ts'
import type { Data } from '../../engine/event.ts'
import type { Checkout, StepName } from './events.ts'
import type { Subject } from './ports.ts'
import { saga } from './saga.ts'

export interface Refusal {
  code: string
  message: string
  detail: Data
}

export type CheckoutCommand =
  /** `refused`: it can't be priced; told unless the same start was accepted before. */
  | ({ type: 'start'; cartId: string | null; refused?: Refusal } & Omit<Subject, 'payment'>)
  | { type: 'done'; id: string; step: StepName; results: Partial<Subject> }
  | { type: 'failed'; id: string; step: StepName; refusal: Refusal }
  | { type: 'undone'; id: string; step: StepName }
  /** Nobody knows whether the step, or its undoing, was done. */
  | { type: 'unclear'; id: string; step: StepName; error: string }
  /** Asks again at once. */
  | { type: 'retry'; id: string }

/** `subject.token` is emptied when the checkout is over. */
export interface CheckoutState {
  checkout: Checkout
  subject: Pick<Subject, 'token' | 'payment'>
  correlationId: string
}
/** Which checkout a cart is in, or became an order by. */
export interface CartClaim {
  checkoutId: string
}
export type State = CheckoutState | CartClaim

/** `dueAt`: when somebody else should see to it; null: never again; left out: as before. */
export type CheckoutFact =
  | {
      type:
        | 'checkout.started'
        | 'checkout.step.done'
        | 'checkout.step.failed'
        | 'checkout.step.undone'
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
  | { type: 'cart.claimed'; entity: EntityId; checkoutId: string }
  | { type: 'cart.freed'; entity: EntityId }

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
export const claimEntity = (cartId: string): EntityId => `cart-claim/${cartId}`
export const isOver = ({ status }: Checkout) => status === 'completed' || status === 'compensated'

/** The step to be done, or undone, next. */
export const currentStep = ({ status, steps }: Checkout): StepName | undefined =>
  status === 'running'
    ? steps.find((step) => step.status === 'pending')?.name
    : steps.findLast((step) => step.status === 'done' || step.status === 'failed')?.name

export function checkoutDecider(rules: CheckoutRules): Decider<State, CheckoutCommand, CheckoutFact> {
  return {
    touches: (command) => {
      const entity = checkoutEntity(command.id)
      return command.type === 'start' && command.cartId !== null ? [entity, claimEntity(command.cartId)] : [entity]
    },
    creates: (command) =>
      command.type !== 'start'
        ? []
        : command.cartId === null
          ? [checkoutEntity(command.id)]
          : [checkoutEntity(command.id), claimEntity(command.cartId)],
    evolve: (_, fact) =>
      fact.type === 'cart.freed'
        ? undefined
        : fact.type === 'cart.claimed'
          ? { checkoutId: fact.checkoutId }
          : fact.state,
    tell(fact) {
      if (!('state' in fact) || fact.type === 'step.unclear' || fact.type === 'step.retried') return undefined
      const { checkout } = fact.state
      const key = checkoutEntity(checkout.id)
      return { key, data: fact.type === 'checkout.started' ? { checkout } : { checkout, step: fact.step } }
    },
    decide(states, command, now) {
      if (command.type === 'start') return start(states, command, now, rules)
      const found = states.get(checkoutEntity(command.id))?.state as CheckoutState | undefined
      if (!found) {
        const message = `there is no checkout ${JSON.stringify(command.id)}`
        throw new Rejected('not-found', { what: 'checkout', id: command.id }, message)
      }
      return report(found, command, now, rules)
    },
  }
}

type Start = Extract<CheckoutCommand, { type: 'start' }>

function start(
  states: ReadonlyMap<EntityId, Versioned<State>>,
  command: Start,
  now: Date,
  { leaseMs }: CheckoutRules,
): Decision<CheckoutFact> {
  const { id, cartId, refused } = command
  const claim = cartId === null ? undefined : (states.get(claimEntity(cartId))?.state as CartClaim | undefined)
  if (claim) {
    const { checkoutId } = claim
    throw new Rejected('cart-checked-out', { cartId, checkoutId }, `the cart is in checkout ${checkoutId}`)
  }
  if (refused) throw new Rejected(refused.code, refused.detail, refused.message)
  const entity = checkoutEntity(id)
  const dueAt = soon(now, leaseMs)
  const facts: CheckoutFact[] = [
    { type: 'checkout.started', entity, state: begun(command, now), step: 'reserve', dueAt },
  ]
  if (cartId !== null) facts.push({ type: 'cart.claimed', entity: claimEntity(cartId), checkoutId: id })
  // Answers are kept for good, and may be asked for again: this one names the checkout and not what pays for it.
  return { facts, answer: { id } }
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

type Report = Exclude<CheckoutCommand, Start>

function report(found: CheckoutState, command: Report, now: Date, rules: CheckoutRules): Decision<CheckoutFact> {
  const { checkout } = found
  const current = currentStep(checkout)
  const forward = command.type === 'done' || command.type === 'failed'
  const stale =
    isOver(checkout) ||
    current === undefined ||
    ('step' in command && command.step !== current) ||
    (forward && checkout.status !== 'running') ||
    (command.type === 'undone' && checkout.status !== 'compensating')
  if (stale) {
    if (command.type !== 'retry') return { facts: [], answer: { stale: true } }
    throw new Rejected(
      'checkout-over',
      { id: checkout.id, status: checkout.status },
      `the checkout is ${checkout.status}`,
    )
  }
  const change = { found, current, at: now.toISOString() }
  switch (command.type) {
    case 'done':
      return advance(change, command.results)
    case 'failed':
      return turnBack(change, command.refusal)
    case 'undone':
      return goBack(change)
    case 'unclear':
      return wait(change, command.error, now, rules)
    case 'retry':
      return {
        ...told(change, 'step.retried', withStep(change, { unclear: 0 }), { dueAt: soon(now, rules.leaseMs) }),
        answer: { id: checkout.id },
      }
  }
}

interface Change {
  found: CheckoutState
  current: StepName
  at: string
}
type StepState = Checkout['steps'][number]

function withStep({ found: { checkout }, current, at }: Change, fields: Partial<StepState>): Checkout {
  const steps = checkout.steps.map((step) => {
    if (step.name !== current) return step
    const { error: _, ...rest } = step
    return { ...rest, at, ...fields }
  })
  return { ...checkout, steps, updatedAt: at }
}

const soon = (now: Date, ms: number) => new Date(now.getTime() + ms).toISOString()

function told(
  { found, current }: Change,
  type: Exclude<CheckoutFact['type'], 'cart.claimed' | 'cart.freed'>,
  checkout: Checkout,
  { dueAt, subject = found.subject }: { dueAt?: string | null; subject?: CheckoutState['subject'] } = {},
): Decision<CheckoutFact> {
  const state: CheckoutState = { checkout, subject, correlationId: found.correlationId }
  const facts: CheckoutFact[] = [
    { type, entity: checkoutEntity(checkout.id), state, step: current, ...(dueAt !== undefined && { dueAt }) },
  ]
  if (checkout.status === 'compensated' && checkout.cartId !== null)
    facts.push({ type: 'cart.freed', entity: claimEntity(checkout.cartId) })
  return { facts, answer: { state } }
}

function advance(change: Change, results: Partial<Subject>) {
  const checkout = withStep(change, { status: 'done', unclear: 0 })
  const subject = { ...change.found.subject, ...results }
  const left = { ...checkout, stuck: false }
  if (currentStep(left) !== undefined) return told(change, 'checkout.step.done', left, { subject })
  return told(
    change,
    'checkout.completed',
    { ...left, status: 'completed' },
    { dueAt: null, subject: { ...subject, token: '' } },
  )
}

function turnBack(change: Change, failure: Refusal) {
  const checkout = withStep(change, { status: 'failed', unclear: 0, error: failure.message })
  const turned: Checkout = { ...checkout, status: 'compensating', stuck: false, failure }
  const { subject } = change.found
  const payment = typeof failure.detail.payment === 'string' ? failure.detail.payment : subject.payment
  return told(change, 'checkout.step.failed', turned, { subject: { ...subject, payment } })
}

function goBack(change: Change) {
  const checkout = withStep(change, { status: 'undone', unclear: 0 })
  const left = { ...checkout, stuck: false }
  if (currentStep(left) !== undefined) return told(change, 'checkout.step.undone', left)
  const { payment } = change.found.subject
  return told(
    change,
    'checkout.compensated',
    { ...left, status: 'compensated' },
    { dueAt: null, subject: { payment, token: '' } },
  )
}

/** Asked again after a while; a step with patience turns back when that is at an end, since undoing begins by asking again. */
function wait(change: Change, error: string, now: Date, rules: CheckoutRules) {
  const { checkout } = change.found
  const unclear = (checkout.steps.find((step) => step.name === change.current)?.unclear ?? 0) + 1
  const patience = saga.find((step) => step.name === change.current)?.patience
  if (checkout.status === 'running' && patience !== undefined && unclear >= patience) {
    const message = `no clear answer after ${unclear} tries: ${error}`
    return turnBack(change, { code: 'payment-unclear', message, detail: { reason: error } })
  }
  const dueAt = soon(now, Math.min(rules.retryMaxMs, rules.retryFirstMs * 2 ** (unclear - 1)))
  const tried = withStep(change, { unclear, error })
  if (unclear < rules.stuckAfter || checkout.stuck) return told(change, 'step.unclear', tried, { dueAt })
  return told(change, 'checkout.stuck', { ...tried, stuck: true }, { dueAt })
}
