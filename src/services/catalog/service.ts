/** The catalog: the source of products. */

import type { Caches } from '../../engine/cache/caches.ts'
import type { Executor } from '../../engine/executor.ts'
import type { App } from '../../engine/http.ts'
import { inTurns } from '../../engine/in-turns.ts'
import { Remembered } from '../../engine/remembered.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { availabilityFollowsStock } from './availability.ts'
import { change, type Stocking } from './change.ts'
import type { CatalogCommand } from './decider.ts'
import { Details, type Written } from './details.ts'
import { executeWith } from './leaving.ts'
import { forSale, readSkus } from './read.ts'
import { catalogRoutes } from './routes.ts'
import { catalogSource } from './store.ts'

/** Carries out a command of the catalog: an import puts products through it, others may too. */
export interface CatalogService extends Service<App> {
  execute: Executor<CatalogCommand>['execute']
  /**
   * Which of these SKUs are of products that are not for sale: after whatever this process has changed or heard, and what others did a tenth of a
   * second ago. Asked for many at once.
   */
  resting(skus: string[]): Promise<ReadonlySet<string>>
}

/** With a stocking, a change of a product may set what is on hand of it; with caches, reading one asks the database once. */
export function catalogService(engine: Engine, stocking?: Stocking, caches?: Caches): CatalogService {
  const details = new Details(engine.db, engine, caches?.open('products'))
  const skusOf = inTurns((ids) => readSkus(engine.db, ids))
  // Beside the stock all go through one executor, in the order in which they were given, whether stock has a part in them or not.
  const alone = stocking ? stocking.joint.of<CatalogCommand>(catalogSource) : engine.executor(catalogSource).execute
  const leaving = executeWith(alone, stocking, skusOf)
  const sales = new Remembered(inTurns((skus) => forSale(engine.db, skus)))
  engine.observe(['product.*'], () => sales.forget())
  const written: Written = (done) => {
    sales.forget()
    return details.written(done)
  }
  const execute: CatalogService['execute'] = async (...command) => written(await leaving(...command))
  return {
    name: 'catalog',
    schema: new URL('./schema/', import.meta.url),
    consumers: [availabilityFollowsStock(execute)],
    routes: (app) =>
      catalogRoutes(app, engine.db, details, execute, async (command, counts, options) =>
        written(await change(skusOf, command, counts, stocking, options)),
      ),
    execute,
    async resting(skus) {
      const active = await sales.of(skus)
      return new Set(skus.filter((sku) => active.get(sku) === false))
    },
  }
}
