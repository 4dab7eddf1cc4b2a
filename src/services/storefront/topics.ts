/** What can be followed live: products as the shop shows them, and where orders stand. */
import { LRUCache } from 'lru-cache'
import type { Cache } from '../../engine/cache/cache.ts'
import type { Database } from '../../engine/database.ts'
import type { Topic } from './live.ts'
import type { Reader } from './reader.ts'
import { type Storefront, tagOf } from './storefront.ts'
import { readOrders, readProducts } from './views.ts'

export function productTopic(db: Database, storefront: Storefront, cache: Cache): Topic {
  /** By product: the change that its answers were dropped for last. */
  const dropped = new LRUCache<string, number>({ max: 10_000 })
  return {
    async changed(ids, after) {
      const found = await readProducts(db, ids, after)
      // The events that drop answers may be heard later than that there is a change to tell.
      const late = [...found].filter(([id, { tick }]) => tick > (dropped.get(id) ?? 0))
      for (const [id, { tick }] of late) dropped.set(id, tick)
      if (late.length > 0) await cache.drop(late.map(([id]) => tagOf(id))).catch(() => {})
      return new Map(
        [...found].map(([id, { tick, view }]) => {
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
