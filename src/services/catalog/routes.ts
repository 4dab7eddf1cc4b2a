/** The catalog over HTTP. */
import { randomUUIDv7 } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type Data, syncToken } from '../../engine/event.ts'
import type { CommandOptions, Executor } from '../../engine/executor.ts'
import {
  type App,
  commandOptions,
  etag,
  limitQuery,
  notFound,
  type Page,
  pageOf,
  pageSchema,
  placeIn,
} from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'
import type { Changed } from './change.ts'
import type { CatalogCommand } from './decider.ts'
import type { Details } from './details.ts'
import { fieldChange, product, type Variant, variant } from './events.ts'
import { normalFields, normalProduct, productEntity, productInput, productPatch, type StockCount } from './product.ts'
import * as read from './read.ts'

const tags = ['products']
const admin = { roles: ['ADMIN'] }
const params = z.strictObject({ id: identifier })
const view = product.extend({ version: z.int(), syncToken: z.string() })
type View = z.infer<typeof view>
/** With every owner's entity, its version and sync token, when others than the catalog were asked to change something. */
const changed = view.extend({
  changes: z.array(z.object({ entity: z.string(), version: z.int(), syncToken: z.string() })).optional(),
})
const entry = z.object({
  version: z.int(),
  type: z.string(),
  at: z.iso.datetime(),
  correlationId: z.string().nullable(),
  changes: z.array(fieldChange).nullable(),
})

/** Changes a product and what is on hand of its SKUs. */
export type Change = (
  command: Extract<CatalogCommand, { type: 'update' }>,
  counts: StockCount[],
  options: CommandOptions,
) => Promise<Changed>

export function catalogRoutes(
  app: App,
  db: Database,
  details: Details,
  execute: Executor<CatalogCommand>['execute'],
  change: Change,
): void {
  writing(app, db, execute, change)
  reading(app, db, details)
}

/** Every write answers with the product it made, its version as ETag and its sync token. */
function writing(app: App, db: Database, execute: Executor<CatalogCommand>['execute'], change: Change): void {
  app.post(
    '/products',
    { schema: { summary: 'Create a product', tags, body: productInput, response: { 201: view } }, config: admin },
    async (request, reply) => {
      const id = request.body.id ?? randomUUIDv7()
      const options = commandOptions(request, productEntity(id))
      // Sent again without an id, it is the same request although the id made up for it is another.
      const fingerprint = `create ${JSON.stringify(request.body)}`
      const { answer } = await execute(
        { type: 'create', product: normalProduct({ ...request.body, id }) },
        { ...options, fingerprint },
      )
      reply.code(201).header('location', `/v1/products/${encodeURIComponent(answer.id)}`)
      return sendWritten(db, reply, answer)
    },
  )

  app.patch(
    '/products/:id',
    {
      schema: {
        summary: 'Change any of its fields, and what is on hand of its SKUs: all of it or nothing',
        tags,
        params,
        body: productPatch,
        response: { 200: changed },
      },
      config: admin,
    },
    async (request, reply) => {
      const { id } = request.params
      const { stock, ...patch } = request.body
      if (stock) {
        const command = { type: 'update', productId: id, fields: normalFields(patch) } as const
        const done = await change(command, stock, commandOptions(request, productEntity(id)))
        const entities = Object.entries(done.versions)
        return sendWritten(db, reply, done, {
          changes: entities.map(([entity, version]) => ({ entity, version, syncToken: syncToken(entity, version) })),
        })
      }
      const { answer } = await execute(
        { type: 'update', productId: id, fields: normalFields(patch) },
        commandOptions(request, productEntity(id)),
      )
      return sendWritten(db, reply, answer)
    },
  )

  app.delete(
    '/products/:id',
    { schema: { summary: 'Delete a product', tags, params, response: { 204: z.undefined() } }, config: admin },
    async (request, reply) => {
      const { id } = request.params
      await execute({ type: 'delete', productId: id }, commandOptions(request, productEntity(id)))
      return reply.code(204).send()
    },
  )

  app.post(
    '/products/availability',
    {
      schema: {
        summary: 'Make many products available or unavailable, all or none',
        tags,
        body: availabilityBody,
        response: { 200: availabilityAnswer },
      },
      config: admin,
    },
    async (request) => {
      const { updates } = request.body
      const command: CatalogCommand = { type: 'set-availability', by: 'vendor', updates }
      const { answer, versions } = await execute(command, commandOptions(request))
      const { updated, unchanged } = answer as { updated: string[]; unchanged: string[] }
      const syncTokens = Object.entries(versions).map(([entity, version]) => syncToken(entity, version))
      return { updated, unchanged, syncTokens }
    },
  )
}

