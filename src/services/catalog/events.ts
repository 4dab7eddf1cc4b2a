/** What the catalog tells: the contracts of its events, and the product they carry. */
import { z } from 'zod'
import { exponentOf } from '../../engine/currency.ts'

export const money = z.strictObject({
  /** Minor units of the currency: 1999 is 19.99 EUR, 1999 JPY. */
  amount: z.int().min(0),
  currency: z.string().regex(/^[A-Z]{3}$/, { error: 'must be an ISO 4217 code such as EUR', abort: true }),
})
export type Money = z.infer<typeof money>

/** As somebody may give it. Events may carry money that is nobody's any more (marks); new prices are in a currency in use, or nothing could be counted in it. */
export const givenMoney = money.refine(({ currency }) => exponentOf(currency) !== undefined, {
  path: ['currency'],
  error: 'is no currency of ISO 4217 that is in use, such as EUR',
})

export const variant = z.strictObject({
  sku: z.string(),
  title: z.string().optional(),
  options: z.record(z.string(), z.string()),
  barcode: z.string().optional(),
  price: money,
  compareAtPrice: money.optional(),
})
export type Variant = z.infer<typeof variant>

export const media = z.strictObject({ url: z.string(), alt: z.string().optional() })
export type Media = z.infer<typeof media>

export const product = z.strictObject({
  id: z.string(),
  title: z.string(),
  description: z.string(),
  vendorId: z.string().nullable(),
  category: z.string().nullable(),
  tags: z.array(z.string()),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  status: z.enum(['active', 'draft', 'archived']),
  /**
   * The offer: the vendor's word (D, updateAvailability), which stock takes back with the last unit (B, Low-Stock Threshold Logic). Whether there is anything to
   * sell is inventory's to say: a product that waits for its first delivery is offered and out of stock, without a second version for it.
   */
  isAvailable: z.boolean().meta({
    description:
      'Whether it is offered: true unless its vendor says otherwise; false with the last unit sold, true again with the next that comes in. A product that never had stock is offered and can not be had yet: what can be had is said by availability, and by available in search.',
  }),
  media: z.array(media),
  variants: z.array(variant),
  createdAt: z.string(),
  updatedAt: z.string(),
})
export type Product = z.infer<typeof product>

export const fieldChange = z.strictObject({ field: z.string(), oldValue: z.unknown(), newValue: z.unknown() })

/** key = the product's id, entity = `product/<id>`. A deleted product's event carries its last state. */
export const catalogEvents = {
  'product.created': z.strictObject({ product }),
  'product.updated': z.strictObject({ product, changes: z.array(fieldChange) }),
  'product.deleted': z.strictObject({ product }),
}
export type ProductData = { product: Product; changes?: z.infer<typeof fieldChange>[] }
