/** `GET /search`, what is suggested while one types, and synonyms. */
import { z } from 'zod'
import type { Cache } from '../../engine/cache/cache.ts'
import type { Database } from '../../engine/database.ts'
import { type App, limitQuery, pageSchema } from '../../engine/http.ts'
import { plainText } from '../../engine/text.ts'
import { searchQuery } from './query.ts'
import { search } from './search.ts'
import { suggest } from './suggest.ts'
import { readSynonyms, synonyms, writeSynonyms } from './synonyms.ts'

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
    highlight: z.object({ title: z.string() }).optional(),
  }),
).extend({
  total: z.int().describe('exact up to 1,000, beyond it an estimate: totalIsExact'),
  totalIsExact: z.boolean().describe('whether total was counted; false: estimated'),
  facetsAreExact: z
    .boolean()
    .describe('whether every count of the facets was counted; false: some hundreds of more than 1,000 stood for all'),
  match: z.enum(['asked', 'corrected', 'some']).optional(),
  facets: z.object({
    category: counted(z.string()),
    vendor: counted(z.string()),
    tag: counted(z.string()),
    price: z.array(z.object({ min: z.int(), max: z.int().nullable(), count: z.int() })),
    available: counted(z.boolean()),
  }),
})

const suggestions = z.object({
  words: z.array(z.string()),
  products: z.array(
    z.object({ productId: z.string(), title: z.string(), highlight: z.string().optional(), available: z.boolean() }),
  ),
})

const tags = ['search']

export function searchRoutes(app: App, db: Database, cache: Cache): void {
  app.get(
    '/search',
    {
      schema: {
        querystring: searchQuery,
        response: { 200: answer },
        summary: 'Find products by words, SKU or filters',
        tags,
      },
    },
    (request) => search(db, cache, request.query),
  )
  app.get(
    '/search/suggest',
    {
      schema: {
        querystring: z.strictObject({ q: plainText(200), limit: limitQuery(8, 20).limit }),
        response: { 200: suggestions },
        summary: 'Words and products for what is typed so far',
        tags,
      },
    },
    (request) => suggest(db, request.query.q, request.query.limit),
  )
  app.get(
    '/search/synonyms',
    { schema: { response: { 200: synonyms }, summary: 'Words that are searched for each other', tags } },
    async () => ({ synonyms: await readSynonyms(db) }),
  )
  app.put(
    '/search/synonyms',
    {
      schema: {
        body: synonyms,
        response: { 200: synonyms },
        summary: 'Set them all: { words } mean each other, { from, to } one-way',
        tags,
      },
      config: { roles: ['ADMIN'] },
    },
    async (request) => {
      await writeSynonyms(db, request.body.synonyms)
      return { synonyms: await readSynonyms(db) }
    },
  )
}