const availabilityBody = z.strictObject({
  updates: z
    .array(z.strictObject({ productId: identifier, isAvailable: z.boolean() }))
    .min(1, 'must name at least one product')
    .max(1_000, 'must name at most 1000 products')
    .superRefine((updates, context) => {
      const seen = new Set<string>()
      for (const [at, { productId }] of updates.entries()) {
        if (seen.has(productId))
          context.addIssue({ code: 'custom', path: [at, 'productId'], message: 'is given twice' })
        seen.add(productId)
      }
    }),
})
const availabilityAnswer = z.object({
  updated: z.array(z.string()),
  unchanged: z.array(z.string()),
  syncTokens: z.array(z.string()),
})

/** Answers are made as text (read.ts); to Fastify's types they are what the text says. */
const json = <Answer>(reply: FastifyReply, text: string) =>
  reply.type('application/json; charset=utf-8').send(text) as unknown as Answer

async function sendWritten(db: Database, reply: FastifyReply, { id, version }: Data, more: object = {}): Promise<View> {
  const written = await read.readWritten(db, id, version)
  if (!written) throw notFound('product', id) // made, and deleted since by somebody else
  reply.header('etag', etag(written.version))
  return json(reply, read.productJson(written, more))
}

function reading(app: App, db: Database, details: Details): void {
  app.get(
    '/products/:id',
    { schema: { summary: 'A product', tags, params, response: { 200: view, 304: z.undefined() } } },
    async (request, reply) => {
      const found = await details.read(request.params.id)
      if (!found) throw notFound('product', request.params.id)
      reply.header('etag', etag(found.version))
      if (isFresh(request.headers['if-none-match'], found.version)) return reply.code(304).send(undefined)
      return json<View>(reply, read.productJson(found))
    },
  )

  app.get(
    '/products',
    { schema: { summary: 'Products by id', tags, querystring: listQuery, response: { 200: pageSchema(view) } } },
    async (request, reply) => {
      const { limit, cursor, ...filter } = request.query
      const rows = await read.listProducts(db, filter, placeIn(cursor, identifier), limit + 1)
      const { items, next } = pageOf(rows, limit, ({ id }) => id)
      const list = items.map((item) => read.productJson(item)).join(',')
      return json<Page<View>>(
        reply,
        `{"items":[${list}]${next === undefined ? '' : `,"next":${JSON.stringify(next)}`}}`,
      )
    },
  )

  app.get(
    '/products/:id/variants',
    { schema: { summary: 'Its variants', tags, params, response: { 200: z.object({ items: z.array(variant) }) } } },
    async (request, reply) => {
      const variants = await read.readVariants(db, request.params.id)
      if (variants === undefined) throw notFound('product', request.params.id)
      return json<{ items: Variant[] }>(reply, `{"items":${variants}}`)
    },
  )

  app.get(
    '/products/:id/history',
    {
      schema: {
        summary: 'What happened to it, newest last',
        tags,
        params,
        querystring: z.strictObject({ after: versionNumber.default(0), limit: limitQuery(100, 1_000).limit }),
        response: { 200: z.object({ items: z.array(entry), next: z.int().optional() }) },
      },
    },
    async (request) => {
      const { after, limit } = request.query
      const rows = await read.readHistory(db, request.params.id, after, limit + 1)
      if (rows.length === 0 && after === 0) throw notFound('product', request.params.id)
      const items = rows.slice(0, limit).map((row) => ({ ...row, at: row.at.toISOString() }))
      return { items, ...(rows.length > limit && { next: items.at(-1)?.version }) }
    },
  )

  app.get(
    '/products/:id/versions/:version',
    {
      schema: {
        summary: 'As it was at a version',
        tags,
        params: params.extend({ version: versionNumber }),
        response: { 200: view.extend({ type: z.string(), at: z.iso.datetime() }) },
      },
    },
    async (request, reply) => {
      const { id, version } = request.params
      const found = await read.readProductAt(db, id, version)
      if (!found) throw notFound('version', syncToken(productEntity(id), version))
      return json<View & { type: string; at: string }>(
        reply,
        read.productJson(found, { type: found.type, at: found.at }),
      )
    },
  )
}

const listQuery = z.strictObject({
  status: product.shape.status.optional(),
  vendor: plainText(200).optional(),
  category: plainText(200).optional(),
  ...limitQuery(),
})

const versionNumber = z.coerce
  .number({ error: 'must be a whole number' })
  .int('must be a whole number')
  .min(0, 'must not be negative')
  .max(Number.MAX_SAFE_INTEGER, 'is too large')

/** Does `If-None-Match` name this version (weak tags count, as RFC 9110 has it for reads)? */
const isFresh = (header = '', version: number) =>
  header === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag(version))
