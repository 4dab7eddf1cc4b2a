/** Who has a product's, a customer's or an order's change and who has not (A, §12), and trying again by hand. */
import { z } from 'zod'
import type { Engine } from '../../engine/engine.ts'
import { retryKey } from '../../engine/failures.ts'
import { type App, flagQuery, invalidRequest, notFound } from '../../engine/http.ts'
import { type AtVersion, type SyncStatus, waitForSync } from '../../engine/sync-status.ts'
import { identifier, plainText } from '../../engine/text.ts'
import type { Auth } from './auth.ts'

const MAX_WAIT_MS = 8_000

/** `2s`, `1.5s`, `500ms`; milliseconds after parsing. */
const wait = z
  .string()
  .regex(/^(?:\d{1,5}ms|\d{1,2}(?:\.\d{1,3})?s|0)$/, 'must look like 2s or 500ms')
  .transform((text) => (text.endsWith('ms') ? Number(text.slice(0, -2)) : Number(text.replace('s', '')) * 1_000))
  .refine((ms) => ms <= MAX_WAIT_MS, `must be at most ${MAX_WAIT_MS / 1_000}s`)

const query = z.strictObject({
  version: z.coerce.number().int('must be a whole number').min(1, 'must be at least 1').optional(),
  /** Whose version it is when not the product's own: `stock/KIT-1`, as the sync token of the write says. */
  entity: plainText(220).optional(),
  wait: wait.optional(),
  /** Names of consumers; the wait is for these alone. */
  consumers: plainText(500)
    .transform((text) => text.split(',').map((name) => name.trim()))
    .optional(),
  detail: flagQuery.optional(),
})

const params = z.strictObject({ id: identifier })
const status = z.enum(['pending', 'retrying', 'failed', 'done'])

const answer = z.object({
  overallStatus: z.enum(['partial-failure', 'completed', 'processing']),
  services: z.record(z.string(), status),
  productId: z.string().optional(),
  customerId: z.string().optional(),
  orderId: z.string().optional(),
  version: z.number().optional(),
  detail: z.record(z.string(), z.unknown()).optional(),
})

/** Of what one can ask who has its change. */
interface Subject {
  /** `product`: a product's path is /products/…, its entity product/…. */
  what: 'product' | 'customer' | 'order'
  /** The key under which its events stand. */
  keyOf(id: string): string
  /** Who may ask; anybody when absent. */
  roles?: string[]
}

const subjects: Subject[] = [
  { what: 'product', keyOf: (id) => id },
  { what: 'customer', keyOf: (id) => `customer/${id}`, roles: ['ADMIN'] },
  { what: 'order', keyOf: (id) => `order/${id}`, roles: ['ADMIN'] },
]

export function syncRoutes(app: App, engine: Pick<Engine, 'db' | 'refresh'>, auth: Auth): void {
  for (const subject of subjects) routesOf(subject, app, engine, auth)
}

function routesOf(subject: Subject, app: App, engine: Pick<Engine, 'db' | 'refresh'>, auth: Auth): void {
  const { what, keyOf, roles } = subject
  const { db } = engine
  app.get(
    `/${what}s/:id/sync-status`,
    {
      schema: {
        params,
        querystring: query,
        response: { 200: answer },
        summary: `Which services have the ${what}’s change, and which have not; \`detail=true\` (ADMIN) says why`,
        tags: ['sync'],
      },
      handlerTimeout: MAX_WAIT_MS + 7_000,
      config: { roles },
    },
    async (request) => {
      const { id } = request.params
      const { version, entity, detail, consumers, wait: waitMs = 0 } = request.query
      if (detail) auth.permit(request.actor, [])
      if (entity !== undefined && version === undefined) {
        throw invalidRequest({ in: 'query', field: 'version', message: 'is needed with entity' })
      }
      const own = entity ?? `${what}/${id}`
      const latest = await latestVersion(db, subject, id, own)
      if (version !== undefined && version > latest) throw notFound('version', `${own}@${version}`)
      const at: AtVersion | undefined = version === undefined ? undefined : { entity: own, version }
      const found = await waitForSync(db, keyOf(id), { at, consumers, waitMs, signal: request.signal })
      const short = { overallStatus: found.overallStatus, services: byName(found, (consumer) => consumer.status) }
      return detail ? { ...short, [`${what}Id`]: id, version: version ?? latest, detail: details(found) } : short
    },
  )
  app.post(
    `/${what}s/:id/sync-retry`,
    {
      schema: {
        params,
        body: z.strictObject({ consumer: plainText(100).optional() }).nullish(),
        response: { 202: z.object({ retried: z.int() }) },
        summary: `Try again now what failed for ${what === 'order' ? 'an' : 'a'} ${what}, at one consumer or at all`,
        tags: ['sync'],
      },
      config: { roles: ['ADMIN'] },
    },
    async (request, reply) => {
      const { id } = request.params
      await latestVersion(db, subject, id, `${what}/${id}`)
      const retried = await retryKey(db, keyOf(id), request.body?.consumer)
      engine.refresh()
      return reply.code(202).send({ retried })
    },
  )
}

/** Throws `not-found` for a subject that never had an event; 0 for an entity of its that has none. */
async function latestVersion(db: Engine['db'], { what, keyOf }: Subject, id: string, entity: string): Promise<number> {
  const key = keyOf(id)
  const [row] = await db<{ version: number; known: boolean }>`
    select coalesce((select e.version from lockstep.events e where e.entity = ${entity} and e.key = ${key} order by e.version desc limit 1), 0) as version,
           exists (select from lockstep.events e where e.key = ${key}) as known`
  if (!row?.known) throw notFound(what, id)
  return row.version
}

function byName<Value>(
  found: SyncStatus,
  value: (consumer: SyncStatus['consumers'][number]) => Value,
): Record<string, Value> {
  return Object.fromEntries(found.consumers.map((consumer) => [consumer.consumer, value(consumer)]))
}

const details = (found: SyncStatus) =>
  byName(found, ({ consumer: _, pendingSince, ...rest }) => ({
    ...rest,
    lagMs: pendingSince === undefined ? 0 : Math.max(0, Date.now() - pendingSince.getTime()),
  }))
