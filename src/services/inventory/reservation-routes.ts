/** Reservations over HTTP. */
import { randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import type { CommandOptions, Executor } from '../../engine/executor.ts'
import { type App, commandOptions, notFound } from '../../engine/http.ts'
import { identifier } from '../../engine/text.ts'
import type { Command, Line } from './commands.ts'
import { readReservation } from './ledger-queries.ts'
import { allocatedLine, lines } from './lines.ts'
import type { InventorySettings } from './settings.ts'

const tags = ['reservations']
const params = z.strictObject({ id: identifier })
const status = z.enum(['held', 'confirmed', 'released', 'expired'])
const ttlSeconds = z
  .int('must be a whole number')
  .min(1, 'must be at least 1')
  .max(30 * 86_400, 'must be at most 2592000 (30 days)')
const input = z.strictObject({ orderId: identifier.optional(), lines, ttlSeconds: ttlSeconds.optional() })
const releaseInput = z.strictObject({ lines: lines.optional() }).nullish()
const extendInput = z.strictObject({ ttlSeconds: ttlSeconds.optional() }).nullish()
const answer = z.object({
  reservationId: z.string(),
  orderId: z.string().optional(),
  status,
  expiresAt: z.iso.datetime(),
  lines: z.array(allocatedLine),
})
type Answer = z.infer<typeof answer>
const view = z.object({
  reservationId: z.string(),
  orderId: z.string().optional(),
  status,
  expiresAt: z.iso.datetime(),
  createdAt: z.iso.datetime(),
  lines: z.array(z.object({ sku: z.string(), warehouseId: z.string(), quantity: z.int() })),
})

/** Sells a reservation that was made for an order as that order, at the prices of the moment. */
export type Sell = (
  sale: { orderId: string; reservationId: string; lines: Line[] },
  options: CommandOptions,
) => Promise<Pick<Answer, 'lines'>>

/** Which of these SKUs are of products that are not for sale. */
export type Resting = (skus: string[]) => Promise<ReadonlySet<string>>

export function reservationRoutes(
  app: App,
  db: Database,
  execute: Executor<Command>['execute'],
  settings: Pick<InventorySettings, 'reservationTtlSeconds'>,
  sell?: Sell,
  restingOf?: Resting,
): void {
  const config = { roles: ['ADMIN'] }

  app.post(
    '/reservations',
    {
      schema: { summary: 'Hold stock for a while, all lines or none', tags, body: input, response: { 201: answer } },
      config,
    },
    async (request, reply) => {
      const { orderId, lines, ttlSeconds = settings.reservationTtlSeconds } = request.body
      const reservationId = randomUUIDv7()
      const rests = await restingOf?.(lines.map(({ sku }) => sku))
      const resting = lines.flatMap(({ sku }) => (rests?.has(sku) ? [sku] : []))
      const hold = { type: 'reserve', reservationId, orderId, lines, ttlSeconds } as const
      const command: Command = resting.length > 0 ? { ...hold, resting } : hold
      // Sent again it is the same request, although the id made up for it is another.
      const fingerprint = `reserve ${JSON.stringify(request.body)}`
      const executed = await execute(command, { ...commandOptions(request), fingerprint })
      const made = executed.answer as Answer
      reply.code(201).header('location', `/v1/reservations/${made.reservationId}`)
      return made
    },
  )

  app.get(
    '/reservations/:id',
    { schema: { summary: 'A reservation', tags, params, response: { 200: view } }, config },
    async (request) => {
      const found = await readReservation(db, request.params.id)
      if (!found) throw notFound('reservation', request.params.id)
      return found
    },
  )

  app.post(
    '/reservations/:id/confirm',
    {
      schema: { summary: 'Sell what is held; again gives the same answer', tags, params, response: { 200: answer } },
      config,
    },
    async (request) => {
      const { id: reservationId } = request.params
      const options = commandOptions(request)
      const { orderId, expiresAt, lines = [] } = (sell && (await readReservation(db, reservationId))) ?? {}
      if (!sell || orderId === undefined || expiresAt === undefined)
        return (await execute({ type: 'confirm', reservationId }, options)).answer as Answer
      const sold = await sell({ orderId, reservationId, lines }, options)
      return { reservationId, orderId, status: 'confirmed' as const, expiresAt, lines: sold.lines }
    },
  )

  app.post(
    '/reservations/:id/extend',
    {
      schema: {
        summary: 'Hold it until so many seconds from now at least, while it is still held',
        tags,
        params,
        body: extendInput,
        response: { 200: answer },
      },
      config,
    },
    async (request) => {
      const { ttlSeconds = settings.reservationTtlSeconds } = request.body ?? {}
      const command: Command = { type: 'extend', reservationId: request.params.id, ttlSeconds }
      return (await execute(command, commandOptions(request))).answer as Answer
    },
  )

  app.post(
    '/reservations/:id/release',
    {
      schema: {
        summary: 'Give back some of what is held, or without lines all of it; without lines, again changes nothing',
        tags,
        params,
        body: releaseInput,
        response: { 200: answer },
      },
      config,
    },
    async (request) => {
      const command: Command = { type: 'release', reservationId: request.params.id, lines: request.body?.lines }
      return (await execute(command, commandOptions(request))).answer as Answer
    },
  )
}
