/** The catalog: the source of products. */
import type { Executor } from '../../engine/executor.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { availabilityFollowsStock } from './availability.ts'
import type { Stocking } from './change.ts'
import type { CatalogCommand } from './decider.ts'
import { catalogRoutes } from './routes.ts'
import { catalogSource } from './store.ts'

/** Carries out a command of the catalog: an import puts products through it, others may too. */
export interface CatalogService extends Service<App> {
  execute: Executor<CatalogCommand>['execute']
}

/** With a stocking, a change of a product may set what is on hand of it. */
export function catalogService(engine: Engine, stocking?: Stocking): CatalogService {
  const { execute } = engine.executor(catalogSource)
  return {
    name: 'catalog',
    schema: new URL('./schema/', import.meta.url),
    consumers: [availabilityFollowsStock(execute)],
    routes: (app) => catalogRoutes(app, engine.db, execute, stocking),
    execute,
  }
}
