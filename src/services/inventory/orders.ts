/** Orders, returns and cancellations. */
import { type Decision, Rejected } from '../../engine/decider.ts'
import { type Allocation, allocated, type StrategyName, strategies } from './allocation.ts'
import type { Command, Line } from './commands.ts'
import type { Draft, StockThresholds } from './draft.ts'
import type { InventoryFact } from './facts.ts'
import { type Held, type OrderState, orderIn, type StockState, saleId, stockId } from './state.ts'

type Of<Type extends Command['type']> = Extract<Command, { type: Type }>

export interface SellingRules extends StockThresholds {
  /** Which warehouses units are taken from (INVENTORY_ALLOCATION); `priority` when absent. */
  allocation?: StrategyName
}

/** Each SKU once, its quantities summed, in order of first appearance. */
export function summed(lines: Line[]): Line[] {
  if (lines.length === 1) return lines
  const sums = new Map<string, number>()
  for (const { sku, quantity } of lines) sums.set(sku, (sums.get(sku) ?? 0) + quantity)
  return sums.size === lines.length ? lines : Array.from(sums, ([sku, quantity]) => ({ sku, quantity }))
}

/** What to take of each line from where. Throws `Rejected` for SKUs that can't be sold; answers undefined when there is too little. */
export function allocate(
  draft: Draft,
  lines: Line[],
  { allocation = 'priority' }: SellingRules,
  resting: string[] = [],
): { sku: string; productId: string; quantity: number; allocations: Allocation[] }[] | undefined {
  const stocks = lines.map((line) => draft.stock(line.sku))
  refuseIf(stocks, lines, 'unknown-sku', (stock) => stock === undefined)
  refuseIf(stocks, lines, 'inactive-sku', (stock) => !stock?.stock.active || resting.includes(stock.stock.sku))
  if (stocks.some((stock, n) => (stock as StockState).stock.available < (lines[n] as Line).quantity)) return undefined
  return lines.map(({ sku, quantity }, n) => ({
    sku,
    productId: (stocks[n] as StockState).stock.productId,
    quantity,
    allocations: allocated(strategies[allocation], (stocks[n] as StockState).stock.levels, quantity),
  }))
}

/** Throws `Rejected` with the lines whose stock is wrong. */
export function refuseIf(
  stocks: (StockState | undefined)[],
  lines: Line[],
  code: string,
  isWrong: (stock: StockState | undefined) => boolean,
) {
  if (!stocks.some(isWrong)) return
  const wrong = lines.filter((_, n) => isWrong(stocks[n]))
  const skus = wrong.map((line) => line.sku).join(', ')
  throw new Rejected(
    code,
    { lines: wrong },
    code === 'unknown-sku' ? `there is no stock of ${skus}` : `no longer sold: ${skus}`,
  )
}

/** Takes all lines or none, once an id. Too little: refused with what there is, and each short SKU says so (document B, Flow 1, step 3b). */
export function order(draft: Draft, command: Of<'order'>, rules: SellingRules): Decision<InventoryFact> {
  const { orderId, customerId } = command
  if (orderIn(draft.states, orderId)) {
    throw new Rejected(
      'already-exists',
      { what: 'order', id: orderId },
      `there is an order ${JSON.stringify(orderId)} already`,
    )
  }
  const lines = summed(command.lines)
  const taken = allocate(draft, lines, rules, command.resting)
  if (!taken) return insufficient(draft, lines, { orderId }, rules)
  const held: Held[] = []
  for (const { sku, allocations } of taken) {
    for (const { warehouseId, quantity } of allocations) {
      draft.move(sku, warehouseId, {
        trigger: 'ORDER_CONFIRMED',
        onHand: -quantity,
        referenceType: 'ORDER',
        reference: orderId,
      })
      held.push({ sku, warehouseId, quantity })
    }
  }
  draft.facts.push({ type: 'order.placed', entity: saleId(orderId), lines: held })
  return draft.done(rules, { orderId, status: 'confirmed', ...(customerId && { customerId }), lines: taken })
}

