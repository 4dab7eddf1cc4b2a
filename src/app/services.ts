/** The whole system on one screen: every service of the shop, and what they are given of each other. */
import { Caches } from '../engine/cache/caches.ts'
import type { App } from '../engine/http.ts'
import { joint } from '../engine/joint.ts'
import type { Engine, Service } from '../engine/service.ts'
import { analyticsService } from '../services/analytics/service.ts'
import { cartsService } from '../services/carts/service.ts'
import { cartsSource } from '../services/carts/store.ts'
import { catalogService } from '../services/catalog/service.ts'
import { catalogSource } from '../services/catalog/store.ts'
import { checkoutService } from '../services/checkout/service.ts'
import { checkoutSource } from '../services/checkout/store.ts'
import { collectionsService } from '../services/collections/service.ts'
import { customersService } from '../services/customers/service.ts'
import { inventoryService, inventorySource } from '../services/inventory/service.ts'
import { marketingService } from '../services/marketing/service.ts'
import { mediaDirectory, mediaService } from '../services/media/service.ts'
import { notificationsService } from '../services/notifications/service.ts'
import { ordersService } from '../services/orders/service.ts'
import { ordersSource } from '../services/orders/store.ts'
import { paymentsService } from '../services/payments/service.ts'
import { pricingService } from '../services/pricing/service.ts'
import { searchService } from '../services/search/service.ts'
import { seoService } from '../services/seo/service.ts'
import { storefrontService } from '../services/storefront/service.ts'
import { vendorsService } from '../services/vendors/service.ts'
import { cachesService } from './caches.ts'
import type { Config } from './config.ts'
import { feedsService } from './feeds/service.ts'
import { sellingFrom } from './selling.ts'
import { syncMirrorService } from './sync-mirror.ts'

export function wire(
  engine: Engine,
  config: Pick<
    Config,
    | 'stock'
    | 'payments'
    | 'storefront'
    | 'media'
    | 'dataDirectory'
    | 'seo'
    | 'analytics'
    | 'notifications'
    | 'feeds'
    | 'redisUrl'
    | 'syncMirrorHours'
  >,
) {
  const caches = new Caches(engine.log, config.redisUrl)
  const resting = (skus: string[]) => catalog.resting(skus)
  const pricing = pricingService(engine, resting)
  const customers = customersService(engine)
  // An order and the stock it takes are one command; a checkout's steps and what they change too.
  const stock = inventorySource(config.stock)
  const checkouts = checkoutSource()
  const selling = joint(engine, 'selling', [stock, ordersSource, cartsSource, checkouts])
  const orders = ordersService(engine, {
    joint: selling,
    stock,
    pricesOf: pricing.pricesOf,
    resting,
    open: customers.open,
  })
  const inventory = inventoryService(engine, config.stock, selling.of(stock), orders.sell, resting)
  // A change of a product and of what is on hand of it is one command too.
  const changing = joint(engine, 'products', [catalogSource, stock])
  const catalog = catalogService(engine, { joint: changing, stock, counting: inventory.counting }, caches)
  const payments = paymentsService(engine, config.payments)
  const carts = cartsService(engine, { liveConnections: config.storefront.liveConnections })
  return {
    // sources
    catalog,
    inventory,
    orders,
    checkout: checkoutService(engine, {
      joint: selling,
      source: checkouts,
      selling: sellingFrom({ stock, inventory, orders, ttlSeconds: config.stock.reservationTtlSeconds }),
      paying: payments,
      quote: pricing.quote,
      carts: { source: cartsSource, read: carts.cart },
    }),
    payments,
    carts,
    pricing,
    customers,
    // consumers
    search: searchService(engine, caches),
    collections: collectionsService(engine),
    media: mediaService(engine, {
      ...config.media,
      directory: mediaDirectory(config.dataDirectory),
      async setMedia(productId, media, options) {
        const { answer } = await catalog.execute({ type: 'update', productId, fields: { media } }, options)
        return { version: answer.version }
      },
    }),
    seo: seoService(engine, config.seo),
    storefront: storefrontService(engine, { ...config.storefront, inventory: inventory.ofProduct }, caches),
    analytics: analyticsService(engine, config.analytics),
    marketing: marketingService(engine, { reveal: customers.reveal }),
    notifications: notificationsService(engine, {
      ...config.notifications,
      reveal: customers.reveal,
      decline: customers.decline,
    }),
    // questions over several of them
    vendors: vendorsService(engine),
    caches: cachesService(caches),
    'sync-mirror': syncMirrorService(engine, caches.link, config.syncMirrorHours),
    // what comes from other systems
    feeds: feedsService(engine, { catalog, inventory }, config.feeds),
  } satisfies Record<ServiceName, Service<App>>
}

/** Known before there is an engine, so that `lockstep serve serach` is told at once. */
export const serviceNames = [
  'catalog',
  'inventory',
  'orders',
  'checkout',
  'payments',
  'carts',
  'pricing',
  'customers',
  'search',
  'collections',
  'media',
  'seo',
  'storefront',
  'analytics',
  'marketing',
  'notifications',
  'vendors',
  'caches',
  'sync-mirror',
  'feeds',
] as const

export type ServiceName = (typeof serviceNames)[number]
export type Services = ReturnType<typeof wire>
