/** What surrounds every provider: a deadline for each call, and an answer that is compared with what was asked. Providers know of neither. */
import { within } from '../../engine/deadline.ts'
import type { Amount, Answer, Call, PaymentProvider } from './provider.ts'

/**
 * What is known after asking once. `unknown`: no answer in time, or an exception; it may have been done, so ask again with the same key. `wrong`: it says
 * yes to another amount or currency than was asked for.
 */
export type Outcome =
  | Answer
  | { outcome: 'unknown'; reason: string }
  | ({ outcome: 'wrong'; payment: string; reason: string } & Amount)

export interface Payments {
  authorise(request: Call & Amount & { token: string }): Promise<Outcome>
  capture(request: Call & Amount & { payment: string }): Promise<Outcome>
  void(request: Call & { payment: string }): Promise<Outcome>
  refund(request: Call & Partial<Amount> & { payment: string }): Promise<Outcome>
}

/** Never rejects. `deadlineMs` is for one call. */
export function asking(provider: PaymentProvider, deadlineMs: number): Payments {
  const ask = async (what: string, asked: Partial<Amount>, call: (signal: AbortSignal) => Promise<Answer>) => {
    try {
      return compared(asked, await within(deadlineMs, what, call))
    } catch (error) {
      return { outcome: 'unknown', reason: error instanceof Error ? error.message : String(error) } as const
    }
  }
  return {
    authorise: (request) => ask('authorise', request, (signal) => provider.authorise({ ...request, signal })),
    capture: (request) => ask('capture', request, (signal) => provider.capture({ ...request, signal })),
    void: (request) => ask('void', {}, (signal) => provider.void({ ...request, signal })),
    refund: (request) => ask('refund', request, (signal) => provider.refund({ ...request, signal })),
  }
}

/** An answer beside what was asked; what was not said in asking is not compared. An answer of no known kind tells nothing. */
export function compared({ amount, currency }: Partial<Amount>, answer: Answer): Outcome {
  if (answer?.outcome === 'declined') return answer
  if (answer?.outcome !== 'approved') return { outcome: 'unknown', reason: 'the answer can not be read' }
  const same = (amount ?? answer.amount) === answer.amount && (currency ?? answer.currency) === answer.currency
  if (same) return answer
  const reason = `approved ${answer.amount} ${answer.currency} where ${amount} ${currency} was asked for`
  return { ...answer, outcome: 'wrong', reason }
}
