/** What SEO tells: the contract of its event. Slugs that are made are derived and told by nobody; what people choose is. */
import { z } from 'zod'
import { fieldChange } from '../catalog/events.ts'

/** key = the product's id, entity = `seo/<productId>`. */
export const seoEvents = {
  'seo.updated': z.strictObject({
    productId: z.string(),
    /** Chosen by hand; null: made from the product's title. */
    slug: z.string().nullable(),
    /** The product that its addresses lead to once it is deleted; null: they are gone. */
    redirectTo: z.string().nullable(),
    changes: z.array(fieldChange),
  }),
}
export type SeoData = z.infer<(typeof seoEvents)['seo.updated']>
