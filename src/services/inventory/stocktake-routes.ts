/** Stocktakes over HTTP. */
import { randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import { type App, commandOptions, notFound } from '../../engine/http.ts'
import { count, identifier, plainText } from '../../engine/text.ts'
import type { Command } from './commands.ts'
import { timeWithOffset } from './delivery-routes.ts'
import { trigger } from './events.ts'

const tags = ['stocktakes']
const lines = z
  .array(z.strictObject({ sku: identifier, quantity: count }))
  .min(1, 'must have at least one line')
  .max(500, 'must have at most 500 lines')
  .refine((all) => new Set(all.map((one) => one.sku)).size === all.length, { error: 'must name each SKU once' })
const input = z.strictObject({
  warehouseId: identifier,
  countedAt: timeWithOffset,
  lines,
  trigger: trigger.extract(['ADMIN_UPDATE', 'SCHEDULED_SYNC']).default('ADMIN_UPDATE'),
  reason: plainText(500).optional(),
  dryRun: z.boolean().default(true),
})
const line = z.object({ sku: z.string(), counted: z.int(), expected: z.int(), difference: z.int() })
const answer = z.object({
  stocktakeId: z.string(),
  warehouseId: z.string(),
  countedAt: z.iso.datetime(),
  dryRun: z.boolean(),
  lines: z.array(line.extend({ onHand: z.int() })),
})
const view = z.object({
  stocktakeId: z.string(),
  warehouseId: z.string(),
  countedAt: z.iso.datetime(),
  takenAt: z.iso.datetime(),
  lines: z.array(line),
})

interface Row {
  id: string
  warehouse_id: string
  counted_at: Date
  taken_at: Date
  lines: z.infer<typeof line>[]
}

export function stocktakeRoutes(app: App, db: Database, execute: Executor<Command>['execute']): void {
  const config = { roles: ['ADMIN'] }

  app.post(
    '/stocktakes',
    {
      schema: {
        summary:
          'Compare a count with what was on hand when it was taken; with dryRun false, make up for the difference',
        tags,
        body: input,
        response: { 200: answer },
      },
      config,
    },
    async (request) => {
      const command: Command = {
        type: 'stocktake',
        stocktakeId: randomUUIDv7(),
        ...request.body,
        countedAt: new Date(request.body.countedAt).toISOString(),
      }
      // Sent again it is the same request, although the id made up for it is another.
      const fingerprint = `stocktake ${JSON.stringify(request.body)}`
      return (await execute(command, { ...commandOptions(request), fingerprint })).answer as z.infer<typeof answer>
    },
  )

  app.get(
    '/stocktakes/:id',
    {
      schema: {
        summary: 'A stocktake, with what it found',
        tags,
        params: z.strictObject({ id: identifier }),
        response: { 200: view },
      },
      config,
    },
    async (request) => {
      const { id } = request.params
      const [row] = await db<Row>`
        select s.id, s.warehouse_id, s.counted_at, s.taken_at,
               (select jsonb_agg(jsonb_build_object('sku', l.sku, 'counted', l.counted, 'expected', l.expected,
                                                    'difference', l.counted - l.expected) order by l.sku)
                  from inventory.stocktake_lines l
                 where l.stocktake_id = s.id) as lines
          from inventory.stocktakes s
         where s.id = ${id}`
      if (!row) throw notFound('stocktake', id)
      return {
        stocktakeId: row.id,
        warehouseId: row.warehouse_id,
        countedAt: row.counted_at.toISOString(),
        takenAt: row.taken_at.toISOString(),
        lines: row.lines,
      }
    },
  )
}
