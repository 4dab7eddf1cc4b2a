/**
 * What a checkout needs of others, handed in by the wiring: deeds, to be done in the transaction that reports them, and calls. Every call carries an
 * idempotency key: again, it changes nothing more.
 */
import type { Deed } from '../../engine/joint.ts'

/** What the steps work on. */
export interface Subject {
  id: string
  /** What holds its stock; another one each time that it has to be reserved anew. */
  reservationId: string
  customerId: string | null
  lines: { sku: string; quantity: number; unitPrice: number }[]
  /** Minor units of the currency. */
  total: number
  currency: string
  /** What the customer pays with, as the provider knows it. */
  token: string
  /** The provider's name for the payment; empty before `authorise`. */
  payment: string
  /** Of the request that began it. */
  correlationId: string
}

/** Stock and orders. What is refused is thrown as `Rejected`, or refused when it is carried out; undoing what was never done is no refusal. */
export interface Selling {
  /** Holds all lines or none, for the order with the checkout's id. */
  reserve(subject: Subject): Promise<Deed[]>
  release(subject: Subject, key: string): Promise<void>
  /** Makes what is held an order with the checkout's id. Refused as `reservation-expired` when it is held no more. */
  confirmOrder(subject: Subject): Promise<Deed[]>
  /** Takes the order back, and its units into stock. */
  cancelOrder(subject: Subject, key: string): Promise<void>
  markPaid(subject: Subject): Promise<Deed[]>
}

export type PayingOutcome =
  | { outcome: 'approved'; payment: string }
  | { outcome: 'declined'; reason: string }
  /** Ask again with the same key. */
  | { outcome: 'unknown'; reason: string }
  /** It says yes to something else than was asked. */
  | { outcome: 'wrong'; payment: string; reason: string }

interface Money {
  amount: number
  currency: string
}

/** The payment provider, as the payments service asks it; never rejects. */
export interface Paying {
  authorise(request: { key: string; token: string } & Money): Promise<PayingOutcome>
  capture(request: { key: string; payment: string } & Money): Promise<PayingOutcome>
  void(request: { key: string; payment: string }): Promise<PayingOutcome>
  refund(request: { key: string; payment: string }): Promise<PayingOutcome>
}

/** What so many of these cost now; throws `Rejected` for what has no price or is not for sale. */
export type Quote = (lines: { sku: string; quantity: number }[]) => Promise<{
  currency: string
  lines: { sku: string; quantity: number; unitPrice: number }[]
  total: number
}>

/** A cart's lines and whose it is; undefined when there is none. */
export type CartReader = (
  cartId: string,
) => Promise<{ lines: { sku: string; quantity: number }[]; customerId: string | null } | undefined>