/** Refuses for want of units. */
export function insufficient(
  draft: Draft,
  lines: Line[],
  subject: { orderId?: string; reservationId?: string },
  thresholds: StockThresholds,
): Decision<InventoryFact> {
  const short = []
  for (const { sku, quantity } of lines) {
    const available = draft.stock(sku)?.stock.available ?? 0
    if (available >= quantity) continue
    short.push({ sku, requested: quantity, available })
    draft.facts.push({
      type: 'stock.update.failed',
      entity: stockId(sku),
      requested: quantity,
      available,
      referenceType: subject.orderId === undefined ? 'RESERVATION' : 'ORDER',
      reference: subject.orderId ?? subject.reservationId ?? '',
    })
  }
  const message = short
    .map((line) => `${line.sku}: ${line.requested} asked for, ${line.available} available`)
    .join('; ')
  return draft.refused(thresholds, 'insufficient-stock', { ...subject, lines: short }, message)
}

export function giveBack(
  draft: Draft,
  command: Of<'return'> | Of<'cancel'>,
  thresholds: StockThresholds,
): Decision<InventoryFact> {
  const found = orderIn(draft.states, command.orderId)
  if (!found) {
    const detail = { what: 'order', id: command.orderId }
    throw new Rejected('not-found', detail, `there is no order ${JSON.stringify(command.orderId)}`)
  }
  const lines = command.type === 'return' ? command.lines : undefined
  const back = lines
    ? chosen(found, command.orderId, lines)
    : found.lines.filter((line) => left(line) > 0).map(remaining)
  const reference = { referenceType: 'ORDER', reference: command.orderId, reason: command.reason }
  for (const { sku, warehouseId, quantity } of back) {
    draft.move(sku, warehouseId, { trigger: 'ORDER_RETURNED', onHand: quantity, ...reference })
  }
  if (back.length > 0) draft.facts.push({ type: 'order.returned', entity: saleId(command.orderId), lines: back })
  const units =
    found.lines.reduce((sum, line) => sum + left(line), 0) - back.reduce((sum, line) => sum + line.quantity, 0)
  return draft.done(thresholds, {
    orderId: command.orderId,
    ...(command.type === 'return' && command.returnId && { returnId: command.returnId }),
    status: units === 0 ? 'cancelled' : 'partly-returned',
    lines: byLine(back),
  })
}

const left = (line: OrderState['lines'][number]) => line.quantity - line.returned
const remaining = (line: OrderState['lines'][number]): Held => ({
  sku: line.sku,
  warehouseId: line.warehouseId,
  quantity: left(line),
})

/** The levels the returned units go back to. Throws when more is returned than the order still has. */
function chosen(found: OrderState, orderId: string, lines: Line[]): Held[] {
  const { given, short } = takenFrom(found.lines.map(remaining), lines)
  if (short.length === 0) return given
  const wrong = short.map(({ sku, requested, left }) => ({ sku, requested, returnable: left }))
  const message = wrong
    .map((line) => `${line.sku}: ${line.requested} to return, ${line.returnable} left of it`)
    .join('; ')
  throw new Rejected('return-exceeds-order', { orderId, lines: wrong }, message)
}

/** What is asked for, taken from what is held in its order; `short` are the lines that hold less. */
export function takenFrom(held: readonly Held[], lines: Line[]) {
  const given: Held[] = []
  const short: { sku: string; requested: number; left: number }[] = []
  for (const { sku, quantity } of summed(lines)) {
    let open = quantity
    for (const line of held) {
      const some = line.sku === sku ? Math.min(open, line.quantity) : 0
      if (some <= 0) continue
      given.push({ sku, warehouseId: line.warehouseId, quantity: some })
      open -= some
    }
    if (open > 0) short.push({ sku, requested: quantity, left: quantity - open })
  }
  return { given, short }
}

/** Per SKU, with the warehouses it went to. */
export function byLine(held: readonly Held[]): { sku: string; quantity: number; allocations: Allocation[] }[] {
  const lines = new Map<string, { sku: string; quantity: number; allocations: Allocation[] }>()
  for (const { sku, warehouseId, quantity } of held) {
    const line = lines.get(sku) ?? { sku, quantity: 0, allocations: [] }
    line.quantity += quantity
    line.allocations.push({ warehouseId, quantity })
    lines.set(sku, line)
  }
  return [...lines.values()]
}
