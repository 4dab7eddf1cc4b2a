/** Search: one row a product in Postgres' full text and trigram indexes, kept by following catalog, pricing and inventory; answers are cached. */
import type { Cache } from '../../engine/cache/cache.ts'
import { Caches } from '../../engine/cache/caches.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { SearchGenerations } from './generations.ts'
import { searchRoutes } from './routes.ts'
import { searchProjection } from './search-projection.ts'

export function searchService(engine: Engine, caches = new Caches(engine.log)): Service<App> {
  const cache: Cache = caches.open('search', { generations: new SearchGenerations(engine.db) })
  return {
    name: 'search',
    schema: new URL('./schema/', import.meta.url),
    consumers: [searchProjection((tags) => cache.dropped(tags))],
    routes: (app) => searchRoutes(app, engine.db, cache),
  }
}
