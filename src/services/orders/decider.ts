/** The rules of orders: how one begins, where it may go, and what is given back of it. What becomes of stock is inventory's to say. */
import { type Decider, type Decision, type EntityId, Rejected } from '../../engine/decider.ts'
import type { Data, FieldChange } from '../../engine/event.ts'
import type { AnsweredLine, LineToSell, OrderAnswer } from './commands.ts'
import type { Order, OrderedLine, OrderStatus } from './events.ts'
import { pricesIn, totalsOf } from './prices.ts'

/** What an order is asked to become, in one transaction with inventory's answer where there is one. */
export type OrderDeed =
  | {
      type: 'open'
      orderId: string
      customerId: string | null
      reservationId: string | null
      lines: LineToSell[]
      by: string | null
      /** Inventory's answer. */
      sold?: Sold
    }
  | { type: 'mark'; orderId: string; status: 'paid' | 'fulfilled'; reason: string | null; by: string | null }
  | {
      type: 'give-back'
      orderId: string
      as: 'cancelled' | 'returned'
      returnId?: string | undefined
      reason: string | null
      by: string | null
      /** Inventory's answer. */
      back?: Sold
    }

export interface Sold {
  /** The order that a reservation was for. */
  orderId?: string
  status?: OrderStatus
  lines: AnsweredLine[]
}

export type OrdersFact =
  | { type: 'order.created'; entity: EntityId; order: Order }
  | {
      type: 'order.status.changed'
      entity: EntityId
      order: Order
      previousStatus: OrderStatus
      reason: string | null
      changes: FieldChange[]
    }

export const orderEntity = (orderId: string): EntityId => `order/${orderId}`

type Of<Type extends OrderDeed['type']> = Extract<OrderDeed, { type: Type }>

export const ordersDecider: Decider<Order, OrderDeed, OrdersFact> = {
  touches: ({ orderId }) => [orderEntity(orderId)],
  creates: ({ type, orderId }) => (type === 'open' ? [orderEntity(orderId)] : []),

  decide(states, deed, now) {
    const known = states.get(orderEntity(deed.orderId))?.state
    switch (deed.type) {
      case 'open':
        return open(known, deed, now)
      case 'mark':
        return mark(known, deed, now)
      case 'give-back':
        return giveBack(known, deed, now)
    }
  },

  evolve: (_, fact) => fact.order,

  tell(fact) {
    const { type, entity, order } = fact
    if (type === 'order.created') return { key: entity, data: { order } }
    const { previousStatus, reason, changes } = fact
    return { key: entity, data: { order, previousStatus, newStatus: order.status, reason, changes } }
  },
}

function open(known: Order | undefined, deed: Of<'open'>, now: Date): Decision<OrdersFact> {
  const { orderId: id, customerId, reservationId, sold = { lines: [] }, by } = deed
  if (known) {
    if (reservationId !== null && known.reservationId === reservationId) return { facts: [], answer: answerOf(known) }
    throw new Rejected('already-exists', { what: 'order', id }, `there is an order ${JSON.stringify(id)} already`)
  }
  const prices = pricesIn(deed.lines)
  if (reservationId !== null) mustMatch(deed, sold)
  const lines = sold.lines.map(
    ({ sku, productId = null, quantity, allocations }): OrderedLine => ({
      sku,
      productId,
      quantity,
      returned: 0,
      unitPrice: prices.get(sku) ?? null,
      allocations,
    }),
  )
  const at = now.toISOString()
  const order: Order = {
    id,
    status: 'confirmed',
    customerId,
    reservationId,
    lines,
    totals: totalsOf(lines),
    history: [{ status: 'confirmed', at, actor: by, reason: null }],
    createdAt: at,
    updatedAt: at,
  }
  return { facts: [{ type: 'order.created', entity: orderEntity(id), order }], answer: answerOf(order) }
}

/** A reservation is sold as it was made: for this order, and what it holds. */
function mustMatch({ orderId, reservationId, lines }: Of<'open'>, sold: Sold): void {
  if (sold.orderId !== orderId) {
    const message = `the reservation ${reservationId} was not made for the order ${orderId}`
    throw new Rejected('reservation-mismatch', { orderId, reservationId, reservedFor: sold.orderId ?? null }, message)
  }
  const asked = new Map<string, number>()
  for (const { sku, quantity } of lines) asked.set(sku, (asked.get(sku) ?? 0) + quantity)
  const held = new Map(sold.lines.map(({ sku, quantity }) => [sku, quantity]))
  const other = [...new Set([...asked.keys(), ...held.keys()])].filter((sku) => asked.get(sku) !== held.get(sku))
  if (other.length === 0) return
  const wrong = other.map((sku) => ({ sku, requested: asked.get(sku) ?? 0, held: held.get(sku) ?? 0 }))
  const message = wrong.map((line) => `${line.sku}: ${line.requested} to sell, ${line.held} held`).join('; ')
  throw new Rejected('reservation-mismatch', { orderId, reservationId, lines: wrong }, message)
}

