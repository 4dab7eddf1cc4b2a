/** The port to whoever moves the money: what a payment provider's client implements. One more is a file in providers/ and a line in service.ts. */

/** Minor units of an ISO 4217 currency: 1999 EUR is 19.99 €, 1999 JPY is 1999 ¥. */
export interface Amount {
  amount: number
  currency: string
}

export interface Call {
  /** The idempotency key: the same key gives the first answer again and moves nothing more. */
  key: string
  /** Fires when nobody waits for the answer any more. */
  signal?: AbortSignal
}

/** `payment` is the provider's name for it, given by the answer to `authorise`. Declined is final; anything unclear is thrown. */
export type Answer = ({ outcome: 'approved'; payment: string } & Amount) | { outcome: 'declined'; reason: string }

export interface PaymentProvider {
  /** Sets the amount aside on the card, wallet or account behind the token. */
  authorise(request: Call & Amount & { token: string }): Promise<Answer>
  /** Takes what was set aside. */
  capture(request: Call & Amount & { payment: string }): Promise<Answer>
  /** Gives up what was set aside and not taken; declined as `captured` once it was taken. */
  void(request: Call & { payment: string }): Promise<Answer>
  /** Gives back an amount, or without one all that was taken. */
  refund(request: Call & Partial<Amount> & { payment: string }): Promise<Answer>
}

export type Operation = keyof PaymentProvider
