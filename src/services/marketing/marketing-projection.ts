/** Keeps what lists ask of customers and their orders, and who is on which list (E, Customer Data Synchronization). */
import { numbers, texts } from '../../engine/columns.ts'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Customer } from '../customers/events.ts'
import type { Order, OrderStatus } from '../orders/events.ts'
import { alone, askedLists, evaluate, knownCustomers } from './membership.ts'

export function marketingProjection(): Projection {
  return projection({
    name: 'marketing',
    on: ['customer.*', 'order.*'],
    apply,
    async reset(tx) {
      await tx`truncate marketing.customers, marketing.orders, marketing.members, marketing.turns`
    },
  })
}

async function apply(changes: LoggedEvent[], tx: Sql): Promise<void> {
  const customers = changes.filter((change) => change.data.customer !== undefined)
  const orders = changes.filter((change) => (change.data.order as Order | undefined)?.customerId != null)
  const now = await alone(tx)
  const [lists] = await Promise.all([
    askedLists(tx),
    customers.length > 0 && saveCustomers(customers, tx),
    orders.length > 0 && saveOrders(orders, tx),
  ])
  const concerned = new Set([
    ...customers.map(({ data }) => (data.customer as Customer).id),
    ...orders.map(({ data }) => (data.order as Order).customerId as string),
  ])
  if (lists.length > 0) await evaluate(lists, await knownCustomers(tx, [...concerned]), now, tx)
}

function saveCustomers(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map(({ version, data }) => ({ version, customer: data.customer as Customer }))
  return tx`
    insert into marketing.customers as c (customer_id, version, active, preferences, created_at)
    select customer_id, version, active, preferences::json, created_at
      from unnest(string_to_array(${texts(rows.map((r) => r.customer.id))}, chr(30)),
                  ${numbers(rows.map((r) => r.version))}::bigint[],
                  ${rows.map((r) => r.customer.status === 'active')}::boolean[],
                  string_to_array(${texts(rows.map((r) => JSON.stringify({ ...r.customer.preferences, ui: {} })))}, chr(30)),
                  ${rows.map((r) => r.customer.createdAt)}::timestamptz[]) as u (customer_id, version, active, preferences, created_at)
    on conflict (customer_id) do update
       set version = excluded.version, active = excluded.active, preferences = excluded.preferences, created_at = excluded.created_at
     where excluded.version > c.version`
}

/** What a pending order promises nobody has yet; what was returned or cancelled as a whole is none. */
const counting: ReadonlySet<OrderStatus> = new Set(['confirmed', 'paid', 'fulfilled', 'partly-returned'])

function saveOrders(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map(({ version, data }) => ({ version, order: data.order as Order }))
  return tx`
    insert into marketing.orders as o (order_id, version, customer_id, placed_at, counts, spent)
    select order_id, version, customer_id, placed_at, counts, spent::json
      from unnest(string_to_array(${texts(rows.map((r) => r.order.id))}, chr(30)),
                  ${numbers(rows.map((r) => r.version))}::bigint[],
                  string_to_array(${texts(rows.map((r) => r.order.customerId as string))}, chr(30)),
                  ${rows.map((r) => r.order.createdAt)}::timestamptz[],
                  ${rows.map((r) => counting.has(r.order.status))}::boolean[],
                  string_to_array(${texts(rows.map((r) => JSON.stringify(spentOn(r.order))))}, chr(30)))
           as u (order_id, version, customer_id, placed_at, counts, spent)
    on conflict (order_id) do update
       set version = excluded.version, customer_id = excluded.customer_id, placed_at = excluded.placed_at,
           counts = excluded.counts, spent = excluded.spent
     where excluded.version > o.version`
}

/** What the customer kept, at the price of the sale; lines without a price are worth nothing here. */
export function spentOn({ lines }: Pick<Order, 'lines'>): Record<string, number> {
  const spent: Record<string, number> = {}
  for (const { unitPrice, quantity, returned } of lines)
    if (unitPrice)
      spent[unitPrice.currency] = (spent[unitPrice.currency] ?? 0) + unitPrice.amount * (quantity - returned)
  return spent
}
