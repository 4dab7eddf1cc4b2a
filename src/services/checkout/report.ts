/** What a report on a checkout's current step makes of it: a step forward, a step done anew, the turn, a step back, or another try. */
import { type Decision, Rejected } from '../../engine/decider.ts'
import {
  type CheckoutCommand,
  type CheckoutFact,
  type CheckoutRules,
  type CheckoutState,
  checkoutEntity,
  currentStep,
  isOver,
  type Refusal,
  roundOf,
} from './decider.ts'
import type { Checkout, StepName } from './events.ts'
import type { Subject } from './ports.ts'
import { saga } from './saga.ts'

/** Throws `stale` when it is not that step's turn. */
export function report(
  found: CheckoutState,
  command: Exclude<CheckoutCommand, { type: 'start' }>,
  now: Date,
  rules: CheckoutRules,
): Decision<CheckoutFact> {
  const { checkout } = found
  const current = currentStep(checkout)
  const forward = command.type === 'done' || command.type === 'failed'
  const late =
    isOver(checkout) ||
    current === undefined ||
    ('step' in command && (command.step !== current || (command.round ?? 1) !== roundOf(checkout, current))) ||
    (forward && checkout.status !== 'running') ||
    (command.type === 'undone' && checkout.status !== 'compensating')
  if (late) {
    if (command.type !== 'retry') throw stale(checkout.id)
    throw new Rejected(
      'checkout-over',
      { id: checkout.id, checkoutStatus: checkout.status },
      `the checkout is ${checkout.status}`,
    )
  }
  const change = { found, current, at: now.toISOString() }
  switch (command.type) {
    case 'done':
      return advance(change, command.results)
    case 'failed':
      return reopened(change, command.refusal) ?? turnBack(change, command.refusal)
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

/** It is another step's turn: somebody else drives it, and what came with the report is not done. */
export const isStale = (error: unknown) => error instanceof Rejected && error.code === 'stale'
const stale = (id: string) => new Rejected('stale', { id }, 'it is another step’s turn')

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

export const soon = (now: Date, ms: number) => new Date(now.getTime() + ms).toISOString()

function told(
  { found, current }: Change,
  type: CheckoutFact['type'],
  checkout: Checkout,
  { dueAt, subject = found.subject }: { dueAt?: string | null; subject?: CheckoutState['subject'] } = {},
): Decision<CheckoutFact> {
  const state: CheckoutState = { checkout, subject, correlationId: found.correlationId }
  const entity = checkoutEntity(checkout.id)
  return { facts: [{ type, entity, state, step: current, ...(dueAt !== undefined && { dueAt }) }], answer: { state } }
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

/** Undefined when this is no reason to do anything again, or it was done often enough. */
function reopened(change: Change, { code, message }: Refusal) {
  const { checkout } = change.found
  const again = saga.find((step) => step.name === change.current)?.again
  if (again?.when !== code || roundOf(checkout, again.from) >= again.rounds) return undefined
  const round = roundOf(checkout, again.from) + 1
  const fresh = { status: 'pending', unclear: 0, round } as const
  const refused = withStep(change, { ...fresh, error: message })
  const next = withStep({ ...change, found: { ...change.found, checkout: refused }, current: again.from }, fresh)
  return told({ ...change, current: again.from }, 'checkout.step.reopened', { ...next, stuck: false })
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
