/** `GET /search`. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type App, pageSchema } from '../../engine/http.ts'
import { searchQuery } from './query.ts'
import { search } from './search.ts'

const counted = <Value extends z.ZodType>(value: Value) => z.array(z.object({ value, count: z.int() }))

const answer = pageSchema(
  z.object({
    id: z.string(),
    title: z.string(),
    category: z.string().nullable(),
    vendorId: z.string().nullable(),
    tags: z.array(z.string()),
    price: z.object({ min: z.int(), max: z.int(), currency: z.string() }).optional(),
    available: z.boolean(),
    image: z.string().optional(),
    score: z.number(),
  }),
).extend({
  total: z.int(),
  totalIsExact: z.boolean(),
  facets: z.object({
    category: counted(z.string()),
    vendor: counted(z.string()),
    tag: counted(z.string()),
    price: z.array(z.object({ min: z.int(), max: z.int().nullable(), count: z.int() })),
    available: counted(z.boolean()),
  }),
})

export function searchRoutes(app: App, db: Database): void {
  app.get(
    '/search',
    {
      schema: {
        querystring: searchQuery,
        response: { 200: answer },
        summary: 'Find products by words, SKU or filters',
        tags: ['search'],
      },
    },
    (request) => search(db, request.query),
  )
}
