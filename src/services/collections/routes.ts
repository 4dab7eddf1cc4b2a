/** `/collections`: ADMIN writes, anybody reads. */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type App, etag, ifMatch, limitQuery, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'
import {
  changeCollection,
  createCollection,
  deleteCollection,
  listCollections,
  productsOf,
  readCollection,
} from './collections.ts'
import { rule } from './rule.ts'

const params = z.strictObject({ id: identifier })
const fields = {
  title: plainText(500).min(1, 'must not be empty'),
  description: plainText(10_000),
  rule,
  productIds: z
    .array(identifier)
    .max(10_000, 'must have at most 10000 products')
    .refine((ids) => new Set(ids).size === ids.length, 'must not name a product twice'),
}

const newCollection = z
  .strictObject({
    id: identifier.optional(),
    title: fields.title,
    description: fields.description.optional(),
    rule: fields.rule.optional(),
    productIds: fields.productIds.optional(),
  })
  .refine((given) => (given.rule === undefined) !== (given.productIds === undefined), {
    error: 'must have either a rule or productIds',
    path: ['rule'],
  })

const changed = z
  .strictObject(fields)
  .partial()
  .refine((given) => Object.keys(given).length > 0, 'must change something')
  .refine((given) => given.rule === undefined || given.productIds === undefined, {
    error: 'must have either a rule or productIds',
    path: ['rule'],
  })

const collection = z.object({
  id: z.string(),
  version: z.int(),
  kind: z.enum(['rule', 'manual']),
  title: z.string(),
  description: z.string(),
  rule: z.any().optional(),
  productIds: z.array(z.string()).optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
})

export function collectionRoutes(app: App, db: Database): void {
  const tags = ['collections']
  const config = { roles: ['ADMIN'] }

  app.post(
    '/collections',
    {
      schema: { body: newCollection, response: { 201: collection }, summary: 'Make a rule or manual collection', tags },
      config,
    },
    async (request, reply) => {
      const { id = randomUUID(), ...given } = request.body
      const made = await createCollection(db, id, given)
      return reply.code(201).header('etag', etag(made.version)).send(made)
    },
  )

  app.get(
    '/collections',
    {
      schema: {
        querystring: z.strictObject(limitQuery()),
        response: { 200: pageSchema(collection) },
        summary: 'All collections, by id',
        tags,
      },
    },
    async ({ query }) => {
      const after = placeIn(query.cursor, plainText(200)) ?? ''
      return pageOf(await listCollections(db, after, query.limit + 1), query.limit, (last) => last.id)
    },
  )

  app.get(
    '/collections/:id',
    { schema: { params, response: { 200: collection }, summary: 'A collection', tags } },
    async (request, reply) => {
      const found = await readCollection(db, request.params.id)
      return reply.header('etag', etag(found.version)).send(found)
    },
  )

  app.patch(
    '/collections/:id',
    {
      schema: {
        params,
        body: changed,
        response: { 200: collection },
        summary: 'Change it; a new rule is evaluated at once',
        tags,
      },
      config,
    },
    async (request, reply) => {
      const after = await changeCollection(db, request.params.id, request.body, ifMatch(request))
      return reply.header('etag', etag(after.version)).send(after)
    },
  )

  app.delete(
    '/collections/:id',
    { schema: { params, response: { 204: z.undefined() }, summary: 'Delete it; its products stay', tags }, config },
    async (request, reply) => {
      await deleteCollection(db, request.params.id, ifMatch(request))
      return reply.code(204).send()
    },
  )

  app.get(
    '/collections/:id/products',
    {
      schema: {
        params,
        querystring: z.strictObject(limitQuery()),
        response: { 200: pageSchema(z.object({ id: z.string(), title: z.string() })) },
        summary: 'Its active products: as picked, or by id',
        tags,
      },
    },
    async ({ params: { id }, query }) => {
      const place = placeIn(query.cursor, z.tuple([z.int().min(0).max(2_147_483_647), plainText(200)]))
      const after = { position: place?.[0] ?? 0, id: place?.[1] ?? '' }
      const rows = await productsOf(db, await readCollection(db, id), after, query.limit + 1)
      const { items, next } = pageOf(rows, query.limit, (last) => [last.position, last.product_id])
      return {
        items: items.map((row) => ({ id: row.product_id, title: row.title })),
        ...(next !== undefined && { next }),
      }
    },
  )
}
