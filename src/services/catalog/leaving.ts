/**
 * What leaves the shop leaves the shelf with it: a product that is deleted, or a variant that it loses, and the rest of its stock are one command. An order
 * that comes after it finds the stock resting, though nobody has heard of the event yet (document C, ProductDeletedEvent, as of the commit). Orders lock no
 * more than before: the few rows are held by whoever deletes, for one commit.
 */
import type { Sql } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import type { Deed } from '../../engine/joint.ts'
import type { Stocking } from './change.ts'
import type { CatalogCommand } from './decider.ts'
import type { Variant } from './events.ts'
import { readVariants } from './read.ts'
import { catalogSource } from './store.ts'

/** Without a stocking the stock hears of it afterwards, as it does of whole products put anew by an import. */
export function executeWith(
  db: Sql,
  execute: Executor<CatalogCommand>['execute'],
  stocking: Stocking | undefined,
): Executor<CatalogCommand>['execute'] {
  if (!stocking) return execute
  return async (command, options) => {
    const deeds = await resting(db, command, stocking)
    if (deeds.length === 0) return execute(command, options)
    return stocking.joint.together(
      {
        scope: catalogSource.name,
        said: command,
        deeds: [{ source: catalogSource, command }, ...deeds],
        answer: ([product]) => product ?? {},
      },
      options,
    )
  }
}

/** What is asked of stock because the product will have these SKUs no more. One that it gets and loses in the same moment is left to inventory's follower. */
export async function resting(db: Sql, command: CatalogCommand, { stock }: Stocking): Promise<Deed[]> {
  if (command.type !== 'delete' && !(command.type === 'update' && command.fields.variants)) return []
  const { productId } = command
  const before = await readVariants(db, productId)
  const kept = new Set(command.type === 'update' ? command.fields.variants?.map(({ sku }) => sku) : [])
  const skus = (JSON.parse(before ?? '[]') as Variant[]).map(({ sku }) => sku).filter((sku) => !kept.has(sku))
  return skus.length === 0 ? [] : [{ source: stock, command: { type: 'deactivate', productId, skus } }]
}
