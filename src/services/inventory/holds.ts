/** Reservations: units held for a while, then sold or given back. */
import { type Decision, Rejected } from '../../engine/decider.ts'
import type { Data } from '../../engine/event.ts'
import type { Command, Line } from './commands.ts'
import { type Draft, referenceTo, type StockThresholds } from './draft.ts'
import { evolve, type InventoryFact } from './facts.ts'
import { allocate, byLine, insufficient, type SellingRules, summed, takenFrom } from './orders.ts'
import { type ReservationState, reservationId, reservationIn } from './state.ts'

type Of<Type extends Command['type']> = Extract<Command, { type: Type }>

/** Holds all lines or none. */
export function reserve(draft: Draft, command: Of<'reserve'>, rules: SellingRules): Decision<InventoryFact> {
  const { reservationId: id, orderId, ttlSeconds } = command
  if (reservationIn(draft.states, id)) throw new Rejected('already-exists', { what: 'reservation', id })
  const lines = summed(command.lines)
  const taken = allocate(draft, lines, rules, command.resting)
  if (!taken) return insufficient(draft, lines, { reservationId: id, orderId }, rules)
  const expiresAt = new Date(draft.now.getTime() + ttlSeconds * 1_000)
  const held = taken.flatMap(({ sku, allocations }) => allocations.map((allocation) => ({ sku, ...allocation })))
  const reservation: ReservationState = {
    reservationId: id,
    orderId,
    status: 'held',
    expiresAt,
    lapsed: false,
    lines: held,
  }
  draft.facts.push({ type: 'reservation.held', entity: reservationId(id), reservation })
  for (const { sku, warehouseId, quantity } of held) {
    draft.move(sku, warehouseId, {
      trigger: 'RESERVED',
      reserved: quantity,
      reservationId: id,
      expiresAt,
      ...referenceTo(orderId, id),
    })
  }
  return draft.done(rules, answerOf(reservation, taken))
}

/** Sells what is held. Confirming again gives the same answer. */
export function confirm(draft: Draft, command: Of<'confirm'>, thresholds: StockThresholds): Decision<InventoryFact> {
  const reservation = existing(draft, command.reservationId)
  const { reservationId: id, orderId, status, lines } = reservation
  const sold = byLine(lines).map((line) => ({ ...line, productId: draft.stock(line.sku)?.stock.productId }))
  if (status === 'confirmed') return { facts: [], answer: answerOf(reservation, sold) }
  mustHold(reservation, draft.now)
  for (const { sku, warehouseId, quantity } of lines) {
    draft.move(sku, warehouseId, {
      trigger: 'ORDER_CONFIRMED',
      onHand: -quantity,
      reserved: -quantity,
      reservationId: id,
      ...referenceTo(orderId, id),
    })
  }
  draft.facts.push({ type: 'reservation.closed', entity: reservationId(id), status: 'confirmed' })
  return draft.done(thresholds, answerOf({ ...reservation, status: 'confirmed' }, sold))
}

/** Moves its end so far away from now, never nearer: asked again it changes next to nothing, and what is over stays over. */
export function extend(draft: Draft, command: Of<'extend'>, thresholds: StockThresholds): Decision<InventoryFact> {
  const reservation = existing(draft, command.reservationId)
  const { reservationId: id, status } = reservation
  if (status === 'confirmed') throw new Rejected('reservation-confirmed', { reservationId: id })
  mustHold(reservation, draft.now)
  const expiresAt = new Date(draft.now.getTime() + command.ttlSeconds * 1_000)
  if (expiresAt <= reservation.expiresAt) return { facts: [], answer: answerOf(reservation) }
  draft.facts.push({ type: 'reservation.extended', entity: reservationId(id), expiresAt })
  return draft.done(thresholds, answerOf({ ...reservation, expiresAt }))
}

