/** How stocktakes are kept, and what the ledger knows of the time they were counted at. */
import { numbers } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Changed } from '../../engine/decider.ts'
import type { InventoryFact, Stocktake } from './facts.ts'
import type { Read } from './locked.ts'
import { type CountState, countId, type State } from './state.ts'

type Batch = Changed<State, InventoryFact>

export async function saveStocktakes(tx: Sql, { facts }: Batch): Promise<void> {
  const taken: Stocktake[] = []
  for (const { fact } of facts) if (fact.type === 'stocktake.taken') taken.push(fact.stocktake)
  if (taken.length === 0) return
  const lines = taken.flatMap(({ stocktakeId, lines }) => lines.map((line) => ({ stocktakeId, ...line })))
  await Promise.all([
    tx`
      insert into inventory.stocktakes (id, warehouse_id, counted_at)
      select * from unnest(${taken.map((one) => one.stocktakeId)}::text[], ${taken.map((one) => one.warehouseId)}::text[],
                           ${taken.map((one) => one.countedAt)}::timestamptz[])`,
    tx`
      insert into inventory.stocktake_lines (stocktake_id, sku, counted, expected)
      select * from unnest(${lines.map((line) => line.stocktakeId)}::text[], ${lines.map((line) => line.sku)}::text[],
                           ${numbers(lines.map((line) => line.counted))}::bigint[],
                           ${numbers(lines.map((line) => line.expected))}::bigint[])`,
  ])
}

/** Under the locks of its SKUs: what is on hand now, without what moved since. */
export async function readCount(tx: Sql, count: string, skus: string[], states: Read): Promise<void> {
  const at = count.indexOf('@')
  const countedAt = count.slice(0, at)
  const warehouse = count.slice(at + 1)
  const rows = await tx<{ sku: string; on_hand: number; again: boolean }>`
    select l.sku,
           greatest(0, l.on_hand - l.backordered - coalesce((select sum(m.on_hand_delta)
                                    from inventory.ledger m
                                   where m.sku = l.sku
                                     and m.warehouse_id = l.warehouse_id
                                     and m.at > ${countedAt}::timestamptz
                                     and m.reference_type is distinct from 'STOCKTAKE'), 0))::bigint as on_hand,
           exists (select
                     from inventory.stocktake_lines c
                     join inventory.stocktakes t on t.id = c.stocktake_id
                    where c.sku = l.sku
                      and t.warehouse_id = l.warehouse_id
                      and t.counted_at >= ${countedAt}::timestamptz) as again
      from inventory.levels l
     where l.warehouse_id = ${warehouse}
       and l.sku = any(${skus}::text[])`
  const state: CountState = {
    onHand: new Map(rows.map((row) => [row.sku, row.on_hand])),
    countedSince: new Set(rows.filter((row) => row.again).map((row) => row.sku)),
  }
  states.set(countId(warehouse, countedAt), { version: 0, state })
}
