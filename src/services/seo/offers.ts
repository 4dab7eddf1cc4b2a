/** What a product's variants are offered for, and whether they can be had: effective prices and the real stock. */
import type { Money, Product, Variant } from '../catalog/events.ts'

export type Availability = 'InStock' | 'OutOfStock' | 'BackOrder' | 'PreOrder'

export interface Offered {
  variant: Variant
  price: Money
  availability: Availability
}
export type Offers = Offered[]

/** By SKU, as pricing told it and as inventory told it; what neither has spoken of costs its list price and can be had. */
export interface Known {
  prices: ReadonlyMap<string, Money>
  stock: ReadonlyMap<string, number>
}

export const offersOf = (product: Product, { prices, stock }: Known): Offers =>
  product.variants.map((variant) => ({
    variant,
    price: prices.get(variant.sku) ?? variant.price,
    availability: availabilityOf(product, stock.get(variant.sku)),
  }))

/** The attributes `preorder` and `backorder`, when true, say that what is not there can be ordered all the same. */
function availabilityOf({ isAvailable, attributes }: Product, available: number | undefined): Availability {
  if (isAvailable && (available === undefined || available > 0)) return 'InStock'
  if (attributes.preorder === true) return 'PreOrder'
  if (attributes.backorder === true && available !== undefined && available <= 0) return 'BackOrder'
  return 'OutOfStock'
}

/** The lowest price in the first variant's currency, and whether anything can be had. */
export function cheapest(offers: Offers): {
  price: { text: string; currency: string } | undefined
  available: boolean
} {
  const currency = offers[0]?.price.currency
  const amounts = offers.filter(({ price }) => price.currency === currency).map(({ price }) => price.amount)
  const available = offers.some(({ availability }) => availability !== 'OutOfStock')
  if (currency === undefined) return { price: undefined, available }
  return { price: { text: decimal({ amount: Math.min(...amounts), currency }), currency }, available }
}

const digits = new Map<string, number>()

/** Minor units as schema.org wants a price: 1999 EUR → 19.99, 1999 JPY → 1999. Exact: no floating point. */
export function decimal({ amount, currency }: Money): string {
  let places = digits.get(currency)
  if (places === undefined) {
    places = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
    digits.set(currency, places)
  }
  if (places === 0) return String(amount)
  const text = String(amount).padStart(places + 1, '0')
  return `${text.slice(0, -places)}.${text.slice(-places)}`
}
