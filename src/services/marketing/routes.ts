/** `/marketing`: lists, who is on them and why, and their export. For ADMIN. */
import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import { type App, etag, ifMatch, limitQuery, notFound, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'
import { beginExport, exported, listExports, type Reveal } from './export.ts'
import { changeList, createList, deleteList, type MarketingList, membersOf, readList, readLists } from './lists.ts'
import { askedLists, knownCustomers, standingOf } from './membership.ts'
import { rule } from './rule.ts'

const tags = ['marketing']
const config = { roles: ['ADMIN'] }
const params = z.strictObject({ id: identifier })
const fields = {
  title: plainText(500).min(1, 'must not be empty'),
  description: plainText(10_000),
  /** What its members must have agreed to, as their consents name it. */
  purpose: plainText(50).regex(/^[a-zA-Z0-9][\w.:+-]*$/, 'must be one word, as consents name purposes'),
  rule: rule.nullable(),
}
const newList = z.strictObject({
  id: identifier.optional(),
  title: fields.title,
  description: fields.description.optional(),
  purpose: fields.purpose.optional(),
  rule: fields.rule.optional(),
})
const changed = z
  .strictObject(fields)
  .partial()
  .refine((given) => Object.keys(given).length > 0, 'must change something')

const list = z.object({
  id: z.string(),
  version: z.int(),
  title: z.string(),
  description: z.string(),
  purpose: z.string(),
  rule: z.any(),
  members: z.int(),
  evaluating: z.boolean(),
  createdAt: z.string(),
  updatedAt: z.string(),
})
const view = (kept: MarketingList): z.infer<typeof list> => ({
  ...kept,
  createdAt: kept.createdAt.toISOString(),
  updatedAt: kept.updatedAt.toISOString(),
})

const because = z.object({
  /** Known, and not erased. */
  active: z.boolean(),
  /** Agreed to the list's purpose. */
  consent: z.boolean(),
  /** Did not say no to e-mail about it. */
  byEmail: z.boolean(),
  /** The rule with what was found of the customer beside each condition; null without a rule. */
  rule: z.any(),
})
const exportView = z.object({
  id: z.string(),
  listId: z.string(),
  listVersion: z.int(),
  actor: z.string(),
  reason: z.string(),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
  customers: z.int(),
})

export function marketingRoutes(app: App, db: Database, log: Logger, reveal: Reveal): void {
  keeping(app, db)
  asking(app, db)
  exporting(app, db, log, reveal)
}

function keeping(app: App, db: Database): void {
  app.post(
    '/marketing/lists',
    { schema: { body: newList, response: { 201: list }, summary: 'Make a marketing list', tags }, config },
    async (request, reply) => {
      const { id = randomUUID(), ...given } = request.body
      const made = await createList(db, id, given)
      return reply.code(201).header('etag', etag(made.version)).send(view(made))
    },
  )
  app.get(
    '/marketing/lists',
    {
      schema: {
        querystring: z.strictObject(limitQuery()),
        response: { 200: pageSchema(list) },
        summary: 'All marketing lists, by id',
        tags,
      },
      config,
    },
    async ({ query: { limit, cursor } }) => {
      const rows = await readLists(db, placeIn(cursor, plainText(200)) ?? '', limit + 1)
      const { items, ...rest } = pageOf(rows, limit, (last) => last.id)
      return { items: items.map(view), ...rest }
    },
  )
  app.get(
    '/marketing/lists/:id',
    { schema: { params, response: { 200: list }, summary: 'A marketing list', tags }, config },
    async (request, reply) => {
      const found = await readList(db, request.params.id)
      return reply.header('etag', etag(found.version)).send(view(found))
    },
  )
  app.patch(
    '/marketing/lists/:id',
    {
      schema: {
        params,
        body: changed,
        response: { 200: list },
        summary: 'Change it; a new rule is asked of everybody, the many in the background (evaluating)',
        tags,
      },
      config,
    },
    async (request, reply) => {
      const after = await changeList(db, request.params.id, request.body, ifMatch(request))
      return reply.header('etag', etag(after.version)).send(view(after))
    },
  )
  app.delete(
    '/marketing/lists/:id',
    {
      schema: { params, response: { 204: z.undefined() }, summary: 'Delete it; its exports stay known', tags },
      config,
    },
    async (request, reply) => {
      await deleteList(db, request.params.id, ifMatch(request))
      return reply.code(204).send()
    },
  )
}

function asking(app: App, db: Database): void {
  app.get(
    '/marketing/lists/:id/members',
    {
      schema: {
        params,
        querystring: z.strictObject(limitQuery(100, 1_000)),
        response: { 200: pageSchema(z.object({ customerId: z.string(), since: z.string() })) },
        summary: 'Who is on it, by id: only those who agreed to its purpose',
        tags,
      },
      config,
    },
    async ({ params: { id }, query: { limit, cursor } }) => {
      const { id: listId } = await readList(db, id)
      const rows = await membersOf(db, listId, placeIn(cursor, plainText(200)) ?? '', limit + 1)
      const { items, ...rest } = pageOf(rows, limit, (last) => last.customerId)
      return { items: items.map((row) => ({ ...row, since: row.since.toISOString() })), ...rest }
    },
  )
  app.get(
    '/marketing/lists/:id/members/:customerId',
    {
      schema: {
        params: params.extend({ customerId: identifier }),
        response: { 200: z.object({ customerId: z.string(), member: z.boolean(), because }) },
        summary: 'Why a customer is on it, or is not',
        tags,
      },
      config,
    },
    async ({ params: { id, customerId } }) => {
      const asked = await readList(db, id)
      const [known] = await knownCustomers(db, [customerId])
      if (!known) throw notFound('customer', customerId)
      const { member, because } = standingOf(asked, known, Date.now())
      return { customerId, member, because }
    },
  )
  app.get(
    '/marketing/customers/:customerId',
    {
      schema: {
        params: z.strictObject({ customerId: identifier }),
        response: {
          200: z.object({
            customerId: z.string(),
            facts: z.any(),
            lists: z.array(z.object({ id: z.string(), member: z.boolean(), because })),
          }),
        },
        summary: 'What marketing knows of a customer, and where that leads',
        tags,
      },
      config,
    },
    async ({ params: { customerId } }) => {
      const [known] = await knownCustomers(db, [customerId])
      if (!known) throw notFound('customer', customerId)
      const now = Date.now()
      const lists = (await askedLists(db)).map((one) => {
        const { member, because } = standingOf(one, known, now)
        return { id: one.id, member, because }
      })
      return { customerId, facts: known.facts, lists }
    },
  )
}

function exporting(app: App, db: Database, log: Logger, reveal: Reveal): void {
  app.post(
    '/marketing/lists/:id/export',
    {
      schema: {
        params,
        body: z.strictObject({ reason: plainText(500).trim().min(1, 'must say what it is for') }),
        summary: 'Its addresses as CSV; that they were taken out, by whom and for what, is kept',
        tags,
      },
      config,
    },
    async (request, reply) => {
      const found = await readList(db, request.params.id)
      if (found.evaluating)
        throw new Rejected('list-evaluating', { id: found.id }, `the list ${found.id} has customers left to ask`)
      const actor = request.actor?.subject ?? 'unknown'
      const exportId = await beginExport(db, found, actor, request.body.reason)
      log.info({ export: exportId, list: found.id, actor }, 'the addresses of a marketing list are taken out')
      return reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename="marketing-list.csv"`)
        .header('cache-control', 'no-store')
        .header('x-export-id', exportId)
        .send(Readable.from(exported(db, reveal, found, exportId)))
    },
  )
  app.get(
    '/marketing/exports',
    {
      schema: {
        querystring: z.strictObject(limitQuery()),
        response: { 200: pageSchema(exportView) },
        summary: 'Who took addresses out, of which list and for what; the newest first',
        tags,
      },
      config,
    },
    async ({ query: { limit, cursor } }) => {
      const rows = await listExports(db, placeIn(cursor, z.uuid()), limit + 1)
      const { items, ...rest } = pageOf(rows, limit, (last) => last.id)
      return {
        items: items.map((row) => ({
          ...row,
          startedAt: row.startedAt.toISOString(),
          finishedAt: row.finishedAt?.toISOString() ?? null,
        })),
        ...rest,
      }
    },
  )
}
