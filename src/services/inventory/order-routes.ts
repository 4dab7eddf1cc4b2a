/** Orders, returns and cancellations over HTTP. */
import { randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import { type App, commandOptions, limitQuery, notFound, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { identifier, plainText, quantity } from '../../engine/text.ts'
import type { Command } from './commands.ts'
import { latestOrders, type OrderView, readOrders, shipmentsOf } from './order-queries.ts'

const tags = ['orders']
const params = z.strictObject({ id: identifier })

export const lines = z
  .array(z.strictObject({ sku: identifier, quantity }))
  .min(1, 'must have at least one line')
  .max(500, 'must have at most 500 lines')
export const allocatedLine = z.object({
  sku: z.string(),
  quantity: z.int(),
  allocations: z.array(z.object({ warehouseId: z.string(), quantity: z.int() })),
})

const shipments = z.array(
  z.object({ warehouseId: z.string(), lines: z.array(z.object({ sku: z.string(), quantity: z.int() })) }),
)
const status = z.enum(['confirmed', 'partly-returned', 'cancelled'])
const input = z.strictObject({ orderId: identifier.optional(), customerId: identifier.optional(), lines })
const placed = z.object({
  orderId: z.string(),
  status,
  customerId: z.string().optional(),
  lines: z.array(allocatedLine),
  /** What each warehouse sends: more than one is a split shipment. */
  shipments,
})
type Placed = z.infer<typeof placed>
const givenBack = z.object({
  orderId: z.string(),
  returnId: z.string().optional(),
  status,
  lines: z.array(allocatedLine),
})
type GivenBack = z.infer<typeof givenBack>
const view = z.object({
  orderId: z.string(),
  status,
  placedAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  lines: z.array(allocatedLine.extend({ ordered: z.int(), returned: z.int() })),
  shipments,
})
const reason = plainText(500).optional()
const returnInput = z.strictObject({ returnId: identifier.optional(), lines: lines.optional(), reason })
const cancelInput = z.strictObject({ reason }).nullish()

export function orderRoutes(app: App, db: Database, execute: Executor<Command>['execute']): void {
  const config = { roles: ['ADMIN'] }

  app.post(
    '/orders',
    { schema: { summary: 'Place an order: all lines or none', tags, body: input, response: { 201: placed } }, config },
    async (request, reply) => {
      const { orderId = randomUUIDv7(), customerId, lines } = request.body
      const options = commandOptions(request)
      // An order with an id of its own may be sent again without a key: the same order gets the same answer.
      if (request.body.orderId !== undefined) options.key ??= `order:${orderId}`
      const fingerprint = `order ${JSON.stringify(request.body)}`
      const executed = await execute({ type: 'order', orderId, customerId, lines }, { ...options, fingerprint })
      const order = executed.answer as Omit<Placed, 'shipments'>
      reply.code(201).header('location', `/v1/orders/${encodeURIComponent(order.orderId)}`)
      return { ...order, shipments: shipmentsOf(order.lines) }
    },
  )

  app.get(
    '/orders',
    {
      schema: {
        summary: 'The latest orders',
        tags,
        querystring: z.strictObject(limitQuery()),
        response: { 200: pageSchema(view) },
      },
      config,
    },
    async (request) => {
      const { limit, cursor } = request.query
      const rows = await latestOrders(db, placeIn(cursor, place), limit + 1)
      const { items, next } = pageOf(rows, limit, (last) => last)
      const ids = items.map((item) => item.orderId)
      const orders = await readOrders(db, ids)
      return { items: orders.map(withShipments), ...(next !== undefined && { next }) }
    },
  )

  app.get(
    '/orders/:id',
    { schema: { summary: 'An order, with what was returned of it', tags, params, response: { 200: view } }, config },
    async (request) => {
      const [found] = await readOrders(db, [request.params.id])
      if (!found) throw notFound('order', request.params.id)
      return withShipments(found)
    },
  )

  app.post(
    '/orders/:id/returns',
    {
      schema: {
        summary: 'Return some of it, or without lines the rest',
        tags,
        params,
        body: returnInput,
        response: { 200: givenBack },
      },
      config,
    },
    async (request) => {
      const { id: orderId } = request.params
      const { returnId, lines, reason } = request.body
      const options = commandOptions(request)
      if (returnId !== undefined) options.key ??= `return:${orderId}/${returnId}`
      const executed = await execute({ type: 'return', orderId, returnId, lines, reason }, options)
      return executed.answer as GivenBack
    },
  )

  app.post(
    '/orders/:id/cancel',
    {
      schema: {
        summary: 'Give back all it still has; again changes nothing',
        tags,
        params,
        body: cancelInput,
        response: { 200: givenBack },
      },
      config,
    },
    async (request) => {
      const command: Command = { type: 'cancel', orderId: request.params.id, reason: request.body?.reason }
      return (await execute(command, commandOptions(request))).answer as GivenBack
    },
  )
}

const withShipments = (order: OrderView) => ({ ...order, shipments: shipmentsOf(order.lines) })

const place = z.strictObject({
  orderId: z.string(),
  at: z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/),
})
