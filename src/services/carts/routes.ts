/** Carts over HTTP. */
import { randomUUIDv7 } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import {
  type App,
  commandOptions,
  etag,
  invalidRequest,
  limitQuery,
  notFound,
  pageOf,
  pageSchema,
  placeIn,
} from '../../engine/http.ts'
import { identifier, quantity } from '../../engine/text.ts'
import { type CartsCommand, cartEntity } from './decider.ts'
import { cart, merged } from './events.ts'
import { goodsOf, goodsOfCart, listCarts, readCart } from './read.ts'

const tags = ['carts']
const config = { roles: ['ADMIN'] }
const params = z.strictObject({ id: identifier })
const lineParams = z.strictObject({ id: identifier, sku: identifier })
const owner = { customerId: identifier.optional(), anonymousId: identifier.optional() }
const input = z
  .strictObject({ id: identifier.optional(), ...owner })
  .refine((body) => body.customerId !== undefined || body.anonymousId !== undefined, {
    error: 'a cart belongs to somebody: give customerId or anonymousId',
    path: ['customerId'],
  })
const view = cart.extend({
  status: z.enum(['open', 'in-checkout', 'bought', 'merged']),
  checkoutId: z.string().nullable(),
  buyable: z.boolean(),
  version: z.int(),
  syncToken: z.string(),
})
const answered = { 200: view }
const nothing = z.strictObject({}).nullish()

export function cartRoutes(app: App, db: Database, execute: Executor<CartsCommand>['execute']): void {
  app.post(
    '/carts',
    { schema: { summary: 'Begin a cart', tags, body: input, response: { 201: view } }, config },
    async (request, reply) => {
      const { id = randomUUIDv7(), customerId = null, anonymousId = null } = request.body
      const { answer } = await execute({ type: 'create', cartId: id, customerId, anonymousId }, commandOptions(request))
      reply.code(201).header('location', `/v1/carts/${encodeURIComponent(answer.id)}`)
      return shown(db, reply, answer.id)
    },
  )

  app.put(
    '/carts/:id/lines/:sku',
    {
      schema: {
        summary: 'Have so many of a SKU in the cart',
        tags,
        params: lineParams,
        body: z.strictObject({ quantity }),
        response: answered,
      },
      config,
    },
    async (request, reply) => {
      const { id, sku } = request.params
      const [goods] = await goodsOf(db, [sku])
      const put = { type: 'put', cartId: id, sku, quantity: request.body.quantity, ...(goods && { goods }) } as const
      await execute(put, commandOptions(request, cartEntity(id)))
      return shown(db, reply, id)
    },
  )

  app.delete(
    '/carts/:id/lines/:sku',
    { schema: { summary: 'Take a SKU out', tags, params: lineParams, response: answered }, config },
    async (request, reply) => {
      const { id, sku } = request.params
      await execute({ type: 'take-out', cartId: id, sku }, commandOptions(request, cartEntity(id)))
      return shown(db, reply, id)
    },
  )

  app.post(
    '/carts/:id/acknowledge',
    {
      schema: {
        summary: 'Its owner has seen the notices: prices are those of now, the others stay, marked',
        tags,
        params,
        body: nothing,
        response: answered,
      },
      config,
    },
    async (request, reply) => {
      const { id } = request.params
      const found = await readCart(db, id)
      if (!found) throw notFound('cart', id)
      const skus = found.lines.map(({ sku }) => sku)
      const goods = await goodsOf(db, skus)
      await execute({ type: 'acknowledge', cartId: id, goods }, commandOptions(request, cartEntity(id)))
      return shown(db, reply, id)
    },
  )

  app.post(
    '/carts/:id/merge',
    {
      schema: {
        summary: 'What was put into an anonymous cart comes into the customer’s, as when he logs in',
        description:
          'Quantities are added, at most what is in stock, but never fewer than the customer’s own; `merged` says of each line how many were asked for. ' +
          'The other cart ends as `merged` and names this one in `mergedInto`. Again, it changes nothing. A cart that a checkout is buying is not merged: 409 until ' +
          'that is over. With If-Match only at the version seen, otherwise 412.',
        tags,
        params,
        body: z.strictObject({ from: identifier }),
        response: { 200: view.extend({ merged }) },
      },
      config,
    },
    async (request, reply) => {
      const { id } = request.params
      const { from } = request.body
      if (from === id) throw invalidRequest({ in: 'body', field: 'from', message: 'must be another cart' })
      const goods = await goodsOfCart(db, from)
      const { answer } = await execute(
        { type: 'merge', cartId: id, from, goods },
        commandOptions(request, cartEntity(id)),
      )
      return { ...(await shown(db, reply, id)), merged: answer.merged }
    },
  )

  app.get(
    '/carts/:id',
    {
      schema: { summary: 'A cart, and what is to be known of its lines now', tags, params, response: answered },
      config,
    },
    async (request, reply) => shown(db, reply, request.params.id),
  )

  app.get(
    '/carts',
    {
      schema: {
        summary: 'Somebody’s carts, newest first',
        tags,
        querystring: z.strictObject({ ...owner, ...limitQuery() }),
        response: { 200: pageSchema(view) },
      },
      config,
    },
    async (request) => {
      const { customerId, anonymousId, limit, cursor } = request.query
      if (customerId === undefined && anonymousId === undefined)
        throw invalidRequest({ in: 'query', field: 'customerId', message: 'say whose: give customerId or anonymousId' })
      const before = placeIn(cursor, identifier)
      return pageOf(await listCarts(db, { customerId, anonymousId, before, limit: limit + 1 }), limit, ({ id }) => id)
    },
  )
}

async function shown(db: Database, reply: FastifyReply, id: string) {
  const found = await readCart(db, id)
  if (!found) throw notFound('cart', id)
  reply.header('etag', etag(found.version))
  return found
}
