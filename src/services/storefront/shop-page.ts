/** A product as a shop page shows it: its view from the projection, its availability from inventory through the cache. */
import type { Logger } from 'pino'
import type { Database } from '../../engine/database.ts'
import { notFound } from '../../engine/http.ts'
import type { Product } from '../catalog/events.ts'
import { assumedAvailability, availabilityOf, type ProductAvailability, type ProductInventory } from './availability.ts'
import type { AvailabilityCache } from './availability-cache.ts'

export interface StorefrontSettings {
  /** Asks inventory. When it throws, the product is taken to be available (C, Example). */
  inventory: (productId: string) => Promise<ProductInventory>
  /** So many units or fewer are "Only X left in stock" (C, Example). */
  lowStockThreshold: number
  /** How long an answer is kept: when stock is low, and otherwise (C, Example). */
  cacheLowSeconds: number
  cacheSeconds: number
}

export const storefrontDefaults = { lowStockThreshold: 10, cacheLowSeconds: 60, cacheSeconds: 300 }

export type ShopPage = Omit<Product, 'status' | 'createdAt' | 'updatedAt' | 'variants'> & {
  version: number
  variants: (Product['variants'][number] & { inStock: boolean })[]
  availability: ProductAvailability
}

export class Storefront {
  private readonly db: Database
  private readonly log: Logger
  private readonly settings: StorefrontSettings
  private readonly cache: AvailabilityCache

  constructor(db: Database, log: Logger, settings: StorefrontSettings, cache: AvailabilityCache) {
    this.db = db
    this.log = log
    this.settings = settings
    this.cache = cache
  }

  /** Rejects `not-found` for what is no active product. */
  async page(productId: string, quantity: number): Promise<ShopPage> {
    const [[row], inStock] = await Promise.all([
      this.db<{ version: number; view: string }>`
        select version, view from storefront.products where product_id = ${productId} and live`,
      this.db<{ sku: string }>`select sku from storefront.stock where product_id = ${productId} and available > 0`,
    ])
    if (!row) throw notFound('product', productId)
    const availability = await this.availability(productId, quantity)
    const view = JSON.parse(row.view) as Product
    const skus = new Set(inStock.map(({ sku }) => sku))
    const variants = view.variants.map((variant) => ({ ...variant, inStock: skus.has(variant.sku) }))
    return { ...view, version: row.version, variants, availability }
  }

  async availability(productId: string, quantity: number): Promise<ProductAvailability> {
    const cached = this.cache.get(productId, quantity)
    if (cached) return cached
    const keep = this.cache.begin(productId, quantity)
    const { lowStockThreshold, cacheLowSeconds, cacheSeconds } = this.settings
    try {
      const inventory = await this.settings.inventory(productId)
      const availability = availabilityOf(inventory, quantity, lowStockThreshold)
      const low = inventory.isLowStock || inventory.totalQuantityAvailable <= lowStockThreshold
      keep(availability, low ? cacheLowSeconds : cacheSeconds)
      return availability
    } catch (error) {
      this.log.error({ err: error, productId }, 'inventory could not be asked; assuming the product is available')
      return assumedAvailability
    }
  }
}
