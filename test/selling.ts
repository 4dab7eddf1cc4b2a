/** The services that sell, wired as the program wires them: catalog, inventory and orders behind one executor, pricing, customers. */
import type { Engine } from '../src/engine/engine.ts'
import { type AnySource, type Joint, joint } from '../src/engine/joint.ts'
import { type CatalogService, catalogService } from '../src/services/catalog/service.ts'
import { catalogSource } from '../src/services/catalog/store.ts'
import { type CustomersService, customersService } from '../src/services/customers/service.ts'
import { type InventoryService, inventoryService, inventorySource } from '../src/services/inventory/service.ts'
import type { InventorySettings } from '../src/services/inventory/settings.ts'
import { type OrdersService, ordersService } from '../src/services/orders/service.ts'
import { ordersSource } from '../src/services/orders/store.ts'
import { type PricingService, pricingService } from '../src/services/pricing/service.ts'

type Selling = [CatalogService, InventoryService, OrdersService, PricingService, CustomersService]

export const sellingServices = (engine: Engine, settings: Partial<InventorySettings> = {}): Selling =>
  sellingBeside(engine, [], settings).services

/** `others` stand behind the same executor as stock and orders. */
export function sellingBeside(
  engine: Engine,
  others: AnySource[],
  settings: Partial<InventorySettings> = {},
): { services: Selling; stock: AnySource; joint: Joint } {
  const stock = inventorySource(settings)
  const selling = joint(engine, 'selling', [stock, ordersSource, ...others])
  const resting = (skus: string[]) => catalog.resting(skus)
  const pricing = pricingService(engine, resting)
  const customers = customersService(engine)
  const orders = ordersService(engine, {
    joint: selling,
    stock,
    pricesOf: pricing.pricesOf,
    resting,
    open: customers.open,
  })
  const inventory = inventoryService(engine, settings, selling.of(stock), orders.sell, resting)
  const changing = joint(engine, 'products', [catalogSource, stock])
  const catalog = catalogService(engine, { joint: changing, stock, counting: inventory.counting })
  return { services: [catalog, inventory, orders, pricing, customers], stock, joint: selling }
}
