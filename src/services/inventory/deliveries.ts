/** Deliveries: goods expected from a supplier, and transfers, which are in no warehouse while they are under way. */
import { type Decision, Rejected } from '../../engine/decider.ts'
import type { Data } from '../../engine/event.ts'
import type { Command, DeliveryKind, Line } from './commands.ts'
import { mustBeInUse } from './counts.ts'
import type { Draft, StockThresholds } from './draft.ts'
import type { InventoryFact } from './facts.ts'
import { refuseIf, summed } from './orders.ts'
import { type DeliveryState, deliveryId, deliveryIn, stockId } from './state.ts'

type Of<Type extends Command['type']> = Extract<Command, { type: Type }>

/** Announces a delivery. A transfer leaves its warehouse now, all lines or none. */
export function announce(draft: Draft, command: Of<'announce'>, thresholds: StockThresholds): Decision<InventoryFact> {
  const { deliveryId: id, from, to, reference, expectedAt } = command
  if (deliveryIn(draft.states, id)) throw new Rejected('already-exists', { what: 'delivery', id })
  if (from === to) {
    throw new Rejected('transfer-to-itself', { warehouseId: to }, `the goods are in ${JSON.stringify(to)} already`)
  }
  for (const warehouseId of from === undefined ? [to] : [from, to]) mustBeInUse(draft, warehouseId)
  const lines = summed(command.lines)
  const stocks = lines.map((line) => draft.stock(line.sku))
  refuseIf(stocks, lines, 'unknown-sku', (stock) => stock === undefined)
  const delivery: DeliveryState = {
    deliveryId: id,
    from,
    to,
    reference,
    expectedAt,
    status: 'under-way',
    lines: lines.map((line) => ({ ...line, received: 0 })),
  }
  if (from !== undefined) {
    const short = lines.flatMap(({ sku, quantity }, n) => {
      const level = stocks[n]?.stock.levels.find((one) => one.warehouseId === from)
      const available = level ? level.onHand - level.reserved : 0
      return available < quantity ? { sku, requested: quantity, available } : []
    })
    if (short.length > 0) {
      const message = short.map(
        (line) => `${line.sku}: ${line.requested} to ship, ${line.available} available in ${from}`,
      )
      return draft.refused(thresholds, 'insufficient-stock', { warehouseId: from, lines: short }, message.join('; '))
    }
    carry(draft, delivery, from, -1, lines)
  }
  draft.facts.push({ type: 'delivery.announced', entity: deliveryId(id), delivery })
  tellExpected(draft, delivery, delivery.lines)
  return draft.done(thresholds, answerOf(delivery))
}

/** Brings in what is named, never more than is under way; without lines, the rest. Without lines, again it changes nothing. */
export function receive(draft: Draft, command: Of<'receive'>, thresholds: StockThresholds): Decision<InventoryFact> {
  const delivery = existing(draft, command.kind, command.deliveryId)
  const { deliveryId: id, status, to } = delivery
  if (status === 'cancelled') throw new Rejected('delivery-cancelled', { deliveryId: id })
  const lines = command.lines ? summed(command.lines) : rest(delivery)
  const open = new Map(rest(delivery).map((line) => [line.sku, line.quantity]))
  const wrong = lines
    .map(({ sku, quantity }) => ({ sku, requested: quantity, underWay: open.get(sku) ?? 0 }))
    .filter((line) => line.requested > line.underWay)
  if (wrong.length > 0) {
    const message = wrong.map((line) => `${line.sku}: ${line.requested} to receive, ${line.underWay} under way`)
    throw new Rejected('receipt-exceeds-delivery', { deliveryId: id, lines: wrong }, message.join('; '))
  }
  if (lines.length === 0) return { facts: [], answer: answerOf(delivery) }
  carry(draft, delivery, to, 1, lines)
  const received = arrived(delivery, lines)
  draft.facts.push({ type: 'delivery.changed', entity: deliveryId(id), delivery: received })
  return draft.done(thresholds, answerOf(received))
}

