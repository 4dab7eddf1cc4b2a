/** What analytics knows of the things events are about: enough to tell a change from what was before. */

export interface KnownProduct {
  title: string
  category: string | null
  vendorId: string | null
  /** Neither deleted, nor a draft, nor archived. */
  live: boolean
}

/** On hand, reserved, available. */
export type KnownLevel = readonly [onHand: number, reserved: number, available: number]

export interface KnownStock {
  productId: string
  active: boolean
  available: number
  levels: Readonly<Record<string, KnownLevel>>
}

/** Numbers of stock over some SKUs; low and out count SKUs, each in one of them at most. */
export interface Gauges {
  onHand: number
  reserved: number
  available: number
  skus: number
  low: number
  out: number
}

/** At or below which a SKU is low, or out (B, Low-Stock Threshold Logic). */
export interface Thresholds {
  low: number
  out: number
}

/** The part that a batch is about, brought up to date by `count` as it reads the batch. */
export class World {
  readonly thresholds: Thresholds
  readonly products = new Map<string, KnownProduct>()
  readonly stock = new Map<string, KnownStock>()
  readonly skusOf = new Map<string, Set<string>>()
  /** By product: over all of its SKUs. */
  readonly sums = new Map<string, Gauges>()
  /** By digest of the customer's id. */
  readonly consents = new Map<string, ReadonlySet<string>>()
  readonly changed = { products: new Set<string>(), stock: new Set<string>(), consents: new Set<string>() }
  /** By quarter of an hour (milliseconds since 1970) and product: the product's stock after its last change then. */
  readonly closings = new Map<number, Map<string, Gauges>>()

  constructor(thresholds: Thresholds) {
    this.thresholds = thresholds
  }

  vendorOf(productId: string): string {
    return this.products.get(productId)?.vendorId ?? ''
  }

  put(sku: string, stock: KnownStock): void {
    const before = this.stock.get(sku)
    if (before && before.productId !== stock.productId) this.skusOf.get(before.productId)?.delete(sku)
    const skus = this.skusOf.get(stock.productId)
    if (skus) skus.add(sku)
    else this.skusOf.set(stock.productId, new Set([sku]))
    this.stock.set(sku, stock)
  }

  sumOf(productId: string): Gauges {
    const known = this.sums.get(productId)
    if (known) return known
    const sum = { ...nothing }
    this.sums.set(productId, sum)
    return sum
  }
}

export const nothing: Gauges = { onHand: 0, reserved: 0, available: 0, skus: 0, low: 0, out: 0 }
export const gaugeNames = Object.keys(nothing) as (keyof Gauges)[]