const before: Record<'paid' | 'fulfilled', readonly OrderStatus[]> = {
  paid: ['confirmed', 'partly-returned'],
  fulfilled: ['confirmed', 'paid', 'partly-returned'],
}

/** Once an order has been there it is not moved back; what came back of it before it was sent does not keep it from being sent. */
function mark(known: Order | undefined, deed: Of<'mark'>, now: Date): Decision<OrdersFact> {
  if (!known) throw notThere(deed.orderId)
  const { status, reason, by } = deed
  const been = (place: OrderStatus) => known.history.some((entry) => entry.status === place)
  if (been(status)) return { facts: [], answer: answerOf(known) }
  if (!before[status].includes(known.status) || been('fulfilled')) throw wrongStatus(known, status)
  return changed(known, { status }, reason, by, now)
}

function giveBack(known: Order | undefined, deed: Of<'give-back'>, now: Date): Decision<OrdersFact> {
  const { orderId, as, returnId, reason, by, back = { lines: [] } } = deed
  // What a reservation of its own sold, or what was sold before there were orders, is inventory's alone.
  if (!known) return { facts: [], answer: { orderId, status: as, ...back, totals: [], ...(returnId && { returnId }) } }
  if (as === 'cancelled' && known.history.some((entry) => entry.status === 'fulfilled')) throw wrongStatus(known, as)
  if (back.lines.length === 0)
    return { facts: [], answer: { ...answerOf(known), lines: [], ...(returnId && { returnId }) } }
  const lines = known.lines.map((line) =>
    less(
      line,
      back.lines.find(({ sku }) => sku === line.sku),
    ),
  )
  const rest = lines.some((line) => line.returned < line.quantity)
  const status = as === 'cancelled' ? 'cancelled' : rest ? 'partly-returned' : 'returned'
  const given = back.lines.map(({ sku, quantity, allocations }) => ({ sku, quantity, allocations }))
  const { facts, answer } = changed(known, { status, lines }, reason, by, now)
  return { facts, answer: { ...answer, lines: given, ...(returnId && { returnId }) } }
}

/** The line after some of it was given back to the warehouses it came from. */
function less(line: OrderedLine, back: AnsweredLine | undefined): OrderedLine {
  if (!back) return line
  const to = new Map(back.allocations.map(({ warehouseId, quantity }) => [warehouseId, quantity]))
  const allocations = line.allocations
    .map(({ warehouseId, quantity }) => ({ warehouseId, quantity: quantity - (to.get(warehouseId) ?? 0) }))
    .filter(({ quantity }) => quantity > 0)
  return { ...line, returned: line.returned + back.quantity, allocations }
}

function changed(
  known: Order,
  fields: Pick<Order, 'status'> & Partial<Pick<Order, 'lines'>>,
  reason: string | null,
  by: string | null,
  now: Date,
): { facts: OrdersFact[]; answer: Data } {
  const at = now.toISOString()
  const history = [...known.history, { status: fields.status, at, actor: by, reason }]
  const order: Order = { ...known, ...fields, history, updatedAt: at }
  const fact: OrdersFact = {
    type: 'order.status.changed',
    entity: orderEntity(known.id),
    order,
    previousStatus: known.status,
    reason,
    changes: changesBetween(known, order),
  }
  return { facts: [fact], answer: answerOf(order) }
}

function changesBetween(was: Order, is: Order): FieldChange[] {
  const changes: FieldChange[] = []
  if (was.status !== is.status) changes.push({ field: 'status', oldValue: was.status, newValue: is.status })
  for (const [n, { sku, returned }] of is.lines.entries()) {
    const oldValue = was.lines[n]?.returned ?? 0
    if (oldValue !== returned) changes.push({ field: `lines.${sku}.returned`, oldValue, newValue: returned })
  }
  return changes
}

/** Lines are what the order was made of. */
function answerOf({ id, status, customerId, lines, totals }: Order): OrderAnswer & Data {
  return {
    orderId: id,
    status,
    ...(customerId !== null && { customerId }),
    lines: lines.map(({ sku, productId, quantity, unitPrice, allocations }) => ({
      sku,
      productId,
      quantity,
      unitPrice,
      allocations,
    })),
    totals,
  }
}

const notThere = (id: string) =>
  new Rejected('not-found', { what: 'order', id }, `there is no order ${JSON.stringify(id)}`)

const wrongStatus = ({ id, status }: Order, wanted: OrderStatus) =>
  new Rejected(
    'order-status',
    { orderId: id, orderStatus: status, wanted },
    `the order is ${status}: it can't become ${wanted}`,
  )
