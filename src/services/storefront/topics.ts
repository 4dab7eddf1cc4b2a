/** What can be followed live: products as the shop shows them, and where orders stand. */
import type { Database } from '../../engine/database.ts'
import type { AvailabilityCache } from './availability-cache.ts'
import type { Topic } from './live.ts'
import type { Reader } from './reader.ts'
import type { Storefront } from './storefront.ts'
import { readOrders, readProducts } from './views.ts'

export function productTopic(db: Database, storefront: Storefront, cache: AvailabilityCache): Topic {
  return {
    async changed(ids, after) {
      const found = await readProducts(db, ids, after)
      return new Map(
        [...found].map(([id, { tick, view }]) => {
          // The events that drop this process's answers may come later than the change itself was heard of.
          cache.drop(id)
          const told = async ({ language }: Reader) =>
            view
              ? { event: 'product', data: await storefront.shown(view, 1, language) }
              : { event: 'gone', data: { id } }
          return [id, { tick, told }]
        }),
      )
    },
  }
}

export function orderTopic(db: Database): Topic {
  return {
    async changed(ids, after) {
      const found = await readOrders(db, ids, after)
      return new Map(
        [...found].map(([id, { tick, view }]) => [id, { tick, told: async () => ({ event: 'order', data: view }) }]),
      )
    },
  }
}
