/** Reading the log: filtered, in pages, from either end. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import type { App } from '../../engine/http.ts'
import { plainText } from '../../engine/text.ts'

/** Positions looked at for one page when no index helps (a type or a correlation id alone): some 50 ms. */
const SCAN = 200_000

const position = z.coerce
  .number()
  .int('must be a whole number')
  .min(0, 'must not be negative')
  .max(Number.MAX_SAFE_INTEGER)

const query = z.strictObject({
  key: plainText(200).optional(),
  /** `product.updated`, `product.*` */
  type: z
    .string()
    .regex(/^(?:\*|[a-z0-9-]+(?:\.[a-z0-9-]+)*(?:\.\*)?)$/, 'must look like product.updated or product.*')
    .max(100, 'is too long')
    .optional(),
  /** `product/123` */
  entity: plainText(220).optional(),
  correlationId: plainText(128).optional(),
  after: position.optional(),
  before: position.optional(),
  order: z.enum(['oldest', 'newest'], { error: 'must be oldest or newest' }).default('oldest'),
  limit: z.coerce
    .number()
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(500, 'must be at most 500')
    .default(100),
})
type Query = z.infer<typeof query>

const answer = z.object({
  items: z.array(
    z.object({
      position: z.int(),
      id: z.string(),
      type: z.string(),
      key: z.string(),
      entity: z.string(),
      version: z.int(),
      source: z.string(),
      at: z.string(),
      data: z.unknown(),
      meta: z.unknown(),
    }),
  ),
  next: z
    .int()
    .optional()
    .describe('the position to go on from: `after` for the oldest first, `before` for the newest'),
})

export function eventRoutes(app: App, db: Database): void {
  app.get(
    '/events',
    {
      schema: {
        querystring: query,
        response: { 200: answer },
        summary:
          'Events, filtered. A page may hold fewer than `limit`, even none: while there is a `next`, there may be more',
        tags: ['events'],
      },
      config: { roles: ['ADMIN'] },
    },
    (request) => page(db, request.query),
  )
}

interface Row {
  position: number
  id: string
  type: string
  key: string
  entity: string
  version: number
  source: string
  at: Date
  data: string
  meta: string
}

async function page(db: Database, asked: Query) {
  const { order, limit } = asked
  const [head] = await db<{ position: number }>`select position from lockstep.head`
  const end = head?.position ?? 0
  let above = asked.after ?? 0
  let below = Math.min(asked.before ?? end + 1, end + 1)
  const indexed = asked.key !== undefined || asked.entity !== undefined
  const bounded =
    !indexed && (asked.type !== undefined || asked.correlationId !== undefined) && below - above > SCAN + 1
  if (bounded && order === 'oldest') below = above + SCAN + 1
  if (bounded && order === 'newest') above = below - SCAN - 1
  const { conditions, values } = filter(asked)
  const rows = await db.text<Row>(
    `select position, id, type, key, entity, version, source, at, data, meta
     from   lockstep.events
     where  ${[`position > $1 and position < $2`, ...conditions].join(' and ')}
     order  by position ${order === 'oldest' ? 'asc' : 'desc'}
     limit  $3`,
    [above, below, limit + 1, ...values],
  )
  const shown = rows.slice(0, limit)
  const next =
    rows.length > limit ? shown.at(-1)?.position : bounded ? (order === 'oldest' ? below - 1 : above + 1) : undefined
  return { items: shown.map(eventOf), ...(next !== undefined && { next }) }
}

function filter({ key, type, entity, correlationId }: Query): { conditions: string[]; values: unknown[] } {
  const conditions: string[] = []
  const values: unknown[] = []
  const add = (condition: (parameter: string) => string, value: unknown) =>
    conditions.push(condition(`$${values.push(value) + 3}`))
  if (key !== undefined) add((p) => `key = ${p}`, key)
  if (entity !== undefined) add((p) => `entity = ${p}`, entity)
  if (type?.endsWith('.*')) add((p) => `starts_with(type, ${p})`, type.slice(0, -1))
  else if (type !== undefined && type !== '*') add((p) => `type = ${p}`, type)
  if (correlationId !== undefined) add((p) => `meta ->> 'correlationId' = ${p}`, correlationId)
  return { conditions, values }
}

const eventOf = (row: Row) => ({
  ...row,
  at: row.at.toISOString(),
  data: JSON.parse(row.data),
  meta: JSON.parse(row.meta),
})
