/** A product as schema.org and Google's merchant listings want it; its types are checked against schema.org's own. */
import type { AggregateOffer, ItemAvailability, Offer, Product as ProductLd, WithContext } from 'schema-dts'
import type { Product } from '../catalog/events.ts'
import { type Availability, decimal, type Offered, type Offers } from './offers.ts'

interface Said {
  canonical: string
  /** Without markup. */
  description: string
  images: string[]
  offers: Offers
}

export function jsonLd(product: Product, { canonical, description, images, offers }: Said): Record<string, unknown> {
  const [only, ...others] = offers
  const ld: WithContext<ProductLd> = {
    '@context': 'https://schema.org',
    '@type': 'Product',
    productID: product.id,
    name: product.title,
    url: canonical,
    ...(description && { description }),
    ...(product.category !== null && { category: product.category }),
    ...(product.vendorId !== null && { brand: { '@type': 'Brand', name: product.vendorId } }),
    ...(images.length > 0 && { image: images }),
    ...(only && others.length === 0 && { sku: only.variant.sku, ...gtin(only.variant.barcode) }),
    offers: [...Map.groupBy(offers, ({ price }) => price.currency)].flatMap(([currency, of]) =>
      offersIn(currency, of, canonical),
    ),
  }
  return ld as unknown as Record<string, unknown>
}

/** Several prices are an AggregateOffer that holds the offers; with one price they stand for themselves. */
function offersIn(currency: string, offers: Offers, canonical: string): (Offer | AggregateOffer)[] {
  const all = offers.map((one) => offer(one, canonical))
  const amounts = offers.map(({ price }) => price.amount)
  const [low, high] = [Math.min(...amounts), Math.max(...amounts)]
  if (low === high) return all
  const best = order.find((availability) => offers.some((one) => one.availability === availability))
  const together: AggregateOffer = {
    '@type': 'AggregateOffer',
    lowPrice: decimal({ amount: low, currency }),
    highPrice: decimal({ amount: high, currency }),
    priceCurrency: currency,
    offerCount: offers.length,
    ...(best && { availability: inSchema(best) }),
    offers: all,
  }
  return [together]
}

const order: readonly Availability[] = ['InStock', 'PreOrder', 'BackOrder', 'OutOfStock']

function offer({ variant, price, availability }: Offered, canonical: string): Offer {
  return {
    '@type': 'Offer',
    sku: variant.sku,
    ...(variant.title !== undefined && { name: variant.title }),
    ...gtin(variant.barcode),
    url: canonical,
    price: decimal(price),
    priceCurrency: price.currency,
    availability: inSchema(availability),
  } as Offer
}

const inSchema = (availability: Availability): ItemAvailability => `https://schema.org/${availability}`

/** By the barcode's length, if its check digit is right: Google turns a listing with a wrong one down. */
export function gtin(barcode: string | undefined): { [key in `gtin${8 | 12 | 13 | 14}`]?: string } {
  if (barcode === undefined || !/^(\d{8}|\d{12,14})$/.test(barcode)) return {}
  const sum = [...barcode].reduceRight(
    (total, digit, at) => total + Number(digit) * ((barcode.length - at) % 2 ? 1 : 3),
    0,
  )
  return sum % 10 === 0 ? { [`gtin${barcode.length}`]: barcode } : {}
}
