/** Counts sales: orders, units and revenue when an order takes its stock, and what is given back when it is. By product, category and vendor. */
import type { LoggedEvent } from '../../engine/event.ts'
import type { Order, OrderedLine } from '../orders/events.ts'
import type { Additions } from './additions.ts'
import type { World } from './world.ts'

/** What such an order sold is a sale; a pending one has taken nothing yet. */
const isSold = (status: Order['status'] | undefined) =>
  status !== undefined && status !== 'pending' && status !== 'cancelled'

export function countOrder({ type, at, data }: LoggedEvent, world: World, additions: Additions): void {
  const order = data.order as Order
  const before = type === 'order.created' ? undefined : (data.previousStatus as Order['status'])
  if (before !== order.status) {
    if (before) additions.add(at, 'orders now', 'status', before, -1)
    additions.add(at, 'orders now', 'status', order.status, 1)
    additions.add(at, 'orders reached', 'status', order.status, 1)
  }
  if (!isSold(before) && isSold(order.status)) countSale(at, order, world, additions)
  for (const { field, oldValue, newValue } of data.changes ?? []) {
    const sku = /^lines\.(.+)\.returned$/.exec(field)?.[1]
    const line = order.lines.find((each) => each.sku === sku)
    if (line) countLine(at, 'returned ', line, newValue - oldValue, world, additions)
  }
}

/** An order counts once under each heading, however many of its lines are there. */
function countSale(at: Date, order: Order, world: World, additions: Additions) {
  const headings = new Set<string>()
  for (const line of order.lines) {
    countLine(at, '', line, line.quantity, world, additions)
    for (const [dimension, item] of headingsOf(line, world)) {
      const heading = `${dimension}\n${item}`
      if (headings.has(heading)) continue
      headings.add(heading)
      additions.add(at, 'orders', dimension, item, 1)
    }
  }
}

function countLine(at: Date, prefix: '' | 'returned ', line: OrderedLine, units: number, world: World, to: Additions) {
  const { unitPrice } = line
  const revenue = unitPrice && BigInt(unitPrice.amount) * BigInt(units)
  for (const [dimension, item] of headingsOf(line, world)) {
    to.add(at, `${prefix}units`, dimension, item, units)
    if (unitPrice && revenue) to.add(at, `${prefix}revenue ${unitPrice.currency}`, dimension, item, revenue)
  }
}

/** As the product stood when it was sold. */
function headingsOf({ productId }: OrderedLine, world: World): [dimension: string, item: string][] {
  const product = world.products.get(productId ?? '')
  return [
    ['all', ''],
    ['product', productId ?? ''],
    ['category', product?.category ?? ''],
    ['vendor', product?.vendorId ?? ''],
  ]
}
