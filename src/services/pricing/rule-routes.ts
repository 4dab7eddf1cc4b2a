/** Rules of prices over HTTP: data, each checked as a whole before it counts. */
import { randomUUIDv7 } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Executor } from '../../engine/executor.ts'
import { type App, commandOptions, etag, ifMatch, notFound } from '../../engine/http.ts'
import { identifier } from '../../engine/text.ts'
import { money } from '../catalog/events.ts'
import type { PricingCommand } from './decider.ts'
import { type PriceReader, ruleView } from './read.ts'
import { effect, type Rule, ruleInput, rulePatch, scope } from './rule.ts'

const tags = ['pricing']
const config = { roles: ['ADMIN'] }
const params = z.strictObject({ id: identifier })
const view = z.object({
  id: z.string(),
  name: z.string(),
  priority: z.int(),
  scope,
  effect,
  minPrice: money.optional(),
  /** Also its ETag. */
  version: z.int(),
})

export function ruleRoutes(
  app: App,
  execute: Executor<PricingCommand>['execute'],
  reader: PriceReader,
  changed: () => void,
): void {
  app.post(
    '/pricing/rules',
    { schema: { summary: 'Make a rule of prices', tags, body: ruleInput, response: { 201: view } }, config },
    async (request, reply) => {
      const rule = { ...request.body, id: request.body.id ?? randomUUIDv7() }
      const { answer } = await execute({ type: 'create-rule', rule }, commandOptions(request))
      changed()
      reply.code(201).header('location', `/v1/pricing/rules/${encodeURIComponent(answer.rule.id)}`)
      return shown(reply, answer.rule)
    },
  )

  app.get(
    '/pricing/rules',
    {
      schema: {
        summary: 'All rules, in the order they are applied',
        tags,
        response: { 200: z.object({ items: z.array(view) }) },
      },
      config,
    },
    async () => ({ items: await reader.rules() }),
  )

  app.get(
    '/pricing/rules/:id',
    { schema: { summary: 'A rule, its version as ETag', tags, params, response: { 200: view } }, config },
    async (request, reply) => {
      const { id } = request.params
      const rule = (await reader.rules()).find((one) => one.id === id)
      if (!rule) throw notFound('rule', id)
      return shown(reply, rule)
    },
  )

  app.patch(
    '/pricing/rules/:id',
    {
      schema: {
        summary: 'Change a rule',
        description: 'With If-Match only at the version seen, otherwise 412 `version-mismatch`.',
        tags,
        params,
        body: rulePatch,
        response: { 200: view },
      },
      config,
    },
    async (request, reply) => {
      const { id } = request.params
      const command = { type: 'change-rule', id, patch: request.body, expected: ifMatch(request) } as const
      const { answer } = await execute(command, commandOptions(request))
      changed()
      return shown(reply, answer.rule)
    },
  )

  app.delete(
    '/pricing/rules/:id',
    {
      schema: {
        summary: 'Remove a rule',
        description: 'With If-Match only at the version seen, otherwise 412 `version-mismatch`.',
        tags,
        params,
        response: { 204: z.undefined() },
      },
      config,
    },
    async (request, reply) => {
      const command = { type: 'remove-rule', id: request.params.id, expected: ifMatch(request) } as const
      await execute(command, commandOptions(request))
      changed()
      return reply.code(204).send()
    },
  )
}

/** Answers given before versions were counted have none. */
function shown(reply: FastifyReply, rule: Rule) {
  const view = ruleView(rule)
  reply.header('etag', etag(view.version))
  return view
}
