/** `/collections`: ADMIN writes, anybody reads. */
import { randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import { type App, commandOptions, etag, limitQuery, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'
import { type CollectionCommand, collectionEntity, mostPicks } from './decider.ts'
import { sorts } from './events.ts'
import { listCollections, readCollection } from './read.ts'
import { rule } from './rule.ts'

const fields = {
  title: plainText(500).min(1, 'must not be empty'),
  description: plainText(10_000),
  rule,
  /** Pins of a rule collection stay on top; a manual one is as picked unless told otherwise. */
  sort: z.enum(sorts, `must be one of ${sorts.join(', ')}`),
  /** What is picked, or pinned to the top of a rule collection, in order. */
  productIds: z
    .array(identifier)
    .max(mostPicks, `must have at most ${mostPicks} products`)
    .refine((ids) => new Set(ids).size === ids.length, 'must not name a product twice'),
}

const newCollection = z
  .strictObject(fields)
  .partial()
  .extend({ id: identifier.optional(), title: fields.title })
  .refine((given) => given.rule !== undefined || given.productIds !== undefined, {
    error: 'must be given, or productIds for a collection picked by hand',
    path: ['rule'],
  })

const changed = z
  .strictObject(fields)
  .partial()
  .refine((given) => Object.keys(given).length > 0, 'must change something')

const view = z.object({
  id: z.string(),
  version: z.int(),
  kind: z.enum(['rule', 'manual']),
  title: z.string(),
  description: z.string(),
  rule: z.any().optional(),
  sort: z.enum(sorts),
  productIds: z.array(z.string()),
  evaluating: z.object({ done: z.int(), total: z.int() }).optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
})

export function collectionRoutes(
  app: App,
  db: Database,
  execute: Executor<CollectionCommand>['execute'],
  told: () => void,
): void {
  const tags = ['collections']
  const config = { roles: ['ADMIN'] }
  const params = z.strictObject({ id: identifier })

  app.post(
    '/collections',
    {
      schema: { body: newCollection, response: { 201: view }, summary: 'Make a rule or manual collection', tags },
      config,
    },
    async (request, reply) => {
      const { id = randomUUIDv7(), ...fields } = request.body
      // A repetition is answered with the id that was made up the first time.
      const { answer } = await execute({ type: 'create', id, fields }, commandOptions(request))
      told()
      reply.code(201).header('location', `/v1/collections/${encodeURIComponent(answer.id)}`)
      reply.header('etag', etag(answer.version))
      return readCollection(db, answer.id)
    },
  )

  app.get(
    '/collections',
    {
      schema: {
        querystring: z.strictObject(limitQuery()),
        response: { 200: pageSchema(view) },
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
    { schema: { params, response: { 200: view }, summary: 'A collection, and how far it is evaluated', tags } },
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
        response: { 200: view },
        summary: 'Change it; a new rule is evaluated for all products in the background',
        tags,
      },
      config,
    },
    async (request, reply) => {
      const { id } = request.params
      const options = commandOptions(request, collectionEntity(id))
      const { answer } = await execute({ type: 'change', id, fields: request.body }, options)
      told()
      return reply.header('etag', etag(answer.version)).send(await readCollection(db, id))
    },
  )

  app.delete(
    '/collections/:id',
    { schema: { params, response: { 204: z.undefined() }, summary: 'Delete it; its products stay', tags }, config },
    async (request, reply) => {
      const { id } = request.params
      await execute({ type: 'delete', id }, commandOptions(request, collectionEntity(id)))
      told()
      return reply.code(204).send()
    },
  )
}
