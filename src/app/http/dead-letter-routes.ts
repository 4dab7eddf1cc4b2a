/** What consumers gave up on: listed, inspected, retried, discarded, restored (E, dead letter queue). */
import { z } from 'zod'
import type { Engine } from '../../engine/engine.ts'
import {
  discardFailure,
  type Failure,
  type FailureState,
  getFailure,
  listFailures,
  restoreFailure,
  retryFailure,
} from '../../engine/failures.ts'
import { type App, limitQuery, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { plainText } from '../../engine/text.ts'

const params = z.strictObject({ id: z.coerce.number().int('must be a whole number').min(1, 'must be at least 1') })
const admin = { roles: ['ADMIN'] }
const tags = ['dead letters']

const query = z.strictObject({
  consumer: plainText(100).optional(),
  key: plainText(200).optional(),
  state: z
    .enum(['dead', 'retrying', 'waiting', 'discarded', 'all'], {
      error: 'must be dead, retrying, waiting, discarded or all',
    })
    .default('dead'),
  ...limitQuery(),
})

const letter = z.object({
  id: z.int(),
  consumer: z.string(),
  key: z.string(),
  position: z.int(),
  entity: z.string(),
  version: z.int(),
  type: z.string(),
  state: z.enum(['retrying', 'waiting', 'dead', 'discarded']),
  attempts: z.int(),
  error: z.string(),
  errorClass: z.string(),
  history: z.array(z.object({ at: z.string(), error: z.string() })),
  retryAt: z.string().nullable(),
  firstAt: z.string(),
  lastAt: z.string(),
})

const every: FailureState[] = ['dead', 'retrying', 'waiting', 'discarded']

export function deadLetterRoutes(app: App, engine: Pick<Engine, 'db' | 'refresh'>): void {
  const { db } = engine
  app.get(
    '/dead-letters',
    {
      schema: {
        querystring: query,
        response: { 200: pageSchema(letter) },
        summary: 'What consumers gave up on, the newest first',
        tags,
      },
      config: admin,
    },
    async (request) => {
      const { consumer, key, state, limit, cursor } = request.query
      const states = state === 'all' ? every : [state]
      const rows = await listFailures(db, { consumer, key, states }, placeIn(cursor, z.int().min(1)), limit + 1)
      const page = pageOf(rows, limit, (last) => last.id)
      return { ...page, items: page.items.map(shown) }
    },
  )
  app.get(
    '/dead-letters/:id',
    { schema: { params, response: { 200: letter }, summary: 'One of them', tags }, config: admin },
    async (request) => shown(await getFailure(db, request.params.id)),
  )
  app.post(
    '/dead-letters/:id/retry',
    {
      schema: { params, response: { 202: letter }, summary: 'Try again now; also takes back a discard', tags },
      config: admin,
    },
    async (request, reply) => {
      const failure = await retryFailure(db, request.params.id)
      engine.refresh()
      return reply.code(202).send(shown(failure))
    },
  )
  for (const [verb, change, summary] of [
    ['discard', discardFailure, 'Put it aside; it is kept, and can be restored'],
    ['restore', restoreFailure, 'Bring back what was put aside, as it was: nothing is tried'],
  ] as const) {
    app.post(
      `/dead-letters/:id/${verb}`,
      { schema: { params, response: { 200: letter }, summary, tags }, config: admin },
      async (request) => {
        const failure = await change(db, request.params.id)
        engine.refresh()
        return shown(failure)
      },
    )
  }
}

const shown = (failure: Failure) => ({
  ...failure,
  retryAt: failure.retryAt?.toISOString() ?? null,
  firstAt: failure.firstAt.toISOString(),
  lastAt: failure.lastAt.toISOString(),
})
