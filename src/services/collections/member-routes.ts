/** The products of a collection, in order, and why each is in or out. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import { type App, commandOptions, etag, limitQuery, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'
import { condition } from './condition.ts'
import { type CollectionCommand, collectionEntity, mostPicks } from './decider.ts'
import { sorts } from './events.ts'
import { collectionsOf, explain, isPinned, placeOf, productsOf, readCollection } from './read.ts'

const params = z.strictObject({ id: identifier })
const both = z.strictObject({ id: identifier, productId: identifier })
const order = z.object({ version: z.int(), productIds: z.array(z.string()) })

const arranged = z.strictObject({
  productIds: z
    .array(identifier)
    .max(mostPicks, `must have at most ${mostPicks} products`)
    .refine((ids) => new Set(ids).size === ids.length, 'must not name a product twice'),
})
const placed = z.strictObject({
  /** From 0; at the end when it is left out. */
  place: z.int('must be a whole number').min(0, 'must be at least 0').max(mostPicks, 'is behind all').optional(),
})

interface Reason {
  path: string
  holds: boolean
  of?: Reason[] | undefined
}
const reason: z.ZodType<Reason> = z.looseObject({
  path: z.string(),
  holds: z.boolean(),
  condition: condition.optional(),
  has: z.array(z.union([z.string(), z.number(), z.boolean()])).optional(),
  match: z.enum(['all', 'any', 'not']).optional(),
  of: z.array(z.any()).optional(),
})

export function memberRoutes(
  app: App,
  db: Database,
  execute: Executor<CollectionCommand>['execute'],
  told: () => void,
): void {
  const tags = ['collections']
  const config = { roles: ['ADMIN'] }
  const arrange = async (command: CollectionCommand, request: Parameters<typeof commandOptions>[0]) => {
    const { answer } = await execute(command, commandOptions(request, collectionEntity(command.id)))
    told()
    const { productIds } = await readCollection(db, command.id)
    return { version: answer.version as number, productIds }
  }

  app.get(
    '/collections/:id/products',
    {
      schema: {
        params,
        querystring: z.strictObject({
          ...limitQuery(),
          sort: z.enum(sorts, `must be one of ${sorts.join(', ')}`).optional(),
        }),
        response: {
          200: pageSchema(z.object({ id: z.string(), title: z.string(), pinned: z.literal(true).optional() })),
        },
        summary: 'Its active products: pins first, then as sorted; a manual one as picked',
        tags,
      },
    },
    async ({ params: { id }, query }) => {
      const after = placeIn(query.cursor, z.tuple([z.int(), z.union([plainText(1_000), z.number()]), plainText(200)]))
      const collection = await readCollection(db, id)
      const rows = await productsOf(db, collection, query.sort ?? collection.sort, after, query.limit + 1)
      const { items, next } = pageOf(rows, query.limit, placeOf)
      const pins = collection.kind === 'rule'
      return {
        items: items.map((row) => ({
          id: row.product_id,
          title: row.title,
          ...(pins && isPinned(row) && { pinned: true as const }),
        })),
        ...(next !== undefined && { next }),
      }
    },
  )

  app.put(
    '/collections/:id/products',
    {
      schema: {
        params,
        body: arranged,
        response: { 200: order },
        summary: 'Say what is picked (pinned in a rule collection), all of it, in this order',
        tags,
      },
      config,
    },
    async (request, reply) => {
      const fields = { productIds: request.body.productIds }
      const after = await arrange({ type: 'change', id: request.params.id, fields }, request)
      return reply.header('etag', etag(after.version)).send(after)
    },
  )

  app.put(
    '/collections/:id/products/:productId',
    {
      schema: { params: both, body: placed, response: { 200: order }, summary: 'Pick or pin one, or move it', tags },
      config,
    },
    async (request, reply) => {
      const { place } = request.body
      const after = await arrange({ type: 'place', ...request.params, place }, request)
      return reply.header('etag', etag(after.version)).send(after)
    },
  )

  app.delete(
    '/collections/:id/products/:productId',
    { schema: { params: both, response: { 200: order }, summary: 'Pick or pin one no longer', tags }, config },
    async (request, reply) => {
      const after = await arrange({ type: 'unplace', ...request.params }, request)
      return reply.header('etag', etag(after.version)).send(after)
    },
  )

  app.get(
    '/collections/:id/explain/:productId',
    {
      schema: {
        params: both,
        response: {
          200: z.object({
            collectionId: z.string(),
            productId: z.string(),
            member: z.boolean(),
            belongs: z.boolean(),
            active: z.boolean(),
            picked: z.boolean(),
            rule: reason.optional(),
          }),
        },
        summary: 'Why a product is in or out, condition by condition',
        tags,
      },
    },
    ({ params: { id, productId } }) => explain(db, id, productId),
  )

  app.get(
    '/products/:id/collections',
    {
      schema: {
        params,
        response: {
          200: z.object({
            items: z.array(
              z.object({ id: z.string(), title: z.string(), kind: z.enum(['rule', 'manual']), picked: z.boolean() }),
            ),
          }),
        },
        summary: 'The collections a product is in',
        tags,
      },
    },
    async (request) => ({ items: await collectionsOf(db, request.params.id) }),
  )
}
