/** `GET /notifications`. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type App, limitQuery, pageOf, pageSchema, placeIn } from '../../engine/http.ts'

const notification = z.object({
  eventId: z.string(),
  position: z.int(),
  type: z.string(),
  productId: z.string(),
  sku: z.string(),
  available: z.int(),
  threshold: z.int(),
  trigger: z.string(),
  at: z.string(),
})

export function notificationRoutes(app: App, db: Database): void {
  app.get(
    '/notifications',
    {
      schema: {
        querystring: z.strictObject(limitQuery()),
        response: { 200: pageSchema(notification) },
        summary: 'What admins were told of, the newest first',
        tags: ['notifications'],
      },
      config: { roles: ['ADMIN'] },
    },
    async ({ query: { limit, cursor } }) => {
      const before = placeIn(cursor, z.int().min(1)) ?? Number.MAX_SAFE_INTEGER
      return pageOf(await listNotifications(db, before, limit + 1), limit, (last) => last.position)
    },
  )
}

export async function listNotifications(
  db: Database,
  before: number,
  limit: number,
): Promise<z.infer<typeof notification>[]> {
  const rows = await db`
    select event_id as "eventId", position, type, product_id as "productId", sku, available, threshold, trigger, at
      from notifications.sent
     where position < ${before}
     order by position desc
     limit ${limit}`
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }))
}
