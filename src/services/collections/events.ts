/** What collections tell: the contracts of their events. */
import { z } from 'zod'
import { fieldChange } from '../catalog/events.ts'

export const sorts = ['manual', 'title-asc', 'title-desc', 'price-asc', 'price-desc', 'newest', 'oldest'] as const

export const collection = z.strictObject({
  id: z.string(),
  /** `rule`: products that satisfy the rule, and those pinned; `manual`: those picked by hand. */
  kind: z.enum(['rule', 'manual']),
  title: z.string(),
  description: z.string(),
  /** Conditions joined by all, any and not; null for one picked by hand. */
  rule: z.record(z.string(), z.unknown()).nullable(),
  sort: z.enum(sorts),
  /** In order: what is picked, or pinned to the top of a rule collection. */
  productIds: z.array(z.string()),
  createdAt: z.string(),
  updatedAt: z.string(),
})

/** A product's place in collections: `collections` are the ids of all that it is in after this event, in order. */
const membership = z.strictObject({
  collectionId: z.string(),
  productId: z.string(),
  collections: z.array(z.string()),
})

export const collectionEvents = {
  /** key and entity = `collection/<id>`. */
  'collection.created': z.strictObject({ collection }),
  'collection.updated': z.strictObject({ collection, changes: z.array(fieldChange) }),
  /** Its last state. Each product it had is told to have left. */
  'collection.deleted': z.strictObject({ collection }),
  /** key = the product's id, entity = `membership/<productId>`. Only active products are in a collection. */
  'collection.product.added': membership,
  'collection.product.removed': membership,
}
export type CollectionData = { collection: z.infer<typeof collection> }
export type MembershipData = z.infer<typeof membership>
