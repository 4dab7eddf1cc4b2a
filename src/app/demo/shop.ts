/** What the demo has of the shop: its sources' commands and its database. */
import type { Database } from '../../engine/database.ts'
import type { CartsService } from '../../services/carts/service.ts'
import type { CheckoutService } from '../../services/checkout/service.ts'
import type { CollectionsService } from '../../services/collections/service.ts'
import type { CustomersService } from '../../services/customers/service.ts'
import type { MediaService } from '../../services/media/service.ts'
import type { OrdersService } from '../../services/orders/service.ts'
import type { PricingService } from '../../services/pricing/service.ts'
import type { Shop } from '../import/shop.ts'

export interface DemoShop extends Shop {
  db: Database
  orders: Pick<OrdersService, 'execute'>
  customers: Pick<CustomersService, 'execute'>
  pricing: Pick<PricingService, 'execute'>
  carts: Pick<CartsService, 'execute' | 'goods'>
  checkout: Pick<CheckoutService, 'start'>
  media: Pick<MediaService, 'upload'>
  collections: Pick<CollectionsService, 'execute'>
}

/** Who does it, as the log says. */
export const actor = 'demo'

/** Chance: numbers in [0, 1). */
export type Random = () => number

export const among = <One>(random: Random, all: readonly One[]): One => all[Math.floor(random() * all.length)] as One
