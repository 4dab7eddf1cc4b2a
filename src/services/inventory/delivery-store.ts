/** How deliveries are locked and kept. */
import { numbers } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Changed, EntityId } from '../../engine/decider.ts'
import { readDeliveries } from './delivery-queries.ts'
import type { InventoryFact } from './facts.ts'
import { type Read, type Refers, refer } from './locked.ts'
import { type DeliveryState, deliveryId, type State } from './state.ts'

type Batch = Changed<State, InventoryFact>

/** Each delivery once, as the batch leaves it. */
export async function saveDeliveries(tx: Sql, { facts }: Batch): Promise<void> {
  const fresh = new Map<string, DeliveryState>()
  const old = new Map<string, DeliveryState>()
  for (const { fact } of facts) {
    if (fact.type === 'delivery.announced') fresh.set(fact.entity, fact.delivery)
    else if (fact.type === 'delivery.changed') (fresh.has(fact.entity) ? fresh : old).set(fact.entity, fact.delivery)
  }
  const work: Promise<unknown>[] = []
  if (fresh.size > 0) {
    const made = [...fresh.values()]
    const lines = linesOf(made)
    work.push(
      tx`
        insert into inventory.deliveries (id, from_warehouse, to_warehouse, reference, expected_at, status)
        select * from unnest(${made.map((one) => one.deliveryId)}::text[], ${made.map((one) => one.from)}::text[],
                             ${made.map((one) => one.to)}::text[], ${made.map((one) => one.reference)}::text[],
                             ${made.map((one) => one.expectedAt)}::timestamptz[], ${made.map((one) => one.status)}::text[])`,
      tx`
        insert into inventory.delivery_lines (delivery_id, sku, quantity, received)
        select * from unnest(${lines.ids}::text[], ${lines.skus}::text[], ${lines.quantities}::bigint[], ${lines.received}::bigint[])`,
    )
  }
  if (old.size > 0) {
    const changed = [...old.values()]
    const lines = linesOf(changed)
    work.push(
      tx`
        update inventory.deliveries d
           set status = v.status
          from unnest(${changed.map((one) => one.deliveryId)}::text[], ${changed.map((one) => one.status)}::text[]) as v (id, status)
         where d.id = v.id`,
      tx`
        update inventory.delivery_lines l
           set received = v.received
          from unnest(${lines.ids}::text[], ${lines.skus}::text[], ${lines.received}::bigint[]) as v (delivery_id, sku, received)
         where l.delivery_id = v.delivery_id and l.sku = v.sku and l.received <> v.received`,
    )
  }
  await Promise.all(work)
}

function linesOf(deliveries: DeliveryState[]) {
  const all = deliveries.flatMap(({ deliveryId, lines }) => lines.map((line) => ({ deliveryId, ...line })))
  return {
    ids: all.map((line) => line.deliveryId),
    skus: all.map((line) => line.sku),
    quantities: numbers(all.map((line) => line.quantity)),
    received: numbers(all.map((line) => line.received)),
  }
}

/** Names their SKUs in `refers`. */
export async function lockDeliveries(
  tx: Sql,
  ids: string[],
  skipLocked: boolean,
  refers: Refers,
  blocked: Set<EntityId>,
): Promise<void> {
  const [locked, lines] = await Promise.all([
    skipLocked
      ? tx<{ id: string }>`
          select id from inventory.deliveries where id = any(${ids}::text[]) order by id for update skip locked`
      : tx<{ id: string }>`
          select id from inventory.deliveries where id = any(${ids}::text[]) order by id for update`,
    // Which SKUs a delivery is about never changes.
    tx<{ id: string; sku: string }>`
      select delivery_id as id, sku from inventory.delivery_lines where delivery_id = any(${ids}::text[])`,
  ])
  const ours = new Set(locked.map((row) => row.id))
  for (const { id, sku } of lines) {
    if (ours.has(id)) refer(refers, deliveryId(id), sku)
    else if (skipLocked) blocked.add(deliveryId(id))
  }
}

export async function loadDeliveries(tx: Sql, ids: string[], states: Read): Promise<void> {
  for (const state of await readDeliveries(tx, ids)) states.set(deliveryId(state.deliveryId), { version: 0, state })
}
