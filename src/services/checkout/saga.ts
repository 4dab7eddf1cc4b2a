/**
 * The checkout's saga (document E, Saga Pattern; A §13): four steps from the top to the bottom, and from the one that fails back to the top. What a step
 * changes at home commits with the report that it is done, so it is done once and only in its turn; what it asks of others has an idempotency key of its
 * own, so it is simply asked again: after a timeout, after a crash, by another process.
 *
 *         ┌──── what was held has expired ┐
 *         ▼                               │
 *      reserve ──► authorise ──► confirm ─┴► capture ──► completed
 *         │            │            │           │ fails
 *      release ◄──── void ◄───── cancel ◄──── refund
 *         └──► compensated
 *
 * A customer whose payment took longer than his reservation lasts gets what is still there: it is reserved anew under another name and key, what
 * expired being given back by the same command, so never both are held. Only when it is there no more, the checkout turns back.
 */
import { Rejected } from '../../engine/decider.ts'
import type { Deed } from '../../engine/joint.ts'
import type { StepName } from './events.ts'
import type { Paying, PayingOutcome, Selling, Subject } from './ports.ts'

export interface Step {
  name: StepName
  /** Milliseconds for one asking or undoing; after that it is unclear, and is tried again under the same key. */
  deadlineMs: number
  /** Unclear so many times in a row, the checkout turns back; without it the step is tried until it is told. */
  patience?: number
  /** Refused for this reason, an earlier step is done anew and then this one, in rounds with keys of their own; after so many rounds it turns back. */
  again?: { when: string; from: StepName; rounds: number }
  /**
   * Asks somebody else. Throws `Rejected` when it is refused for good; anything else thrown leaves it unclear. What it answers is kept for the steps after
   * it, and a refusal's `payment` for the way back.
   */
  ask?(subject: Subject, ports: Ports, key: string): Promise<Partial<Subject>>
  /** What it changes at home, in the transaction that says it is done; refused there, the step is. */
  write?(subject: Subject, ports: Ports): Promise<Deed[]>
  /** Of a step that failed, too: it may have been done in part, or more than it said. Until it is told. */
  undo(subject: Subject, ports: Ports, key: string): Promise<void>
}

export interface Ports {
  selling: Selling
  paying: Paying
}

export const saga: readonly Step[] = [
  {
    name: 'reserve',
    deadlineMs: 15_000,
    write: (subject, { selling }) => selling.reserve(subject),
    undo: (subject, { selling }, key) => selling.release(subject, key),
  },
  {
    name: 'authorise',
    deadlineMs: 15_000,
    patience: 5,
    async ask({ token, total: amount, currency }, { paying }, key) {
      return { payment: approved(await paying.authorise({ key, token, amount, currency })).payment }
    },
    async undo({ id, token, payment, total: amount, currency }, { paying }, key) {
      if (payment) return giveBack(paying, payment, key)
      const answer = settled(await paying.authorise({ key: stepKey(id, 'authorise'), token, amount, currency }))
      if (answer.outcome !== 'declined') await giveBack(paying, answer.payment, key)
    },
  },
  {
    name: 'confirm',
    deadlineMs: 15_000,
    again: { when: 'reservation-expired', from: 'reserve', rounds: 3 },
    write: (subject, { selling }) => selling.confirmOrder(subject),
    undo: (subject, { selling }, key) => selling.cancelOrder(subject, key),
  },
  {
    name: 'capture',
    deadlineMs: 15_000,
    async ask({ payment, total: amount, currency }, { paying }, key) {
      return { payment: approved(await paying.capture({ key, payment, amount, currency })).payment }
    },
    write: (subject, { selling }) => selling.markPaid(subject),
    async undo({ id, payment, total: amount, currency }, { paying }, key) {
      const answer = await paying.capture({ key: stepKey(id, 'capture'), payment, amount, currency })
      if (settled(answer).outcome !== 'declined') await refund(paying, payment, key)
    },
  },
]

export const stepKey = (id: string, step: StepName, round = 1) =>
  round === 1 ? `checkout/${id}/${step}` : `checkout/${id}/${step}/${round}`
export const undoKey = (id: string, step: StepName) => `${stepKey(id, step)}/undo`

/** Whatever it said before: what was set aside is given up, what was taken is given back. */
async function giveBack(paying: Paying, payment: string, key: string) {
  const answer = settled(await paying.void({ key, payment }))
  if (answer.outcome === 'declined' && answer.reason === 'captured') await refund(paying, payment, `${key}/refund`)
}

/** All of it. A provider that won't leaves the checkout stuck: somebody has to talk to it. */
async function refund(paying: Paying, payment: string, key: string) {
  const answer = settled(await paying.refund({ key, payment }))
  if (answer.outcome === 'declined') throw new Error(`the refund was declined: ${answer.reason}`)
}

type Settled = Exclude<PayingOutcome, { outcome: 'unknown' }>

function settled(answer: PayingOutcome): Settled {
  if (answer.outcome === 'unknown') throw new Error(`the payment provider does not tell: ${answer.reason}`)
  return answer
}

function approved(outcome: PayingOutcome): Extract<Settled, { outcome: 'approved' }> {
  const answer = settled(outcome)
  if (answer.outcome === 'approved') return answer
  if (answer.outcome === 'declined') {
    throw new Rejected('payment-declined', { reason: answer.reason }, `the payment was declined: ${answer.reason}`)
  }
  const { payment, reason } = answer
  throw new Rejected('payment-unclear', { payment, reason }, `the payment provider ${reason}`)
}
