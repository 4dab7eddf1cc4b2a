/** Storefront: what a shop shows, with availability cached as document C says and dropped by events, and told live. */
import { Caches } from '../../engine/cache/caches.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { Live } from './live.ts'
import { liveRoutes } from './live-routes.ts'
import { storefrontRoutes } from './routes.ts'
import { shopRoutes } from './shop-routes.ts'
import { Storefront, type StorefrontSettings, storefrontDefaults, tagOf } from './storefront.ts'
import { storefrontProjection } from './storefront-projection.ts'
import { orderTopic, productTopic } from './topics.ts'

export type StorefrontOptions = Pick<StorefrontSettings, 'inventory'> & Partial<StorefrontSettings>

export interface StorefrontService extends Service<App> {
  availability: Storefront['availability']
  /** How many follow live in this process. */
  liveReaders(): number
}

export function storefrontService(
  engine: Engine,
  options: StorefrontOptions,
  caches = new Caches(engine.log),
): StorefrontService {
  const { db, log } = engine
  const settings = { ...storefrontDefaults, ...options }
  const cache = caches.open('availability')
  const storefront = new Storefront(db, log, settings, cache, () => engine.observing)
  engine.observe(['stock.*', 'product.*'], (events) => {
    // What can't be dropped can't be read either: then every question goes to inventory.
    cache.drop([...new Set(events.map(({ key }) => tagOf(key)))]).catch(() => {})
  })
  const topics = { product: productTopic(db, storefront, cache), order: orderTopic(db) }
  const live = new Live(db, log, topics, settings.liveConnections)
  return {
    name: 'storefront',
    schema: new URL('./schema/', import.meta.url),
    consumers: [storefrontProjection()],
    routes(app) {
      storefrontRoutes(app, storefront)
      liveRoutes(app, db, storefront, live)
      shopRoutes(app, storefront)
    },
    async run(signal) {
      await new Promise<void>((resolve) =>
        signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
      )
      await live.close()
    },
    availability: (...asked) => storefront.availability(...asked),
    liveReaders: () => live.readers,
  }
}
