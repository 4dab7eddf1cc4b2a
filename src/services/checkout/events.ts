/** What checkouts tell: the contracts of their events, and the checkout they carry. */
import { z } from 'zod'

export const stepName = z.enum(['reserve', 'authorise', 'confirm', 'capture'])
export type StepName = z.infer<typeof stepName>

export const step = z.strictObject({
  name: stepName,
  /** `failed` was refused for good; `undone` is as if it had never been. */
  status: z.enum(['pending', 'done', 'failed', 'undone']),
  /** Times in a row that it could not be told whether it, or its undoing, was done; it is asked again under the same key. */
  unclear: z.int(),
  at: z.string().nullable(),
  /** From the second time on that it is done anew, because what was reserved had expired. */
  round: z.int().optional(),
  error: z.string().optional(),
})

export const checkoutLine = z.strictObject({
  sku: z.string(),
  quantity: z.int(),
  /** Minor units of the checkout's currency. */
  unitPrice: z.int(),
})

export const checkout = z.strictObject({
  /** Also the id of its order, and of its reservation; one made anew has the round behind it: `<id>.2`. */
  id: z.string(),
  cartId: z.string().nullable(),
  customerId: z.string().nullable(),
  lines: z.array(checkoutLine),
  /** Minor units. */
  total: z.int(),
  currency: z.string(),
  status: z.enum(['running', 'completed', 'compensating', 'compensated']),
  /** A step has been unclear for long; it is still asked again, ever more seldom, or at once when told to. */
  stuck: z.boolean(),
  steps: z.array(step),
  /** Why it turned back: a problem's code, and what it says. */
  failure: z
    .strictObject({ code: z.string(), message: z.string(), detail: z.record(z.string(), z.unknown()) })
    .nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
})
export type Checkout = z.infer<typeof checkout>

const about = z.strictObject({ checkout, step: stepName })

/** key and entity = `checkout/<id>`. What pays for it is in none of them. */
export const checkoutEvents = {
  'checkout.started': z.strictObject({ checkout }),
  'checkout.step.done': about,
  /** Refused for good: from here on it goes back. */
  'checkout.step.failed': about,
  'checkout.step.undone': about,
  /** What was reserved expired before it was sold: the step is done anew, and what was done after it stays done. */
  'checkout.step.reopened': about,
  'checkout.stuck': about,
  /** All steps are done: it is an order, paid. */
  'checkout.completed': about,
  /** All that was done is undone. */
  'checkout.compensated': about,
}
