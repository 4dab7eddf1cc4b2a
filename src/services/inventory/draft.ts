/** What one command does to stock: the facts so far, and each SKU as it stands after them. */
import type { Decision } from '../../engine/decider.ts'
import { Rejected } from '../../engine/decider.ts'
import type { Data } from '../../engine/event.ts'
import { balanceOf } from './allocation.ts'
import type { Cause } from './commands.ts'
import type { Trigger } from './events.ts'
import { type InventoryFact, type Item, type Movement, move } from './facts.ts'
import { itemId, type States, type StockState, stockId, stockIn } from './state.ts'

/** When available crosses these, a fact says so (document B, Low-Stock Threshold Logic). */
export interface StockThresholds {
  /** LOW_STOCK_THRESHOLD */
  low: number
  /** OUT_OF_STOCK_THRESHOLD */
  out: number
}

/** A movement as a rule states it; what is left out is nothing. */
export interface Step extends Cause {
  trigger: Trigger
  onHand?: number
  reserved?: number
  reservationId?: string
  expiresAt?: Date
  item?: Item
}

interface Touched {
  state: StockState | undefined
  /** Available at the command's beginning; undefined while nothing of the SKU has ever moved. */
  before: number | undefined
  trigger: Trigger | undefined
}

export class Draft {
  readonly facts: InventoryFact[] = []
  readonly states: States
  readonly now: Date
  readonly #touched = new Map<string, Touched>()

  constructor(states: States, now: Date) {
    this.states = states
    this.now = now
  }

  /**
   * A SKU as it stands now. The first look releases what expired reservations still hold of it: so expiry counts from its second on,
   * whether or not the sweeper has come by.
   */
  stock(sku: string): StockState | undefined {
    const known = this.#touched.get(sku)
    if (known) return known.state
    const state = stockIn(this.states, sku)
    const touched: Touched = { state, before: firstStocked(state), trigger: undefined }
    this.#touched.set(sku, touched)
    if (state === undefined || state.expired.length === 0) return state
    for (const line of state.expired) {
      if (line.expiresAt > this.now) continue
      const { reservationId, orderId, warehouseId, quantity } = line
      this.move(sku, warehouseId, {
        trigger: 'EXPIRED',
        reserved: -quantity,
        reservationId,
        ...referenceTo(orderId, reservationId),
      })
    }
    return touched.state
  }

  /** States a movement of one level, which it opens when the warehouse had none of this SKU. */
  move(sku: string, warehouseId: string, step: Step): void {
    let touched = this.#touched.get(sku)
    if (touched === undefined) {
      this.stock(sku)
      touched = this.#touched.get(sku) as Touched
    }
    const level = touched.state?.stock.levels.find((one) => one.warehouseId === warehouseId)
    const onHandDelta = step.onHand ?? 0
    const reservedDelta = step.reserved ?? 0
    const fact: Movement = {
      type:
        onHandDelta !== 0 || reservedDelta === 0
          ? 'stock.updated'
          : reservedDelta > 0
            ? 'stock.reserved'
            : 'stock.released',
      entity: stockId(sku),
      warehouseId,
      itemId: level?.inventoryItemId ?? itemId(sku, warehouseId),
      opens: level === undefined,
      onHandDelta,
      reservedDelta,
      onHand: (level ? balanceOf(level) : 0) + onHandDelta,
      reserved: (level?.reserved ?? 0) + reservedDelta,
      trigger: step.trigger,
      reason: step.reason,
      referenceType: step.referenceType,
      reference: step.reference,
      reservationId: step.reservationId,
      expiresAt: step.expiresAt,
      item: step.item,
    }
    this.facts.push(fact)
    touched.state = move(touched.state, fact)
    touched.trigger = step.trigger
  }

  /** The decision: what happened, and which thresholds it crossed. */
  done(thresholds: StockThresholds, answer: Data): Decision<InventoryFact> {
    this.#stateCrossings(thresholds)
    return { facts: this.facts, answer }
  }

  /** A refusal. Units that expired reservations gave back, and failures stated, are facts all the same. */
  refused(thresholds: StockThresholds, code: string, detail: Data, message?: string): Decision<InventoryFact> {
    this.#stateCrossings(thresholds)
    return { rejected: new Rejected(code, detail, message), facts: this.facts }
  }

  /**
   * Judged once a command, from its beginning to its end: an order served by units that just expired crosses nothing. One that
   * falls from above both thresholds states both, low first.
   */
  #stateCrossings({ low, out }: StockThresholds): void {
    for (const [sku, { state, before, trigger }] of this.#touched) {
      if (trigger === undefined || state === undefined || before === undefined) continue
      const after = state.stock.available
      if (before === after) continue
      const entity = stockId(sku)
      if (before > low && after <= low) this.facts.push({ type: 'stock.low', entity, threshold: low, trigger })
      if (before > out && after <= out) this.facts.push({ type: 'stock.out', entity, threshold: out, trigger })
      if (before <= out && after > out) this.facts.push({ type: 'stock.back', entity, threshold: out, trigger })
    }
  }
}

/** A new item's first units are no return: it is `back` only if it was there before. */
function firstStocked(state: StockState | undefined): number | undefined {
  if (state === undefined) return undefined
  return state.untouched.length === state.stock.levels.length ? undefined : state.stock.available
}

/** A reservation made for an order answers to the order; one without answers to itself. */
export function referenceTo(orderId: string | undefined, reservationId: string) {
  return orderId === undefined
    ? { referenceType: 'RESERVATION', reference: reservationId }
    : { referenceType: 'ORDER', reference: orderId }
}
