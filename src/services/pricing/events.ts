/** What pricing tells: the contracts of its events, and the prices they carry. */
import { z } from 'zod'
import { fieldChange } from '../catalog/events.ts'

/** One rule or promotion at work on a price, in the order they were applied. */
export const applied = z.strictObject({
  id: z.string(),
  kind: z.enum(['rule', 'promotion']),
  /** Minor units it took off; negative where it made the price higher. */
  amountOff: z.int(),
  /** In words: what it did, and why to this product. */
  reason: z.string(),
})

/** A variant's price: amounts in minor units of its currency. */
export const price = z.strictObject({
  list: z.int(),
  compareAt: z.int().optional(),
  effective: z.int(),
  currency: z.string(),
  applied: z.array(applied),
})
export type Price = z.infer<typeof price>

/** A rule, promotion or price (`kind`) that can't be used for a variant; prices are as if it were not there. */
export const problem = z.strictObject({
  kind: z.enum(['rule', 'promotion', 'price']),
  id: z.string(),
  sku: z.string(),
  reason: z.string(),
})
export type Problem = z.infer<typeof problem>

const told = {
  productId: z.string(),
  /** By SKU. Empty once the product was deleted. */
  prices: z.record(z.string(), price),
  problems: z.array(problem),
  /** `prices.KIT-1.effective` and the like. */
  changes: z.array(fieldChange),
}
const promotion = z.strictObject({ id: z.string(), name: z.string(), startsAt: z.string(), endsAt: z.string() })

/** key = the product's id, entity = `price/<productId>`. Every event carries all prices of the product. */
export const pricingEvents = {
  /** For any reason but a promotion's begin or end. */
  'price.updated': z.strictObject(told),
  /** A promotion began, and these are the prices under it. */
  'price.promotion.applied': z.strictObject({ promotion, ...told }),
  /** A promotion ended, by time or by hand, and these are the prices without it. */
  'price.promotion.ended': z.strictObject({ promotion, ...told }),
}
export type PriceData = z.infer<(typeof pricingEvents)['price.updated']>
export type PromotionNamed = z.infer<typeof promotion>
