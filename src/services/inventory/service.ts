/** Inventory: the source of stock. */
import type { Sql } from '../../engine/database.ts'
import type { Source } from '../../engine/decider.ts'
import type { Executor } from '../../engine/executor.ts'
import type { Finding } from '../../engine/finding.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import type { Command } from './commands.ts'
import { type Count, counting } from './counting.ts'
import { inventoryDecider } from './decider.ts'
import { restockOf } from './delivery-queries.ts'
import { deliveryRoutes } from './delivery-routes.ts'
import type { InventoryFact } from './facts.ts'
import { CatalogFollower } from './follow-catalog.ts'
import { itemRoutes } from './item-routes.ts'
import { itemsOfProduct, leadTimeOf, type ProductInventory, productInventoryOf } from './queries.ts'
import { type Resting, reservationRoutes, type Sell } from './reservation-routes.ts'
import { type InventorySettings, inventoryDefaults } from './settings.ts'
import type { State } from './state.ts'
import { stocktakeRoutes } from './stocktake-routes.ts'
import { inventoryStore } from './store.ts'
import { Sweeper } from './sweeper.ts'
import { verifyInventory } from './verify.ts'
import { warehouseRoutes } from './warehouse-routes.ts'

export interface InventoryService extends Service<App> {
  execute: Executor<Command>['execute']
  /**
   * A product's stock as document C answers it, its lead time in words, and when the next goods are expected (ISO 8601); all zero for
   * a product without items.
   */
  ofProduct(productId: string): Promise<ProductInventory & { leadTime: string | null; restockExpected: string | null }>
  /** What sets counts of a product's SKUs, for whoever changes more than stock. */
  counting(productId: string, counts: Count[]): ReturnType<typeof counting>
  verify(sql: Sql): Promise<Finding[]>
}

/** Inventory as a source: alone, or beside others whose commands move stock too. */
export function inventorySource(given: Partial<InventorySettings> = {}): Source<State, Command, InventoryFact> {
  return {
    name: 'inventory',
    entities: ['stock', 'reservation', 'sale', 'delivery', 'warehouse', 'count'],
    decider: inventoryDecider({ ...inventoryDefaults, ...given }),
    store: inventoryStore,
  }
}

/** `execute` carries out its commands: where others move stock too, the executor that they share. `sell` makes orders of reservations; `resting` says what is not reserved, because it is not for sale. */
export function inventoryService(
  engine: Engine,
  given: Partial<InventorySettings> = {},
  execute: Executor<Command>['execute'] = engine.executor(inventorySource(given)).execute,
  sell?: Sell,
  resting?: Resting,
): InventoryService {
  const settings = { ...inventoryDefaults, ...given }
  const { db, log } = engine
  const follower = new CatalogFollower(execute, settings, log)
  const sweeper = new Sweeper(db, execute, log)
  return {
    name: 'inventory',
    schema: new URL('./schema/', import.meta.url),
    consumers: [follower.projection()],
    routes(app) {
      itemRoutes(app, db, execute, follower, settings)
      reservationRoutes(app, db, execute, settings, sell, resting)
      deliveryRoutes(app, db, execute)
      stocktakeRoutes(app, db, execute)
      warehouseRoutes(app, db)
    },
    run: (signal) => sweeper.run(signal),
    execute,
    async ofProduct(productId) {
      const items = await itemsOfProduct(db, productId)
      return {
        ...productInventoryOf(items),
        restockExpected: restockOf(items.flatMap((item) => (item.active ? item.incoming : []))),
        leadTime: leadTimeOf(items.flatMap((item) => (item.active ? item.levels : []))),
      }
    },
    counting: (productId, counts) => counting(db, settings, productId, counts),
    verify: verifyInventory,
  }
}
