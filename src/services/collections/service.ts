/** Collections: picked by hand, or by rules that are evaluated for every product that changes (A §5). */
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { collectionsProjection } from './collections-projection.ts'
import { collectionRoutes } from './routes.ts'

export function collectionsService(engine: Engine): Service<App> {
  return {
    name: 'collections',
    schema: new URL('./schema/', import.meta.url),
    consumers: [collectionsProjection()],
    routes: (app) => collectionRoutes(app, engine.db),
  }
}
