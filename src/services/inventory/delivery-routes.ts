/** Expected receipts and transfers over HTTP. */
import { randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import { type App, commandOptions, notFound } from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'
import type { Command, DeliveryKind } from './commands.ts'
import { answerOf } from './deliveries.ts'
import { readDeliveries } from './delivery-queries.ts'
import { lines } from './lines.ts'

const params = z.strictObject({ id: identifier })
/** A time with its offset from UTC, in years that Postgres and JavaScript write alike. */
export const timeWithOffset = z.iso
  .datetime({ offset: true, error: 'must be a time like 2026-05-20T08:00:00Z' })
  .refine((at) => at >= '2000' && at < '2200', { error: 'must be in the years 2000 to 2199' })
/** It goes into the ledger, whose columns travel joined by a control character. */
const reference = plainText(200)
  .min(1, 'must not be empty')
  .regex(/^\P{C}*$/u, 'must not contain control characters')
const receiptInput = z.strictObject({ reference, expectedAt: timeWithOffset, lines })
const transferInput = z.strictObject({
  from: identifier,
  to: identifier,
  lines,
  reference: reference.optional(),
  expectedAt: timeWithOffset.optional(),
})
const receiveInput = z.strictObject({ lines: lines.optional() }).nullish()

const line = z.object({ sku: z.string(), quantity: z.int(), received: z.int() })
const receipt = z.object({
  receiptId: z.string(),
  warehouseId: z.string(),
  status: z.enum(['expected', 'received', 'cancelled']),
  reference: z.string(),
  expectedAt: z.iso.datetime(),
  lines: z.array(line),
})
const transfer = z.object({
  transferId: z.string(),
  from: z.string(),
  to: z.string(),
  status: z.enum(['shipped', 'received', 'cancelled']),
  reference: z.string().optional(),
  expectedAt: z.iso.datetime().optional(),
  lines: z.array(line),
})

type Execute = Executor<Command>['execute']
const utc = (at: string | undefined) => at && new Date(at).toISOString()

export function deliveryRoutes(app: App, db: Database, execute: Execute): void {
  const config = { roles: ['ADMIN'] }

  app.post(
    '/warehouses/:id/receipts',
    {
      schema: {
        summary: 'Expect goods from a supplier',
        tags: ['receipts'],
        params,
        body: receiptInput,
        response: { 201: receipt },
      },
      config,
    },
    async (request, reply) => {
      const { reference, lines } = request.body
      const { id: to } = request.params
      const deliveryId = randomUUIDv7()
      const command: Command = {
        type: 'announce',
        deliveryId,
        to,
        reference,
        expectedAt: utc(request.body.expectedAt),
        lines,
      }
      // Sent again it is the same request, although the id made up for it is another.
      const fingerprint = `receipt ${to} ${JSON.stringify(request.body)}`
      const { answer } = await execute(command, { ...commandOptions(request), fingerprint })
      const made = answer as z.infer<typeof receipt>
      reply.code(201).header('location', `/v1/receipts/${made.receiptId}`)
      return made
    },
  )

  app.post(
    '/transfers',
    {
      schema: {
        summary: 'Ship goods from one warehouse to another, all lines or none',
        tags: ['transfers'],
        body: transferInput,
        response: { 201: transfer },
      },
      config,
    },
    async (request, reply) => {
      const deliveryId = randomUUIDv7()
      const command: Command = {
        type: 'announce',
        deliveryId,
        ...request.body,
        expectedAt: utc(request.body.expectedAt),
      }
      const fingerprint = `transfer ${JSON.stringify(request.body)}`
      const { answer } = await execute(command, { ...commandOptions(request), fingerprint })
      const made = answer as z.infer<typeof transfer>
      reply.code(201).header('location', `/v1/transfers/${made.transferId}`)
      return made
    },
  )

  lifeRoutes(app, db, execute, 'receipt', receipt)
  lifeRoutes(app, db, execute, 'transfer', transfer)
}

/** What can be done with either once it is announced. */
function lifeRoutes<Answer extends typeof receipt | typeof transfer>(
  app: App,
  db: Database,
  execute: Execute,
  kind: DeliveryKind,
  answer: Answer,
): void {
  const config = { roles: ['ADMIN'] }
  const tags = [`${kind}s`]
  // The schema says what leaves; the route's type can't follow it through the parameter.
  const response = { 200: answer as z.ZodType }

  app.get(
    `/${kind}s/:id`,
    { schema: { summary: `A ${kind}, with what has arrived of it`, tags, params, response }, config },
    async (request) => {
      const { id } = request.params
      const [found] = await readDeliveries(db, [id])
      if (!found || (kind === 'transfer') !== (found.from !== undefined)) throw notFound(kind, id)
      return answerOf(found)
    },
  )

  app.post(
    `/${kind}s/:id/receive`,
    {
      schema: {
        summary: 'Bring in some of it, or without lines the rest; without lines, again changes nothing',
        tags,
        params,
        body: receiveInput,
        response,
      },
      config,
    },
    async (request) => {
      const command: Command = {
        type: 'receive',
        kind,
        deliveryId: request.params.id,
        lines: request.body?.lines,
      }
      return (await execute(command, commandOptions(request))).answer
    },
  )

  app.post(
    `/${kind}s/:id/cancel`,
    {
      schema: {
        summary:
          kind === 'transfer'
            ? 'Put what is under way back where it came from; again changes nothing'
            : 'Expect no more of it; again changes nothing',
        tags,
        params,
        response,
      },
      config,
    },
    async (request) => {
      const command: Command = { type: 'call-off', kind, deliveryId: request.params.id }
      return (await execute(command, commandOptions(request))).answer
    },
  )
}
