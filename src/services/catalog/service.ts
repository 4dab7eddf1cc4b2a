/** The catalog: the source of products. */

import type { Caches } from '../../engine/cache/caches.ts'
import type { Executor } from '../../engine/executor.ts'
import type { App } from '../../engine/http.ts'
import { inTurns } from '../../engine/in-turns.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { availabilityFollowsStock } from './availability.ts'
import type { Stocking } from './change.ts'
import type { CatalogCommand } from './decider.ts'
import { Details } from './details.ts'
import { executeWith } from './leaving.ts'
import { restingOf } from './read.ts'
import { catalogRoutes } from './routes.ts'
import { catalogSource } from './store.ts'

/** Carries out a command of the catalog: an import puts products through it, others may too. */
export interface CatalogService extends Service<App> {
  execute: Executor<CatalogCommand>['execute']
  /** Which of these SKUs are of products that are not for sale, as of the last commit. Asked for many at once. */
  resting(skus: string[]): Promise<ReadonlySet<string>>
}

/** With a stocking, a change of a product may set what is on hand of it; with caches, reading one asks the database once. */
export function catalogService(engine: Engine, stocking?: Stocking, caches?: Caches): CatalogService {
  const details = new Details(engine.db, engine, caches?.open('products'))
  const leaving = executeWith(engine.db, engine.executor(catalogSource).execute, stocking)
  const execute: CatalogService['execute'] = async (...command) => details.written(await leaving(...command))
  return {
    name: 'catalog',
    schema: new URL('./schema/', import.meta.url),
    consumers: [availabilityFollowsStock(execute)],
    routes: (app) => catalogRoutes(app, engine.db, details, execute, stocking),
    execute,
    resting: inTurns((skus) => restingOf(engine.db, skus)),
  }
}
