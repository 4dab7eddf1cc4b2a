/** A product follows its stock: with the last of its SKUs it becomes unavailable, with the first that is back available again. */
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Executor } from '../../engine/executor.ts'
import type { CatalogCommand } from './decider.ts'

/**
 * B, Low-Stock Threshold Logic. What counts is the stock as the log has it now, not as the event had it, so a repeated, late or left out
 * event ends in the same place. A product that never had stock is left as it is: it waits for its first delivery (C: available by default).
 */
export function availabilityFollowsStock(execute: Executor<CatalogCommand>['execute']): Projection {
  return projection({
    name: 'catalog',
    on: ['stock.out', 'stock.back'],
    async apply(changes, tx) {
      const latest = new Map<string, LoggedEvent>()
      const wentOut = new Set<string>()
      for (const change of changes) {
        latest.set(change.key, change)
        if (change.type === 'stock.out') wentOut.add(change.key)
      }
      const stocked = await stockOf(tx, [...latest.values()], wentOut)
      await Promise.all(
        stocked.map(({ id, inStock }) => {
          const { id: causationId, meta } = latest.get(id) as LoggedEvent
          const options = { actor: 'stock', causationId, correlationId: meta.correlationId }
          const updates = [{ productId: id, isAvailable: inStock }]
          return execute({ type: 'set-availability', by: 'stock', updates }, options).catch(ifItIsGone)
        }),
      )
    },
    // Nothing of its own to empty; run again it finds everything as it should be.
    async reset() {},
  })
}

/** Of the products that something may be to do for (one that is back and was not taken away by stock needs nothing): is any of their SKUs left? */
const stockOf = (tx: Sql, events: LoggedEvent[], wentOut: ReadonlySet<string>) =>
  tx<{ id: string; inStock: boolean }>`
    select p.id, coalesce(bool_or((stock.data #>> '{stock,available}')::bigint > changed.threshold), false) as "inStock"
    from   unnest(${events.map(({ key }) => key)}::text[],
                  ${events.map(({ key }) => wentOut.has(key))}::boolean[],
                  ${events.map(({ data }) => data.threshold)}::bigint[]) as changed (id, went_out, threshold)
    join   catalog.products p on p.id = changed.id and not p.deleted and (changed.went_out or p.held_by_stock)
    cross  join lateral json_array_elements(p.state -> 'variants') as variant
    left   join lateral (
             select   e.data
             from     lockstep.events e
             where    e.entity = 'stock/' || (variant ->> 'sku')
             order by e.version desc
             limit    1
           ) as stock on true
    group  by p.id`

const ifItIsGone = (error: unknown) => {
  if (!(error instanceof Rejected && error.code === 'not-found')) throw error
}
