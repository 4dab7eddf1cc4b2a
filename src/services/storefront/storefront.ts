/** What a shop shows: views from the projection, availability from inventory through the cache, in the customer's language. */
import type { Logger } from 'pino'
import type { Cache } from '../../engine/cache/cache.ts'
import type { Database } from '../../engine/database.ts'
import { notFound } from '../../engine/http.ts'
import { Unavailable } from '../../engine/unavailable.ts'
import {
  assumed,
  type Holding,
  holdingOf,
  inWords,
  type ProductAvailability,
  type ProductInventory,
} from './availability.ts'
import { type Language, languageFor, readLanguages } from './messages.ts'
import { listProducts, type ProductView, readProducts } from './views.ts'

export interface StorefrontSettings {
  /** Asks inventory. */
  inventory: (productId: string) => Promise<ProductInventory>
  /** So many units or fewer are "Only X left in stock" (C, Example). */
  lowStockThreshold: number
  /** How long an answer is kept: when stock is low, and otherwise (C, Example). */
  cacheLowSeconds: number
  cacheSeconds: number
  /** When inventory can't be asked: the product is taken to be available (C, Example), or the question is refused for the moment. */
  withoutInventory: 'available' | 'refuse'
  /** Connections that are told changes live, in this process at most. */
  liveConnections: number
}

export const storefrontDefaults = {
  lowStockThreshold: 10,
  cacheLowSeconds: 60,
  cacheSeconds: 300,
  withoutInventory: 'available',
  liveConnections: 1_000,
} as const

const COMPLAIN_EVERY_MS = 5_000

export type ShopProduct = ProductView & { availability: ProductAvailability }

export class Storefront {
  readonly languages = readLanguages()
  private readonly db: Database
  private readonly log: Logger
  private readonly settings: StorefrontSettings
  private readonly cache: Cache
  private readonly hears: () => boolean
  private complainedAt = Number.NEGATIVE_INFINITY

  /** While it does not hear of changes, the cache is asked only when inventory can't be. */
  constructor(
    db: Database,
    log: Logger,
    settings: StorefrontSettings,
    cache: Cache,
    hears: () => boolean = () => true,
  ) {
    this.db = db
    this.log = log
    this.settings = settings
    this.cache = cache
    this.hears = hears
  }

  language(wanted?: string): Language {
    return languageFor(wanted, this.languages)
  }

  /** Rejects `not-found` for what is no active product. */
  async page(productId: string, quantity: number, language = this.language()): Promise<ShopProduct> {
    const view = (await readProducts(this.db, [productId])).get(productId)?.view
    if (!view) throw notFound('product', productId)
    return this.shown(view, quantity, language)
  }

  /** Those of the products that are for sale, in the order given. */
  async pages(productIds: string[], language: Language): Promise<ShopProduct[]> {
    const found = await readProducts(this.db, productIds)
    const views = productIds.map((id) => found.get(id)?.view).filter((view) => view !== undefined)
    return Promise.all(views.map((view) => this.shown(view, 1, language)))
  }

  /** Ids of what is for sale, after the one named. */
  list(after: string, limit: number): Promise<string[]> {
    return listProducts(this.db, after, limit)
  }

  async shown(view: ProductView, quantity: number, language: Language): Promise<ShopProduct> {
    return { ...view, availability: await this.availability(view.id, quantity, language) }
  }

  async availability(productId: string, quantity: number, language = this.language()): Promise<ProductAvailability> {
    return inWords(await this.holding(productId, quantity), language)
  }

  /** Once in a while: while inventory is away every question fails. */
  private complain(error: unknown, productId: string, assuming: boolean): void {
    if (performance.now() - this.complainedAt < COMPLAIN_EVERY_MS) return
    this.complainedAt = performance.now()
    const then = assuming ? 'assuming that products are available' : 'availability is not told'
    this.log.error({ err: error, productId }, `inventory could not be asked; ${then}`)
  }

  /** Throws `unavailable` when inventory can't be asked and nothing is to be assumed; what was true a while ago comes before what is assumed. */
  private async holding(productId: string, quantity: number): Promise<Holding> {
    const { lowStockThreshold, cacheLowSeconds, cacheSeconds, withoutInventory } = this.settings
    const place = placeOf(productId, quantity)
    const ask = async () => {
      const inventory = await this.settings.inventory(productId)
      const low = inventory.isLowStock || inventory.totalQuantityAvailable <= lowStockThreshold
      return { value: holdingOf(inventory, quantity, lowStockThreshold), seconds: low ? cacheLowSeconds : cacheSeconds }
    }
    try {
      return this.hears() ? await this.cache.fetch(place, ask) : (await ask()).value
    } catch (error) {
      const assuming = withoutInventory === 'available'
      this.complain(error, productId, assuming)
      if (assuming) return this.cache.fetch<Holding>(place, () => Promise.reject(error)).catch(() => assumed)
      throw new Unavailable('inventory can not be asked at the moment', { productId })
    }
  }
}

/** C, Example: the key of a cached availability. A change drops a product's answers for all quantities. */
export const placeOf = (productId: string, quantity: number) => ({
  key: `product_availability_${productId}_${quantity}`,
  tags: [tagOf(productId)],
})
export const tagOf = (productId: string) => `product:${productId}`
