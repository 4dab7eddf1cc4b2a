/** Tells the admins that a stock is low or out, once per crossing (B, Low-Stock Threshold Logic). A structured warning in the log. */
import type { Logger } from 'pino'
import { type Reaction, type ReactionContext, reaction } from '../../engine/consumer.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Stock, Trigger } from '../inventory/events.ts'

export function stockAlerts(log: Logger): Reaction {
  const alert = (event: LoggedEvent, context: ReactionContext) => tell(event, context, log)
  return reaction({ name: 'notifications', on: { 'stock.low': alert, 'stock.out': alert } })
}

async function tell({ id, position, type, data }: LoggedEvent, { tx }: ReactionContext, log: Logger): Promise<void> {
  const { stock, threshold, trigger } = data as { stock: Stock; threshold: number; trigger: Trigger }
  // A count that is put right is no news to those who counted (B).
  if (trigger === 'SCHEDULED_SYNC') return
  const { sku, productId, available } = stock
  const { count } = await tx`
    insert into notifications.sent (event_id, position, type, product_id, sku, available, threshold, trigger)
    values (${id}, ${position}, ${type}, ${productId}, ${sku}, ${available}, ${threshold}, ${trigger})
    on conflict do nothing`
  if (count === 0) return
  const said = type === 'stock.out' ? 'out of stock' : 'low stock'
  log.warn({ notification: type, productId, sku, available, threshold, trigger, eventId: id }, said)
}
