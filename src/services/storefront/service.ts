/** Storefront: what a shop page shows, with availability cached as document C says and dropped by events. */
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { AvailabilityCache } from './availability-cache.ts'
import { storefrontRoutes } from './routes.ts'
import { Storefront, type StorefrontSettings, storefrontDefaults } from './shop-page.ts'
import { storefrontProjection } from './storefront-projection.ts'

export type StorefrontOptions = Pick<StorefrontSettings, 'inventory'> & Partial<StorefrontSettings>

export function storefrontService(
  engine: Engine,
  options: StorefrontOptions,
): Service<App> & Pick<Storefront, 'availability'> {
  const cache = new AvailabilityCache()
  const storefront = new Storefront(engine.db, engine.log, { ...storefrontDefaults, ...options }, cache)
  engine.observe(['stock.*', 'product.*'], (events) => {
    for (const event of events) cache.drop(event.key)
  })
  return {
    name: 'storefront',
    schema: new URL('./schema/', import.meta.url),
    consumers: [storefrontProjection()],
    routes: (app) => storefrontRoutes(app, storefront),
    availability: (productId, quantity) => storefront.availability(productId, quantity),
  }
}
