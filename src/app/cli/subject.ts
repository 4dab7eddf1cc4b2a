/** What people mean by an id: a product, a SKU, an event, an order, a correlation id. */
import type { Sql } from '../../engine/database.ts'
import { exits, Failure } from './failure.ts'

/** The product of that id or SKU, with its version. Throws a Failure with exit code 3. */
export async function productOf(db: Sql, given: string): Promise<{ id: string; version: number }> {
  const [found] = await db<{ id: string; version: number }>`
    select id, version from (
      select 1 as rank, e.key as id, e.version from lockstep.events e where e.entity = 'product/' || ${given}::text
      union all
      select 2, p.id, p.version from catalog.skus s join catalog.products p on p.id = s.product_id where s.sku = ${given}
      union all
      select 3, e.key, 0 from lockstep.events e where e.key = ${given}
    ) as meant
    order by rank, version desc
    limit 1`
  if (found) return found
  throw new Failure(exits.notFound, `there is no product or SKU ${given}`, 'lockstep events ls --type product.created')
}

export type Subject =
  | { kind: 'product'; id: string }
  | { kind: 'sku'; id: string; productId: string }
  | { kind: 'event'; id: string; productId: string; position: number }
  | { kind: 'order' | 'correlation'; id: string }

const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)

/** Positions of the log's end that are searched for what no index finds: some 100 ms. */
const SCAN = 200_000

/** Whatever the id is of. Throws a Failure with exit code 3. */
export async function subjectOf(db: Sql, given: string): Promise<Subject> {
  const [row] = await db<{ product: boolean; sku: string | null; ordered: boolean }>`
    select exists (select from lockstep.events where key = ${given}) as product,
           coalesce((select product_id from catalog.skus where sku = ${given}), (select product_id from inventory.stock where sku = ${given})) as sku,
           exists (select from inventory.ledger where reference = ${given}) as ordered`
  if (row?.product) return { kind: 'product', id: given }
  if (row?.sku) return { kind: 'sku', id: given, productId: row.sku }
  if (row?.ordered) return { kind: 'order', id: given }
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
    'give the id of a product, an event or an order, a SKU, or a correlation id',
  )
}
