/** Lines of SKUs as they come in and are answered over HTTP. */
import { z } from 'zod'
import { identifier, quantity } from '../../engine/text.ts'

export const lines = z
  .array(z.strictObject({ sku: identifier, quantity }))
  .min(1, 'must have at least one line')
  .max(500, 'must have at most 500 lines')
export const allocatedLine = z.object({
  sku: z.string(),
  quantity: z.int(),
  allocations: z.array(z.object({ warehouseId: z.string(), quantity: z.int() })),
})
