/** Search: one row a product in Postgres' full text and trigram indexes, kept by following catalog and inventory. */
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { searchRoutes } from './routes.ts'
import { searchProjection } from './search-projection.ts'

export function searchService(engine: Engine): Service<App> {
  return {
    name: 'search',
    schema: new URL('./schema/', import.meta.url),
    consumers: [searchProjection()],
    routes: (app) => searchRoutes(app, engine.db),
  }
}
