/** Vendors: what a vendor's products and stock come to. It keeps nothing of its own, so there is nothing to follow. */
import { z } from 'zod'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { plainText } from '../../engine/text.ts'
import { inventoryStatsOf } from './inventory-stats.ts'

const stats = z.object({
  vendorId: z.string(),
  totalProducts: z.int(),
  availableProducts: z.int(),
  limitedProducts: z.int(),
  outOfStockProducts: z.int(),
  onHand: z.int(),
  reserved: z.int(),
  available: z.int(),
  categories: z.array(z.object({ category: z.string(), products: z.int() })),
})

export function vendorsService({ db }: Engine): Service<App> {
  return {
    name: 'vendors',
    routes(app) {
      app.get(
        '/vendors/:id/inventory-stats',
        {
          schema: {
            summary: 'A vendor’s products by availability, and the units it has',
            tags: ['vendors'],
            params: z.strictObject({ id: plainText(200).min(1, 'must not be empty') }),
            response: { 200: stats },
          },
          config: { roles: ['product-service'] }, // C, Authentication and Authorization: queries only
        },
        (request) => inventoryStatsOf(db, request.params.id),
      )
    },
  }
}
