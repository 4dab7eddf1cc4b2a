/** The consumers: how far each has come; pause, resume, replay; and, where that is harmless, faults on purpose. */
import { z } from 'zod'
import { forget, getConsumer, listConsumers, replay, setPaused } from '../../engine/consumers.ts'
import type { Engine } from '../../engine/engine.ts'
import { type App, notFound } from '../../engine/http.ts'
import { plainText } from '../../engine/text.ts'

const params = z.strictObject({ name: plainText(100) })
const admin = { roles: ['ADMIN'] }
const tags = ['consumers']

const state = z.object({
  name: z.string(),
  kind: z.enum(['projection', 'reaction']),
  on: z.array(z.string()),
  position: z.int(),
  end: z.int(),
  lagEvents: z.int(),
  lagSeconds: z.number(),
  owner: z.string().nullable(),
  paused: z.boolean(),
  retrying: z.int(),
  dead: z.int(),
})

export function consumerRoutes(app: App, engine: Engine): void {
  const { db } = engine
  app.get(
    '/consumers',
    {
      schema: {
        response: { 200: z.object({ items: z.array(state) }) },
        summary: 'How far each consumer has come',
        tags,
      },
      config: admin,
    },
    async () => ({ items: await listConsumers(db) }),
  )
  app.get(
    '/consumers/:name',
    { schema: { params, response: { 200: state }, summary: 'One consumer', tags }, config: admin },
    (request) => getConsumer(db, request.params.name),
  )
  app.delete(
    '/consumers/:name',
    { schema: { params, summary: 'Forget one that no process runs any more', tags }, config: admin },
    async (request, reply) => {
      await forget(db, request.params.name)
      return reply.code(204).send()
    },
  )
  for (const [verb, paused] of [
    ['pause', true],
    ['resume', false],
  ] as const) {
    app.post(
      `/consumers/:name/${verb}`,
      {
        schema: { params, response: { 200: state }, summary: paused ? 'Stop it where it is' : 'Let it go on', tags },
        config: admin,
      },
      async (request) => {
        const changed = await setPaused(db, request.params.name, paused)
        engine.refresh()
        return changed
      },
    )
  }
  app.post(
    '/consumers/:name/replay',
    {
      schema: {
        params,
        body: z.strictObject({ from: z.int('must be a whole number').min(0, 'must not be negative') }),
        response: { 202: state },
        summary:
          'Hand it the log again from a position, that event included; a projection replayed from 0 is emptied first',
        tags,
      },
      config: admin,
    },
    async (request, reply) => {
      const { name } = request.params
      const here = engine.runners.find((runner) => runner.consumer.name === name)?.consumer
      const changed = await replay(db, name, Math.max(0, request.body.from - 1), here)
      engine.refresh()
      return reply.code(202).send(changed)
    },
  )
}

const fault = z.strictObject({
  keys: z.array(plainText(200)).min(1, 'must name a key, or "*" for all').max(1_000),
  times: z.int().min(1).max(1_000_000).optional(),
  error: plainText(500).default('failed on purpose'),
  mode: z.enum(['throw', 'give-up', 'hang'], { error: 'must be throw, give-up or hang' }).default('throw'),
})
const faults = z.object({ items: z.array(fault) })

/** Only for a program that is somebody's own toy: the embedded mode. */
export function faultRoutes(app: App, engine: Engine): void {
  const known = (name: string) => {
    if (!engine.runners.some((runner) => runner.consumer.name === name))
      throw notFound('consumer in this process', name)
    return name
  }
  const list = (name: string) => ({ items: [...engine.faults.list(name)] })
  app.get(
    '/consumers/:name/faults',
    { schema: { params, response: { 200: faults }, summary: 'What fails on purpose', tags }, config: admin },
    async (request) => list(known(request.params.name)),
  )
  app.post(
    '/consumers/:name/faults',
    {
      schema: {
        params,
        body: fault,
        response: { 201: faults },
        summary: 'Let it fail for chosen keys, to see what happens',
        tags,
      },
      config: admin,
    },
    async (request, reply) => {
      const name = known(request.params.name)
      engine.faults.set(name, { ...request.body })
      return reply.code(201).send(list(name))
    },
  )
  app.delete(
    '/consumers/:name/faults',
    { schema: { params, summary: 'Let it work again', tags }, config: admin },
    async (request, reply) => {
      engine.faults.clear(known(request.params.name))
      return reply.code(204).send()
    },
  )
}
