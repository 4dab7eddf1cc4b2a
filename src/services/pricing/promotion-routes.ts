/** Promotions over HTTP: they begin and end by themselves, or end by hand. */
import { randomUUIDv7 } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Executor } from '../../engine/executor.ts'
import {
  type App,
  commandOptions,
  etag,
  ifMatch,
  limitQuery,
  notFound,
  pageOf,
  pageSchema,
  placeIn,
} from '../../engine/http.ts'
import { identifier } from '../../engine/text.ts'
import type { PricingCommand } from './decider.ts'
import type { PriceReader } from './read.ts'
import { effect, promotionInput, scope } from './rule.ts'
import { mustBeAt } from './rulebook.ts'

const tags = ['pricing']
const config = { roles: ['ADMIN'] }
const params = z.strictObject({ id: identifier })
const view = z.object({
  id: z.string(),
  name: z.string(),
  scope,
  effect,
  startsAt: z.string(),
  endsAt: z.string(),
  status: z.enum(['scheduled', 'running', 'ended']),
  underWay: z.boolean(),
  /** Also its ETag. */
  version: z.int(),
})

export function promotionRoutes(
  app: App,
  execute: Executor<PricingCommand>['execute'],
  reader: PriceReader,
  changed: () => void,
): void {
  const find = async (id: string) => {
    const promotion = await reader.promotion(id)
    if (!promotion) throw notFound('promotion', id)
    return promotion
  }
  const shown = async (reply: FastifyReply, id: string) => {
    const promotion = await find(id)
    reply.header('etag', etag(promotion.version))
    return promotion
  }

  app.post(
    '/promotions',
    {
      schema: {
        summary: 'Plan a promotion',
        description:
          'One of an id of its own may be sent again: as long as it is planned or runs, and is the same, it is answered with 200. An id that was used otherwise, ' +
          'by one that ended too, is refused with 409 `already-exists`: what has ended does not come back by a repeated request.',
        tags,
        body: promotionInput,
        response: { 200: view, 201: view },
      },
      config,
    },
    async (request, reply) => {
      const { body } = request
      const id = body.id ?? randomUUIDv7()
      const [startsAt, endsAt] = [body.startsAt, body.endsAt].map((time) => new Date(time).toISOString()) as [
        string,
        string,
      ]
      const promotion = { ...body, id, startsAt, endsAt }
      const { answer } = await execute({ type: 'create-promotion', promotion }, commandOptions(request))
      changed()
      // Answers given before repeats were told apart say nothing of it.
      reply
        .code(answer.created === false ? 200 : 201)
        .header('location', `/v1/promotions/${encodeURIComponent(answer.id)}`)
      return shown(reply, answer.id)
    },
  )

  app.get(
    '/promotions',
    {
      schema: {
        summary: 'All promotions, those that ended too',
        tags,
        querystring: z.strictObject(limitQuery()),
        response: { 200: pageSchema(view) },
      },
      config,
    },
    async (request) => {
      const { limit, cursor } = request.query
      const after = placeIn(cursor, z.string()) ?? ''
      return pageOf(await reader.promotions(after, limit + 1), limit, ({ id }) => id)
    },
  )

  app.get(
    '/promotions/:id',
    { schema: { summary: 'A promotion, its version as ETag', tags, params, response: { 200: view } }, config },
    async (request, reply) => shown(reply, request.params.id),
  )

  app.post(
    '/promotions/:id/end',
    {
      schema: {
        summary: 'End a promotion now, even while it is being applied',
        description:
          'With If-Match only at the version seen, otherwise 412 `version-mismatch`. Ended already, it stays so.',
        tags,
        params,
        response: { 200: view },
      },
      config,
    },
    async (request, reply) => {
      const { id } = await find(request.params.id)
      const expected = ifMatch(request)
      const { answer } = await execute({ type: 'end-promotion', id, expected }, commandOptions(request))
      changed()
      const ended = await shown(reply, id)
      // It had ended before: then the rulebook does not know its version any more.
      if (answer.version === undefined) mustBeAt('promotion', ended, expected)
      return ended
    },
  )
}
