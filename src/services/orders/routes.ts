/** Orders over HTTP. */
import { randomUUIDv7 } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { syncToken } from '../../engine/event.ts'
import type { Executor } from '../../engine/executor.ts'
import { type App, commandOptions, etag, limitQuery, notFound, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { identifier, plainText, quantity } from '../../engine/text.ts'
import { givenMoney, money } from '../catalog/events.ts'
import { buyersOf, type Open } from './buyers.ts'
import type { OrderAnswer, OrdersCommand } from './commands.ts'
import { orderEntity } from './decider.ts'
import { order as orderContract, orderLine, orderStatus } from './events.ts'
import { listOrders, readOrder, shipmentsOf, viewOf } from './read.ts'

const tags = ['orders']
const config = { roles: ['ADMIN'] }
const params = z.strictObject({ id: identifier })
const reason = plainText(500).optional()

const lines = <Line extends z.ZodRawShape>(more: Line) =>
  z
    .array(z.strictObject({ sku: identifier, quantity, ...more }))
    .min(1, 'must have at least one line')
    .max(500, 'must have at most 500 lines')
const input = z.strictObject({
  orderId: identifier.optional(),
  customerId: identifier.optional(),
  /** Without a unit price: what it costs now. */
  lines: lines({ unitPrice: givenMoney.nullable().optional() }),
  imported: z.boolean().optional(),
})
const returnInput = z.strictObject({ returnId: identifier.optional(), lines: lines({}).optional(), reason })
const cancelInput = z.strictObject({ reason }).nullish()
const statusInput = z.strictObject({ status: z.enum(['paid', 'fulfilled']), reason })

const allocations = orderLine.shape.allocations
const shipments = z.array(
  z.object({ warehouseId: z.string(), lines: z.array(z.object({ sku: z.string(), quantity: z.int() })) }),
)
const answeredLine = z.object({
  sku: z.string(),
  productId: z.string().nullable().optional(),
  quantity: z.int(),
  unitPrice: money.nullable().optional(),
  allocations,
})
const answer = z.object({
  orderId: z.string(),
  status: orderStatus,
  customerId: z.string().optional(),
  returnId: z.string().optional(),
  lines: z.array(answeredLine),
  totals: z.array(money).optional(),
})
const token = { version: z.int().optional(), syncToken: z.string().optional() }
const placed = answer.extend({ ...token, shipments })
const view = orderContract.omit({ id: true, createdAt: true, lines: true }).extend({
  orderId: z.string(),
  placedAt: z.string(),
  lines: z.array(orderLine.extend({ ordered: z.int() })),
  shipments,
  /** The customer as last seen; null when orders never saw one of that id. What is personal is null once erased. */
  customer: z
    .object({
      id: z.string(),
      status: z.enum(['active', 'erased']),
      version: z.int(),
      name: z.string().nullable(),
      email: z.string().nullable(),
      phone: z.string().nullable(),
    })
    .nullable(),
  version: z.int(),
  syncToken: z.string(),
})

export function ordersRoutes(app: App, db: Database, execute: Executor<OrdersCommand>['execute'], open: Open): void {
  writing(app, execute)
  reading(app, db, open)
}

function writing(app: App, execute: Executor<OrdersCommand>['execute']): void {
  const carryOut = async (command: OrdersCommand, options: Parameters<typeof execute>[1]) => {
    const executed = await execute(command, options)
    const entity = orderEntity(command.orderId)
    const version = executed.versions[entity] // none: nothing changed
    const told = version === undefined ? {} : { version, syncToken: syncToken(entity, version) }
    return { ...(executed.answer as OrderAnswer), ...told }
  }

  app.post(
    '/orders',
    {
      schema: {
        summary: 'Place an order: all lines or none',
        description:
          'A line of what is a draft or archived is refused with 409 `inactive-sku`, whatever price it names, unless the order is `imported`: made elsewhere ' +
          'or long ago, it is kept as it was.',
        tags,
        body: input,
        response: { 201: placed },
      },
      config,
    },
    async (request, reply) => {
      const { orderId = randomUUIDv7(), customerId, lines, imported = false } = request.body
      const options = commandOptions(request)
      // An order with an id of its own may be sent again without a key: the same order gets the same answer.
      if (request.body.orderId !== undefined) options.key ??= `order:${orderId}`
      const fingerprint = `order ${JSON.stringify(request.body)}`
      const command: OrdersCommand = {
        type: 'place',
        orderId,
        lines,
        ...(customerId !== undefined && { customerId }),
        ...(imported && { imported }),
      }
      const executed = await execute(command, { ...options, fingerprint })
      const order = executed.answer as OrderAnswer
      const entity = orderEntity(order.orderId)
      const version = executed.versions[entity]
      reply.code(201).header('location', `/v1/orders/${encodeURIComponent(order.orderId)}`)
      const told = version === undefined ? {} : { version, syncToken: syncToken(entity, version) }
      return { ...order, shipments: shipmentsOf(order.lines), ...told }
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
        response: { 200: answer.extend(token) },
      },
      config,
    },
    (request) => {
      const { id: orderId } = request.params
      const options = commandOptions(request, orderEntity(orderId))
      if (request.body.returnId !== undefined) options.key ??= `return:${orderId}/${request.body.returnId}`
      return carryOut({ type: 'return', orderId, ...request.body }, options)
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
        response: { 200: answer.extend(token) },
      },
      config,
    },
    (request) => {
      const { id: orderId } = request.params
      return carryOut({ type: 'cancel', orderId, ...request.body }, commandOptions(request, orderEntity(orderId)))
    },
  )

  app.post(
    '/orders/:id/status',
    {
      schema: {
        summary: 'Say that it was paid, or sent; again changes nothing',
        tags,
        params,
        body: statusInput,
        response: { 200: answer.extend(token) },
      },
      config,
    },
    (request) => {
      const { id: orderId } = request.params
      return carryOut({ type: 'mark', orderId, ...request.body }, commandOptions(request, orderEntity(orderId)))
    },
  )
}

