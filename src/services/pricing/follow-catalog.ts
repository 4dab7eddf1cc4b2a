/** Prices follow products (document A, Pricing Service), and what can't be priced is pricing's failure for that product alone. */
import { type Projection, projection } from '../../engine/consumer.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Executor } from '../../engine/executor.ts'
import { KeysFailed } from '../../engine/verdict.ts'
import type { Product } from '../catalog/events.ts'
import type { PricingCommand } from './decider.ts'
import type { PriceData, Problem } from './events.ts'
import type { PricedProduct } from './price.ts'

/**
 * Commands of a batch go out together and so share a commit; they are right when they come again. It listens to prices too: a rule that
 * a product can't be priced by is told by the price's own event, whoever brought it about, and the next event without it heals.
 */
export function pricesFollowCatalog(execute: Executor<PricingCommand>['execute']): Projection {
  return projection({
    name: 'pricing',
    on: ['product.*', 'price.*'],
    async apply(changes) {
      const problems = new Map<string, Problem[]>()
      for (const { type, key, data } of changes) {
        if (type.startsWith('price.')) problems.set(key, (data as PriceData).problems)
      }
      const products = changes.filter(({ type }) => type.startsWith('product.'))
      // Waits for all, so that none goes on behind its batch's back.
      const results = await Promise.allSettled(
        products.map(async (change) => {
          const options = { actor: 'catalog', causationId: change.id, correlationId: change.meta.correlationId }
          const { answer } = await execute({ type: 'follow', product: pricedProduct(change) }, options)
          problems.set(change.key, answer.problems)
        }),
      )
      for (const result of results) if (result.status === 'rejected') throw result.reason
      const failures = [...problems].flatMap(([key, list]) =>
        list.length > 0 ? [[key, failureOf(list)] as const] : [],
      )
      if (failures.length > 0) throw new KeysFailed(new Map(failures))
    },
    // Prices are pricing's own data: run again it finds them as they should be.
    async reset() {},
  })
}

function pricedProduct({ type, version, data }: LoggedEvent): PricedProduct {
  const { id, status, vendorId, category, tags, variants } = data.product as Product
  return {
    productId: id,
    version,
    status: type === 'product.deleted' ? 'deleted' : status,
    vendorId,
    category,
    tags,
    variants: variants.map(({ sku, price, compareAtPrice }) => ({
      sku,
      list: price,
      ...(compareAtPrice && { compareAt: compareAtPrice }),
    })),
  }
}

const failureOf = (problems: Problem[]) =>
  new Error(
    problems
      .map(({ sku, reason }) => `${sku}: ${reason}`)
      .slice(0, 10)
      .join('; '),
  )
