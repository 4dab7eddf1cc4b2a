/** What people mean by an id: a product, a SKU, a customer, an event, an order, a correlation id. */
import type { Sql } from '../../engine/database.ts'
import { exits, Failure } from './failure.ts'

/** What the sync status is asked of: a product by its id or SKU, or a key such as `customer/7`. Throws a Failure with exit code 3. */
export async function keyOf(db: Sql, given: string): Promise<{ kind: string; id: string; version: number }> {
  const [found] = await db<{ key: string; version: number }>`
    select key, version from (
      select 1 as rank, e.key, e.version from lockstep.events e where e.entity = 'product/' || ${given}::text
      union all
      select 2, e.key, e.version from lockstep.events e where e.entity = ${given} and e.key = ${given}
      union all
      select 3, p.id, p.version from catalog.skus s join catalog.products p on p.id = s.product_id where s.sku = ${given}
      union all
      select 4, e.key, 0 from lockstep.events e where e.key = ${given}
    ) as meant
    order by rank, version desc
    limit 1`
  if (found) {
    const [kind, id] = apart(found.key)
    return { kind, id, version: found.version }
  }
  throw new Failure(
    exits.notFound,
    `there is no product or SKU ${given}`,
    'a customer is customer/ID; `lockstep events ls --type product.created` lists products',
  )
}

/** A product's key is its id; another's begins with what it is, `customer/7`. */
function apart(key: string): [kind: string, id: string] {
  const at = key.indexOf('/')
  return at < 0 ? ['product', key] : [key.slice(0, at), key]
}

export type Subject =
  | { kind: 'product' | 'customer'; id: string }
  | { kind: 'sku'; id: string; productId: string }
  | { kind: 'event'; id: string; productId: string; position: number }
  | { kind: 'order' | 'correlation'; id: string }

const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

/** Positions of the log's end that are searched for what no index finds: some 100 ms. */
const SCAN = 200_000

/** Whatever the id is of. Throws a Failure with exit code 3. */
export async function subjectOf(db: Sql, given: string): Promise<Subject> {
  const named = given.startsWith('order/') ? given.slice('order/'.length) : given
  const [row] = await db<{ product: boolean; customer: string | null; sku: string | null; ordered: boolean }>`
    select exists (select from lockstep.events where key = ${given} and key not like '%/%') as product,
           (select key from lockstep.events where key in (${given}, 'customer/' || ${given}::text) and key like 'customer/%' limit 1) as customer,
           coalesce((select product_id from catalog.skus where sku = ${given}), (select product_id from inventory.stock where sku = ${given})) as sku,
           exists (select from inventory.ledger where reference = ${named}) or exists (select from lockstep.events where key = 'order/' || ${named}::text) as ordered`
  if (row?.product) return { kind: 'product', id: given }
  if (row?.sku) return { kind: 'sku', id: given, productId: row.sku }
  if (row?.ordered) return { kind: 'order', id: named }
  if (row?.customer) return { kind: 'customer', id: row.customer }
  const [event] = await db<{ position: number; key: string; id: string | null; correlated: boolean }>`
    select position, key, id, meta ->> 'correlationId' = ${given} as correlated
    from   lockstep.events
    where  position > (select position from lockstep.head) - ${SCAN}::bigint
      and  (meta ->> 'correlationId' = ${given} or id = ${isUuid(given) ? given : null}::uuid)
    order  by correlated
    limit  1`
  if (event?.correlated) return { kind: 'correlation', id: given }
  if (event) return { kind: 'event', id: given, productId: event.key, position: event.position }
  throw new Failure(
    exits.notFound,
    `nothing is known of ${given}`,
    'give the id of a product, a customer, an event or an order, a SKU, or a correlation id',
  )
}
