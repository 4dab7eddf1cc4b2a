/** Tells the admins that a stock is low or out, once per crossing (B, Low-Stock Threshold Logic): in the log at once, and by a mail that many may share. */
import type { Logger } from 'pino'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Stock, Trigger } from '../inventory/events.ts'
import { putInOutbox } from './outbox.ts'
import type { NotificationSettings } from './settings.ts'

/** Crossings listed in a mail; the others are counted. */
const LISTED = 100

export async function tellOfStock(
  { id, position, type, data }: LoggedEvent,
  tx: Sql,
  { log, settings, state }: { log: Logger; settings: NotificationSettings; state: 'queued' | 'unsent' },
): Promise<void> {
  const { stock, threshold, trigger } = data as { stock: Stock; threshold: number; trigger: Trigger }
  // A count that is put right is no news to those who counted (B).
  if (trigger === 'SCHEDULED_SYNC') return
  const { sku, productId, available } = stock
  const { count } = await tx`
    insert into notifications.sent (event_id, position, type, product_id, title, sku, available, threshold, trigger)
    values (${id}, ${position}, ${type}, ${productId},
            (select data -> 'product' ->> 'title' from lockstep.events where entity = ${`product/${productId}`} order by version desc limit 1),
            ${sku}, ${available}, ${threshold}, ${trigger})
    on conflict do nothing`
  if (count === 0) return
  const open = await openMail(tx)
  if (open === undefined) {
    const inMs = await untilNextMail(tx, settings)
    const mail = { id, template: 'stock-alert', customerId: null, topic: null, thread: null, data: {}, inMs }
    await putInOutbox(tx, mail, state)
  }
  await tx`update notifications.sent set mail_id = ${open ?? id} where event_id = ${id}`
  const said = type === 'stock.out' ? 'out of stock' : 'low stock'
  log.warn({ notification: type, productId, sku, available, threshold, trigger, eventId: id }, said)
}

/** The mail that more may be said in: nobody has begun to send it, or every try ended before the server could have it. Held until the transaction ends. */
async function openMail(tx: Sql): Promise<string | undefined> {
  const [mail] = await tx<{ id: string }>`
    select id from notifications.mails
     where template = 'stock-alert' and not possibly_twice
       and (state in ('queued', 'deferred') or (state = 'unsent' and due_at > clock_timestamp()))
     order by id desc
     limit 1
       for update`
  return mail?.id
}

/** The first crossing is told almost at once; what follows on it shares the next mail. */
async function untilNextMail(tx: Sql, { gatherMs, digestSeconds }: NotificationSettings): Promise<number> {
  const [row] = await tx<{ ms: number }>`
    select (extract(epoch from due_at - clock_timestamp()) * 1000)::float8 + ${digestSeconds * 1000}::float8 as ms
      from notifications.mails
     where template = 'stock-alert'
     order by id desc
     limit 1`
  return Math.round(Math.max(gatherMs, Math.min(row?.ms ?? 0, digestSeconds * 1_000)))
}

export interface Alerts {
  products: {
    productId: string
    title: string | null
    skus: { sku: string; available: number; threshold: number; out: boolean }[]
  }[]
  /** Of all that crossed, listed or not. */
  total: number
  out: number
}

/** What a mail tells of: each SKU once, as its last crossing left it, by product; those that are out first. */
export async function alertsOf(db: Sql, mailId: string): Promise<Alerts> {
  const rows = await db<{
    productId: string
    title: string | null
    sku: string
    available: number
    threshold: number
    out: boolean
    total: number
    outs: number
  }>`
    with latest as (
      select distinct on (sku) sku, product_id, title, available, threshold, type = 'stock.out' as out
        from notifications.sent
       where mail_id = ${mailId}
       order by sku, position desc
    )
    select sku, product_id as "productId", title, available, threshold, out,
           count(*) over () as total, count(*) filter (where out) over () as outs
      from latest
     order by bool_or(out) over (partition by product_id) desc, product_id, sku
     limit ${LISTED}`
  const byProduct = Map.groupBy(rows, ({ productId }) => productId)
  return {
    products: [...byProduct].map(([productId, skus]) => ({
      productId,
      title: skus[0]?.title ?? null,
      skus: skus.map(({ sku, available, threshold, out }) => ({ sku, available, threshold, out })),
    })),
    total: rows[0]?.total ?? 0,
    out: rows[0]?.outs ?? 0,
  }
}
