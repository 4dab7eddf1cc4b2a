/** Checkouts over HTTP. */
import { randomUUIDv7 } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import {
  type App,
  commandOptions,
  etag,
  flagQuery,
  limitQuery,
  notFound,
  pageOf,
  pageSchema,
  placeIn,
} from '../../engine/http.ts'
import { identifier, quantity } from '../../engine/text.ts'
import type { Checkouts } from './checkouts.ts'
import { checkout } from './events.ts'
import { listCheckouts, readCheckout } from './read.ts'

const tags = ['checkouts']
const config = { roles: ['ADMIN'] }
const params = z.strictObject({ id: identifier })
const lines = z
  .array(z.strictObject({ sku: identifier, quantity }))
  .min(1, 'must not be empty')
  .max(100, 'must have at most 100 lines')
const token = z
  .string({ error: 'must be text' })
  .regex(/^[\x21-\x7e]{1,255}$/, 'must have 1 to 255 printable ASCII characters without spaces')
const input = z
  .strictObject({
    cartId: identifier.optional(),
    lines: lines.optional(),
    customerId: identifier.optional(),
    payment: z.strictObject({ token }),
  })
  .refine((body) => (body.cartId === undefined) !== (body.lines === undefined), {
    error: 'give either cartId or lines',
    path: ['cartId'],
  })
const view = checkout.extend({ version: z.int(), syncToken: z.string() })
type View = z.infer<typeof view>
const query = z.strictObject({ status: checkout.shape.status.optional(), stuck: flagQuery.optional(), ...limitQuery() })

export function checkoutRoutes(app: App, db: Database, checkouts: Checkouts): void {
  app.post(
    '/checkouts',
    {
      schema: {
        summary: 'Buy: reserve, authorise, confirm, capture. 201 when it is an order, 202 while it is under way',
        tags,
        body: input,
        response: { 201: view, 202: view },
      },
      config,
    },
    async (request, reply) => {
      const { cartId, lines, customerId, payment } = request.body
      const wanted = { id: randomUUIDv7(), cartId, lines, customerId, token: payment.token }
      const id = await checkouts.start(wanted, commandOptions(request))
      reply.header('location', `/v1/checkouts/${encodeURIComponent(id)}`)
      return told(reply, await checkouts.outcome(id), 201)
    },
  )

  app.get(
    '/checkouts',
    {
      schema: { summary: 'Checkouts, newest first', tags, querystring: query, response: { 200: pageSchema(view) } },
      config,
    },
    async (request) => {
      const { status, stuck, limit, cursor } = request.query
      const rows = await listCheckouts(db, { status, stuck, before: placeIn(cursor, identifier), limit: limit + 1 })
      return pageOf(rows, limit, ({ id }) => id)
    },
  )

  app.get(
    '/checkouts/:id',
    { schema: { summary: 'A checkout and its steps', tags, params, response: { 200: view } }, config },
    async (request, reply) => {
      const found = await readCheckout(db, request.params.id)
      if (!found) throw notFound('checkout', request.params.id)
      reply.header('etag', etag(found.version))
      return found
    },
  )

  app.post(
    '/checkouts/:id/retry',
    {
      schema: {
        summary: 'Ask again at once for what is unclear or stuck',
        tags,
        params,
        body: z.strictObject({}).nullish(),
        response: { 200: view, 202: view },
      },
      config,
    },
    async (request, reply) => {
      const { id } = request.params
      await checkouts.retry(id, commandOptions(request))
      return told(reply, await checkouts.outcome(id), 200)
    },
  )
}

/** One that went back is the problem it went back for. */
function told(reply: FastifyReply, found: View, completed: 200 | 201): View {
  const { id, status, failure } = found
  if (status === 'compensated' && failure)
    throw new Rejected(failure.code, { ...failure.detail, checkoutId: id }, failure.message)
  reply.code(status === 'completed' ? completed : 202).header('etag', etag(found.version))
  return found
}
