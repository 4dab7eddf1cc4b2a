/** `GET /storefront/products/:id`. */
import { z } from 'zod'
import type { App } from '../../engine/http.ts'
import { identifier } from '../../engine/text.ts'
import { product, variant } from '../catalog/events.ts'
import type { Storefront } from './shop-page.ts'

const availability = z.object({
  isAvailable: z.boolean(),
  displayStatus: z.enum(['IN_STOCK', 'LOW_STOCK', 'OUT_OF_STOCK', 'LIMITED_AVAILABILITY']),
  message: z.string(),
  leadTimeEstimate: z.string().nullable(),
})

const page = product.omit({ status: true, createdAt: true, updatedAt: true, variants: true }).extend({
  version: z.int(),
  variants: z.array(variant.extend({ inStock: z.boolean() })),
  availability,
})

const quantity = z.coerce
  .number({ error: 'must be a whole number' })
  .int('must be a whole number')
  .min(1, 'must be at least 1')
  .max(1_000_000_000, 'must be at most 1000000000')

export function storefrontRoutes(app: App, storefront: Storefront): void {
  app.get(
    '/storefront/products/:id',
    {
      schema: {
        params: z.strictObject({ id: identifier }),
        querystring: z.strictObject({ quantity: quantity.default(1) }),
        response: { 200: page },
        summary: 'A product as a shop shows it, with its availability',
        tags: ['storefront'],
      },
    },
    (request) => storefront.page(request.params.id, request.query.quantity),
  )
}
