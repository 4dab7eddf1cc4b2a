/** `GET /storefront/live` and `GET /orders/:id/live`: Server-Sent Events. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { lastSeen } from '../../engine/event-stream.ts'
import { type App, notFound } from '../../engine/http.ts'
import { identifier } from '../../engine/text.ts'
import type { Live } from './live.ts'
import { Reader } from './reader.ts'
import { idsQuery, localeQuery } from './routes.ts'
import type { Storefront } from './storefront.ts'
import { readOrders } from './views.ts'

const tags = ['storefront']

export function liveRoutes(app: App, db: Database, storefront: Storefront, live: Live): void {
  // Fastify waits for open answers when it closes, and these end no sooner.
  app.addHook('preClose', () => live.close())

  const follow = async (request: FastifyRequest, reply: FastifyReply, topic: string, ids: string[]) => {
    const since = lastSeen(request)
    live.admit()
    const { locale } = request.query as { locale?: string }
    // Read once before anything is sent: while it can't be read the answer is a problem, not an empty stream.
    await db`select from storefront.clock`
    reply.hijack()
    const reader = new Reader(reply.raw, storefront.language(locale ?? request.headers['accept-language']))
    await live.follow(reader, topic, ids, since).catch((error) => request.log.warn({ err: error }, 'live ended early'))
  }

  app.get(
    '/storefront/live',
    {
      schema: {
        querystring: z.strictObject({ ...idsQuery, ...localeQuery }),
        summary: 'Products as a shop shows them, told when they change',
        description:
          'Server-Sent Events: `product` with what GET /storefront/products/{id} answers, `gone` with its id when it is no longer for sale. First how all of them stand; with Last-Event-ID only what changed since.',
        tags,
      },
      exposeHeadRoute: false,
    },
    (request, reply) => follow(request, reply, 'product', request.query.products),
  )
  app.get(
    '/orders/:id/live',
    {
      schema: {
        params: z.strictObject({ id: identifier }),
        summary: 'Where an order stands, told when it changes',
        description: 'Server-Sent Events: `order` with orderId, status, history and version. First how it stands.',
        tags: ['orders'],
      },
      config: { roles: ['ADMIN'] },
      exposeHeadRoute: false,
    },
    async (request, reply) => {
      const { id } = request.params
      if (!(await readOrders(db, [id])).has(id)) throw notFound('order', id)
      return follow(request, reply, 'order', [id])
    },
  )
}
