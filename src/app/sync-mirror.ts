/** The sync status in Redis (A, §14) as a service: nothing at all without Redis. */
import { z } from 'zod'
import { RedisGone, type RedisLink } from '../engine/cache/redis-link.ts'
import type { App } from '../engine/http.ts'
import type { Engine, Service } from '../engine/service.ts'
import { SyncMirror } from '../engine/sync-mirror/mirror.ts'
import { Unavailable } from '../engine/unavailable.ts'

const tags = ['sync']
const admin = { roles: ['ADMIN'] }
const state = z.object({
  writing: z.boolean(),
  behind: z.int(),
  open: z.int(),
  rebuilding: z.boolean(),
})

export function syncMirrorService(engine: Engine, link: RedisLink | undefined, hours: number): Service<App> {
  const name = 'sync-mirror'
  if (!link) return { name }
  const { db, log } = engine
  const mirror = new SyncMirror({
    db,
    log,
    use: (work) => link.use(work),
    seconds: hours * 3_600,
    // Other keys are of the form customer/7; no product's id has a slash.
    isSubject: (key) => !key.includes('/'),
    async subjects(after, limit) {
      const rows = await db<{ id: string }>`
        select id from catalog.products where id > ${after} order by id limit ${limit}`
      return rows.map(({ id }) => id)
    },
  })
  engine.observe(['*'], () => mirror.woken())
  return {
    name,
    routes: (app) => mirrorRoutes(app, mirror),
    run: (signal) => mirror.run(signal),
  }
}

function mirrorRoutes(app: App, mirror: SyncMirror): void {
  app.get(
    '/sync-mirror',
    {
      schema: {
        response: { 200: state },
        summary: 'How far the sync status in Redis is, and whether this process writes it',
        tags,
      },
      config: admin,
    },
    () => mirror.state().catch(unavailable),
  )
  app.post(
    '/sync-mirror/rebuild',
    {
      schema: {
        response: { 202: state },
        summary: 'Write the sync status of all products to Redis anew, as after it was emptied',
        tags,
      },
      config: admin,
    },
    async (_, reply) => {
      await mirror.rebuild().catch(unavailable)
      return reply.code(202).send(await mirror.state().catch(unavailable))
    },
  )
}

/** Redis gone is no fault of ours, and passes. */
function unavailable(error: unknown): never {
  throw error instanceof RedisGone ? new Unavailable('Redis is not there') : error
}
