/**
 * What leaves the shop leaves the shelf with it: a product that is deleted, or a variant that it loses, when an import puts it anew too, and the rest of its
 * stock are one command. An order that comes after it finds the stock resting, though nobody has heard of the event yet (document C, ProductDeletedEvent, as
 * of the commit). Orders lock no more than before: the few rows are held by whoever deletes, for one commit.
 */
import type { Executor } from '../../engine/executor.ts'
import type { Deed } from '../../engine/joint.ts'
import type { Stocking } from './change.ts'
import type { CatalogCommand } from './decider.ts'
import type { Variant } from './events.ts'
import { catalogSource } from './store.ts'

/** The SKUs of these products as they are now. Asked for many at once: most changes of variants are of prices, and lose none. */
export type SkusOf = (productIds: string[]) => Promise<ReadonlyMap<string, string[]>>

/** Without a stocking the stock hears of it afterwards. */
export function executeWith(
  execute: Executor<CatalogCommand>['execute'],
  stocking: Stocking | undefined,
  skusOf: SkusOf,
): Executor<CatalogCommand>['execute'] {
  if (!stocking) return execute
  return async (command, options) => {
    const deeds = await resting(command, stocking, skusOf)
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
export async function resting(command: CatalogCommand, { stock }: Stocking, skusOf: SkusOf): Promise<Deed[]> {
  const left = leftBy(command)
  if (!left) return []
  const { productId } = left
  const before = (await skusOf([productId])).get(productId) ?? []
  const kept = new Set(left.variants.map(({ sku }) => sku))
  const skus = before.filter((sku) => !kept.has(sku))
  return skus.length === 0 ? [] : [{ source: stock, command: { type: 'deactivate', productId, skus } }]
}

/** The variants that a product has after the command; undefined when it leaves them as they are. */
function leftBy(command: CatalogCommand): { productId: string; variants: Pick<Variant, 'sku'>[] } | undefined {
  switch (command.type) {
    case 'delete':
      return { productId: command.productId, variants: [] }
    case 'update':
      return command.fields.variants && { productId: command.productId, variants: command.fields.variants }
    case 'put':
      return { productId: command.product.id, variants: command.product.variants }
    default:
      return undefined
  }
}
