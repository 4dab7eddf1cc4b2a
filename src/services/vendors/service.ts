/** Vendors: what a vendor's products and stock come to. What it keeps are sums, counted a little behind the log; who asks gets them as of that moment. */
import { z } from 'zod'
import type { Sql } from '../../engine/database.ts'
import { pause } from '../../engine/deadline.ts'
import type { Finding } from '../../engine/finding.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { plainText } from '../../engine/text.ts'
import { countOnce } from './counting.ts'
import { inventoryStatsOf } from './inventory-stats.ts'
import { verifyVendors } from './verify.ts'

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

/** So that who asks has little to look at. */
const EVERY_MS = 2_000

export interface VendorsService extends Service<App> {
  verify(sql: Sql): Promise<Finding[]>
}

export function vendorsService({ db, log }: Engine): VendorsService {
  return {
    name: 'vendors',
    schema: new URL('./schema/', import.meta.url),
    verify: verifyVendors,
    async run(signal) {
      while (!signal.aborted) {
        try {
          while (!signal.aborted && !(await countOnce(db)));
        } catch (error) {
          if (!signal.aborted) log.warn({ err: error }, 'vendors could not be counted; trying again')
        }
        await pause(EVERY_MS, signal)
      }
    },
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
