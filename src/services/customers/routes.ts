/** Customers over HTTP. All of it is for ADMIN: what is answered is personal. */
import { randomUUIDv7 } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type Data, syncToken } from '../../engine/event.ts'
import type { Executor } from '../../engine/executor.ts'
import { type App, commandOptions, etag, limitQuery, notFound, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { customerEntity, customerId, email, normalPatch, normalPerson, personInput, personPatch } from './customer.ts'
import type { CustomersCommand } from './decider.ts'
import { customer, person, preferences } from './events.ts'
import { normalPreferences, preferencesInput } from './preferences.ts'
import * as read from './read.ts'
import { newKey } from './seal.ts'

const tags = ['customers']
const config = { roles: ['ADMIN'] }
const params = z.strictObject({ id: customerId })
const { name, email: address, phone, addresses } = person.shape
const view = customer.omit({ sealed: true }).extend({
  name: name.nullable(),
  email: address.nullable(),
  phone,
  addresses: addresses.nullable(),
  version: z.int(),
  syncToken: z.string(),
})
const newCustomer = personInput.extend({ id: customerId.optional(), preferences: preferencesInput.optional() })
const answered = { 200: view }
const entry = z.object({
  version: z.int(),
  type: z.string(),
  at: z.iso.datetime(),
  actor: z.string().nullable(),
  correlationId: z.string().nullable(),
  fields: z.array(z.string()).nullable(),
  changes: z.array(z.object({ field: z.string(), oldValue: z.unknown(), newValue: z.unknown() })).nullable(),
})

export function customersRoutes(app: App, db: Database, execute: Executor<CustomersCommand>['execute']): void {
  writing(app, db, execute)
  reading(app, db)
}

/** Every write answers with the customer it made, its version as ETag and its sync token. */
function writing(app: App, db: Database, execute: Executor<CustomersCommand>['execute']): void {
  app.post(
    '/customers',
    { schema: { summary: 'Create a customer', tags, body: newCustomer, response: { 201: view } }, config },
    async (request, reply) => {
      const { id = randomUUIDv7(), preferences = {}, ...given } = request.body
      const options = commandOptions(request, customerEntity(id))
      // Sent again without an id, it is the same request although the id and the key made up for it are others.
      const fingerprint = `create ${JSON.stringify(request.body)}`
      const { answer } = await execute(
        {
          type: 'create',
          customerId: id,
          person: normalPerson(given),
          preferences: normalPreferences(preferences),
          key: newKey(),
        },
        { ...options, fingerprint },
      )
      reply.code(201).header('location', `/v1/customers/${encodeURIComponent(answer.id)}`)
      return written(db, reply, answer)
    },
  )

  app.patch(
    '/customers/:id',
    {
      schema: {
        summary: 'Change name, e-mail, phone or addresses',
        tags,
        params,
        body: personPatch,
        response: answered,
      },
      config,
    },
    async (request, reply) => {
      const { id } = request.params
      const { answer } = await execute(
        { type: 'update', customerId: id, fields: normalPatch(request.body) },
        commandOptions(request, customerEntity(id)),
      )
      return written(db, reply, answer)
    },
  )

  app.put(
    '/customers/:id/preferences',
    {
      schema: { summary: 'Set all preferences and consents', tags, params, body: preferencesInput, response: answered },
      config,
    },
    async (request, reply) => {
      const { id } = request.params
      const { answer } = await execute(
        { type: 'prefer', customerId: id, preferences: normalPreferences(request.body) },
        commandOptions(request, customerEntity(id)),
      )
      return written(db, reply, answer)
    },
  )

  app.post(
    '/customers/:id/erase',
    {
      schema: {
        summary: 'Make all that is personal unreadable, for good, in every event as well',
        tags,
        params,
        body: z.strictObject({}).nullish(),
        response: answered,
      },
      config,
    },
    async (request, reply) => {
      const { id } = request.params
      const { answer } = await execute({ type: 'erase', customerId: id }, commandOptions(request, customerEntity(id)))
      return written(db, reply, answer)
    },
  )
}

async function written(db: Database, reply: FastifyReply, { id, version }: Data) {
  const found = await read.readWritten(db, id, version)
  if (!found) throw notFound('customer', id)
  reply.header('etag', etag(found.version))
  return found
}

function reading(app: App, db: Database): void {
  app.get(
    '/customers/:id',
    { schema: { summary: 'A customer', tags, params, response: answered }, config },
    async (request, reply) => {
      const found = await read.readCustomer(db, request.params.id)
      if (!found) throw notFound('customer', request.params.id)
      reply.header('etag', etag(found.version))
      return found
    },
  )

  app.get(
    '/customers',
    {
      schema: {
        summary: 'Customers by id, or the one with an e-mail address',
        tags,
        querystring: z.strictObject({ email: email.optional(), ...limitQuery() }),
        response: { 200: pageSchema(view) },
      },
      config,
    },
    async (request) => {
      const { email, limit, cursor } = request.query
      const rows = await read.listCustomers(db, { email, after: placeIn(cursor, customerId), limit: limit + 1 })
      return pageOf(rows, limit, ({ id }) => id)
    },
  )

  app.get(
    '/customers/:id/preferences',
    {
      schema: {
        summary: 'What it wants to be told and how, what its user interface remembers, and what it agreed to',
        tags,
        params,
        response: { 200: preferences },
      },
      config,
    },
    async (request, reply) => {
      const found = await read.readCustomer(db, request.params.id)
      if (!found) throw notFound('customer', request.params.id)
      reply.header('etag', etag(found.version))
      return found.preferences
    },
  )

  app.get(
    '/customers/:id/history',
    {
      schema: {
        summary: 'Who changed which of its fields, and when; newest last',
        tags,
        params,
        querystring: z.strictObject({ after: versionNumber.default(0), limit: limitQuery(100, 1_000).limit }),
        response: { 200: z.object({ items: z.array(entry), next: z.int().optional() }) },
      },
      config,
    },
    async (request) => {
      const { after, limit } = request.query
      const rows = await read.readHistory(db, request.params.id, after, limit + 1)
      if (rows.length === 0 && after === 0) throw notFound('customer', request.params.id)
      const items = rows.slice(0, limit).map((row) => ({ ...row, at: row.at.toISOString() }))
      return { items, ...(rows.length > limit && { next: items.at(-1)?.version }) }
    },
  )

  app.get(
    '/customers/:id/versions/:version',
    {
      schema: {
        summary: 'As it was at a version; without what is personal once it is erased',
        tags,
        params: params.extend({ version: versionNumber }),
        response: answered,
      },
      config,
    },
    async (request) => {
      const { id, version } = request.params
      const found = await read.readCustomerAt(db, id, version)
      if (!found) throw notFound('version', syncToken(customerEntity(id), version))
      return found
    },
  )
}

const versionNumber = z.coerce
  .number({ error: 'must be a whole number' })
  .int('must be a whole number')
  .min(0, 'must not be negative')
  .max(Number.MAX_SAFE_INTEGER, 'is too large')
