/** What search engines are told of a product: title, description and JSON-LD. */
import type { Money, Product } from '../catalog/events.ts'

export interface SeoPage {
  productId: string
  slug: string
  /** At most 60 characters: what Google shows of a title. */
  metaTitle: string
  /** At most 155 characters. */
  metaDescription: string
  /** schema.org Product. Escape `<` when it is written into a page's script. */
  jsonLd: Record<string, unknown>
}

export function seoPage(product: Product, slug: string): SeoPage {
  const description = textOf(product.description)
  return {
    productId: product.id,
    slug,
    metaTitle: shortened(textOf(product.title), 60),
    metaDescription: shortened(description || textOf(product.title), 155),
    jsonLd: {
      '@context': 'https://schema.org',
      '@type': 'Product',
      productID: product.id,
      name: product.title,
      ...(description && { description }),
      ...(product.category !== null && { category: product.category }),
      ...(product.media.length > 0 && { image: product.media.map((media) => media.url) }),
      offers: product.variants.map((variant) => ({
        '@type': 'Offer',
        sku: variant.sku,
        ...(variant.title !== undefined && { name: variant.title }),
        ...(variant.barcode !== undefined && { gtin: variant.barcode }),
        price: decimal(variant.price),
        priceCurrency: variant.price.currency,
        availability: `https://schema.org/${product.isAvailable ? 'InStock' : 'OutOfStock'}`,
      })),
    },
  }
}

/** Without tags, entities' work left alone, on one line. */
function textOf(html: string): string {
  const text = html.includes('<') ? html.replace(/<[^<>]*>/g, ' ') : html
  return (/[^\S ]| {2}/.test(text) ? text.replace(/\s+/g, ' ') : text).trim()
}

/** At most so many UTF-16 units, cut between words where that loses no more than half, with an ellipsis. */
export function shortened(text: string, max: number): string {
  if (text.length <= max) return text
  const cut = text.slice(0, max - 1)
  const space = text[max - 1] === ' ' ? cut.length : cut.lastIndexOf(' ')
  const kept = space > cut.length / 2 ? cut.slice(0, space) : cut.replace(/[\ud800-\udbff]$/, '')
  return `${kept.trimEnd()}…`
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