/** Gives back what is held, or some of it. Without lines: again, or after its time, it changes nothing more. */
export function release(draft: Draft, command: Of<'release'>, thresholds: StockThresholds): Decision<InventoryFact> {
  if (command.lines) return releaseSome(draft, command.reservationId, command.lines, thresholds)
  const reservation = existing(draft, command.reservationId)
  const { reservationId: id, orderId, status, lines } = reservation
  if (status === 'confirmed') throw new Rejected('reservation-confirmed', { reservationId: id })
  if (status !== 'held') return { facts: [], answer: answerOf(reservation) }
  if (isOver(reservation, draft.now)) return expireAll(draft, [reservation], thresholds)
  if (reservation.lapsed) return { facts: [], answer: answerOf({ ...reservation, status: 'expired' }) }
  for (const { sku, warehouseId, quantity } of lines) {
    draft.move(sku, warehouseId, {
      trigger: 'RELEASED',
      reserved: -quantity,
      reservationId: id,
      ...referenceTo(orderId, id),
    })
  }
  draft.facts.push({ type: 'reservation.closed', entity: reservationId(id), status: 'released' })
  return draft.done(thresholds, answerOf({ ...reservation, status: 'released' }))
}

function releaseSome(draft: Draft, id: string, lines: Line[], thresholds: StockThresholds): Decision<InventoryFact> {
  const reservation = existing(draft, id)
  if (reservation.status === 'confirmed') throw new Rejected('reservation-confirmed', { reservationId: id })
  mustHold(reservation, draft.now)
  const { given, short } = takenFrom(reservation.lines, lines)
  if (short.length > 0) {
    const detail = short.map(({ sku, requested, left }) => ({ sku, requested, held: left }))
    const message = detail.map((line) => `${line.sku}: ${line.requested} to release, ${line.held} held`).join('; ')
    throw new Rejected('release-exceeds-reservation', { reservationId: id, lines: detail }, message)
  }
  const after = evolve(reservation, { type: 'reservation.reduced', entity: reservationId(id), lines: given })
  const rest = (after as ReservationState).lines
  if (rest.length === 0) return release(draft, { type: 'release', reservationId: id }, thresholds)
  const { orderId, expiresAt } = reservation
  for (const { sku, warehouseId, quantity } of given) {
    draft.move(sku, warehouseId, {
      trigger: 'RELEASED',
      reserved: -quantity,
      reservationId: id,
      expiresAt,
      ...referenceTo(orderId, id),
    })
  }
  draft.facts.push({ type: 'reservation.reduced', entity: reservationId(id), lines: given })
  return draft.done(thresholds, answerOf({ ...reservation, lines: rest }))
}

export function expire(draft: Draft, command: Of<'expire'>, thresholds: StockThresholds): Decision<InventoryFact> {
  const due = command.reservationIds
    .map((id) => reservationIn(draft.states, id))
    .filter((found) => found !== undefined)
    .filter((found) => found.status === 'held' && isOver(found, draft.now))
  return expireAll(draft, due, thresholds)
}

/**
 * Their lines are released by looking at their SKUs, as any other command would: a reservation's own list may be older than what
 * another command of the batch has already released.
 */
function expireAll(draft: Draft, due: ReservationState[], thresholds: StockThresholds): Decision<InventoryFact> {
  for (const { reservationId: id, lines } of due) {
    for (const { sku } of lines) draft.stock(sku)
    draft.facts.push({ type: 'reservation.closed', entity: reservationId(id), status: 'expired' })
  }
  const [only] = due
  const answer = due.length === 1 && only ? answerOf({ ...only, status: 'expired' }) : { expired: due.length }
  return draft.done(thresholds, answer)
}

function existing(draft: Draft, id: string): ReservationState {
  const found = reservationIn(draft.states, id)
  // One made by another command of this batch has had no answer yet, and its SKUs may not be locked for this one.
  if (found && (found.status !== 'held' || found.lines.every((line) => draft.stock(line.sku)))) return found
  throw new Rejected('not-found', { what: 'reservation', id }, `there is no reservation ${JSON.stringify(id)}`)
}

function mustHold(reservation: ReservationState, now: Date): void {
  const { reservationId: id, status, lapsed, expiresAt } = reservation
  if (status === 'released') throw new Rejected('reservation-released', { reservationId: id })
  if (status === 'expired' || lapsed || isOver(reservation, now)) {
    throw new Rejected('reservation-expired', { reservationId: id, expiresAt: expiresAt.toISOString() })
  }
}

/** By the database's clock; the second it ends is over. */
const isOver = (reservation: ReservationState, now: Date) => reservation.expiresAt <= now

function answerOf(
  { reservationId: id, orderId, status, expiresAt, lines }: ReservationState,
  taken = byLine(lines),
): Data {
  return { reservationId: id, ...(orderId && { orderId }), status, expiresAt: expiresAt.toISOString(), lines: taken }
}
