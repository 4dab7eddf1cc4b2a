/** Tells customers what becomes of their orders (E, Order Status Synchronization): once for each status worth a mail. */
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Order, OrderStatus } from '../orders/events.ts'
import { putInOutbox } from './outbox.ts'
import { namesOf } from './product-names.ts'
import { mayBeTold } from './rules.ts'

export const orderTopic = 'order_status'

/** An order that is still pending has taken nothing and promises nothing. */
const templates: Record<OrderStatus, string | null> = {
  pending: null,
  confirmed: 'order-confirmed',
  paid: 'order-status',
  fulfilled: 'order-status',
  'partly-returned': 'order-status',
  returned: 'order-status',
  cancelled: 'order-status',
}

export async function tellOfOrder(event: LoggedEvent, tx: Sql, state: 'queued' | 'unsent'): Promise<void> {
  const { id, customerId, status, lines, totals, createdAt } = event.data.order as Order
  const template = templates[status] ?? null
  if (template === null || customerId === null) return
  const [wanted, names] = await Promise.all([mayBeTold(tx, customerId, orderTopic), namesOf(tx, lines)])
  if (!wanted) return
  const order = {
    id,
    status,
    createdAt,
    totals,
    lines: lines.map(({ sku, quantity, returned, unitPrice }) => ({
      sku,
      name: names.get(sku) ?? null,
      quantity,
      returned,
      unitPrice,
    })),
  }
  await putInOutbox(
    tx,
    { id: event.id, template, customerId, topic: orderTopic, thread: `order/${id}`, data: { order } },
    state,
  )
}