/** What has not arrived will not: a transfer's goods are back where they came from. Again changes nothing. */
export function callOff(draft: Draft, command: Of<'call-off'>, thresholds: StockThresholds): Decision<InventoryFact> {
  const delivery = existing(draft, command.kind, command.deliveryId)
  const { deliveryId: id, status, from } = delivery
  if (status === 'cancelled') return { facts: [], answer: answerOf(delivery) }
  if (status === 'received') throw new Rejected('delivery-received', { deliveryId: id })
  const open = rest(delivery)
  if (from !== undefined) carry(draft, delivery, from, 1, open)
  const cancelled: DeliveryState = { ...delivery, status: 'cancelled' }
  draft.facts.push({ type: 'delivery.changed', entity: deliveryId(id), delivery: cancelled })
  tellExpected(
    draft,
    delivery,
    open.map(({ sku }) => ({ sku, quantity: 0 })),
  )
  return draft.done(thresholds, answerOf(cancelled))
}

/** As it is answered and shown. */
export function answerOf({ deliveryId: id, from, to, reference, expectedAt, status, lines }: DeliveryState): Data {
  const common = { ...(reference !== undefined && { reference }), ...(expectedAt && { expectedAt }), lines }
  if (from === undefined) {
    return { receiptId: id, warehouseId: to, status: status === 'under-way' ? 'expected' : status, ...common }
  }
  return { transferId: id, from, to, status: status === 'under-way' ? 'shipped' : status, ...common }
}

/** In the ledger a transfer goes by its id, a purchase by its order's number (document C: referenceType, referenceNumber). */
const referenceOf = ({ deliveryId, from, reference }: DeliveryState) =>
  from === undefined
    ? { referenceType: 'PURCHASE_ORDER', reference: reference ?? deliveryId }
    : { referenceType: 'TRANSFER', reference: deliveryId, reason: reference }

function carry(draft: Draft, delivery: DeliveryState, warehouseId: string, sign: 1 | -1, lines: Line[]): void {
  for (const { sku, quantity } of lines) {
    draft.move(sku, warehouseId, { trigger: 'ADMIN_UPDATE', onHand: sign * quantity, ...referenceOf(delivery) })
  }
}

/** Tells whom it concerns how many units of each SKU the delivery will still bring. */
function tellExpected(draft: Draft, delivery: DeliveryState, lines: readonly Line[]): void {
  const { to: warehouseId, expectedAt } = delivery
  const { referenceType, reference } = referenceOf(delivery)
  for (const { sku, quantity } of lines) {
    const entity = stockId(sku)
    draft.facts.push({ type: 'stock.expected', entity, warehouseId, quantity, expectedAt, referenceType, reference })
  }
}

const rest = ({ lines }: DeliveryState): Line[] =>
  lines.flatMap(({ sku, quantity, received }) => (received < quantity ? { sku, quantity: quantity - received } : []))

function arrived(delivery: DeliveryState, lines: Line[]): DeliveryState {
  const after = delivery.lines.map((line) => {
    const more = lines.find((one) => one.sku === line.sku)?.quantity ?? 0
    return { ...line, received: line.received + more }
  })
  const all = after.every((line) => line.received === line.quantity)
  return { ...delivery, lines: after, status: all ? 'received' : 'under-way' }
}

function existing(draft: Draft, kind: DeliveryKind, id: string): DeliveryState {
  const found = deliveryIn(draft.states, id)
  const isKind = found && (kind === 'transfer') === (found.from !== undefined)
  // One announced by another command of this batch has had no answer yet, and its SKUs may not be locked for this one.
  if (isKind && (found.status !== 'under-way' || found.lines.every((line) => draft.stock(line.sku)))) return found
  throw new Rejected('not-found', { what: kind, id }, `there is no ${kind} ${JSON.stringify(id)}`)
}
