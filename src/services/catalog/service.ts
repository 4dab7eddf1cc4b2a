/** The catalog: the source of products. */
import type { Executor } from '../../engine/executor.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { availabilityFollowsStock } from './availability.ts'
import { type CatalogCommand, catalogDecider } from './decider.ts'
import { catalogRoutes } from './routes.ts'
import { catalogStore } from './store.ts'

/** Carries out a command of the catalog: an import puts products through it, others may too. */
export interface CatalogService extends Service<App> {
  execute: Executor<CatalogCommand>['execute']
}

export function catalogService(engine: Engine): CatalogService {
  const { execute } = engine.executor({ name: 'catalog', decider: catalogDecider, store: catalogStore })
  return {
    name: 'catalog',
    schema: new URL('./schema/', import.meta.url),
    consumers: [availabilityFollowsStock(execute)],
    routes: (app) => catalogRoutes(app, engine.db, execute),
    execute,
  }
}