const instant = z.iso.datetime({ offset: true, error: 'must be a time like 2026-01-31T12:00:00Z' }).optional()
const filter = { status: orderStatus.optional(), from: instant, to: instant }
const place = z.strictObject({
  id: z.string(),
  at: z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$/),
})

function reading(app: App, db: Database, open: Open): void {
  const page = async (query: z.infer<typeof listQuery>, customerId = query.customerId) => {
    const { limit, cursor, status, from, to } = query
    const rows = await listOrders(db, { status, customerId, from, to }, placeIn(cursor, place), limit + 1)
    const { items, next } = pageOf(rows, limit, (last) => last.place)
    const buyers = await buyersOf(
      db,
      items.map(({ order }) => order.customerId),
      open,
    )
    return { items: items.map((item) => viewOf(item, buyers)), ...(next !== undefined && { next }) }
  }

  app.get(
    '/orders',
    {
      schema: { summary: 'The latest orders', tags, querystring: listQuery, response: { 200: pageSchema(view) } },
      config,
    },
    (request) => page(request.query),
  )

  app.get(
    '/customers/:id/orders',
    {
      schema: {
        summary: 'A customer’s orders, newest first',
        tags,
        params,
        querystring: listQuery.omit({ customerId: true }),
        response: { 200: pageSchema(view) },
      },
      config,
    },
    (request) => page(request.query, request.params.id),
  )

  app.get(
    '/orders/:id',
    {
      schema: {
        summary: 'An order: its lines, what was returned of it, and how it came to stand where it does',
        tags,
        params,
        response: { 200: view },
      },
      config,
    },
    async (request, reply) => {
      const found = await readOrder(db, request.params.id)
      if (!found) throw notFound('order', request.params.id)
      reply.header('etag', etag(found.version))
      return viewOf(found, await buyersOf(db, [found.order.customerId], open))
    },
  )
}

const listQuery = z.strictObject({ ...filter, customerId: identifier.optional(), ...limitQuery() })
