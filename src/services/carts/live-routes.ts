/** `GET /carts/:id/live`: what happens to a cart, told to its owner as Server-Sent Events. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { lastSeen } from '../../engine/event-stream.ts'
import { type App, notFound } from '../../engine/http.ts'
import { identifier } from '../../engine/text.ts'
import type { LiveCarts } from './live.ts'
import { readCart } from './read.ts'

export function liveCartRoutes(app: App, db: Database, live: LiveCarts): void {
  // Fastify waits for open answers when it closes, and these end no sooner.
  app.addHook('preClose', async () => live.close())

  app.get(
    '/carts/:id/live',
    {
      schema: {
        params: z.strictObject({ id: identifier }),
        summary: 'A cart, told when stock, prices or its owner change it, and when it is bought',
        description:
          'Server-Sent Events. First `cart` with what GET /carts/{id} answers, then `cart.validated` when stock or prices changed what is said of its lines, ' +
          '`cart.updated` when its owner changed it, `cart.merged` when it went into another: the cart as it is then, with `skus` whose lines changed; ' +
          '`cart.checkout.started` when a checkout begins to buy it, `cart.bought` when it did, `cart.checkout.failed` with the `failure` when it did not. ' +
          'The `id` is its version: with Last-Event-ID what happened since is told, each event once. Who takes nothing for 30 s is let go.',
        tags: ['carts'],
      },
      config: { roles: ['ADMIN'] },
      exposeHeadRoute: false,
    },
    async (request, reply) => {
      const { id } = request.params
      const seen = lastSeen(request)
      live.admit()
      const cart = await readCart(db, id)
      if (!cart) throw notFound('cart', id)
      reply.hijack()
      // A version it never had is of another database: everything is new.
      await live.follow(reply.raw, id, seen !== undefined && seen <= cart.version ? seen : undefined)
    },
  )
}
