/** Collections: picked by hand, or by rules that are evaluated for every product that changes (A §5). The source of who is in which. */
import type { Sql } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import type { Finding } from '../../engine/finding.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { collectionsProjection } from './collections-projection.ts'
import { type CollectionCommand, collectionDecider } from './decider.ts'
import { Evaluator } from './evaluator.ts'
import { memberRoutes } from './member-routes.ts'
import { collectionRoutes } from './routes.ts'
import { collectionStore } from './store.ts'
import { verifyCollections } from './verify.ts'

export interface CollectionsService extends Service<App> {
  execute: Executor<CollectionCommand>['execute']
  /** Looks at a chunk of products for a changed definition; answers whether there was anything to do. */
  evaluateOnce(): Promise<boolean>
  verify(sql: Sql): Promise<Finding[]>
}

export function collectionsService(engine: Engine): CollectionsService {
  const { execute } = engine.executor({ name: 'collections', decider: collectionDecider, store: collectionStore })
  const evaluator = new Evaluator(engine.db, engine.log)
  const changed = () => evaluator.nudge()
  return {
    name: 'collections',
    schema: new URL('./schema/', import.meta.url),
    consumers: [collectionsProjection()],
    routes(app) {
      collectionRoutes(app, engine.db, execute, changed)
      memberRoutes(app, engine.db, execute, changed)
    },
    run: (signal) => evaluator.run(signal),
    execute,
    evaluateOnce: () => evaluator.runOnce(),
    verify: verifyCollections,
  }
}
