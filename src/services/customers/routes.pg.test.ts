import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { openAuth } from '../../app/http/auth.ts'
import { engineRoutes } from '../../app/http/engine-routes.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import { projection } from '../../engine/consumer.ts'
import type { App } from '../../engine/http.ts'
import type { Service } from '../../engine/service.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { type CustomersService, customersService } from './service.ts'

/** Somebody who follows customers. */
const follower = projection({ name: 'lists', on: ['customer.*'], apply: async () => {}, reset: async () => {} })
const lists: Service<App> = { name: 'lists', consumers: [follower] }

let engine: TestEngine
let customers: CustomersService
let app: App
let token: string
let nobody: string
const logged: string[] = []

beforeAll(async () => {
  const made = await testEngine(
    (await createTestDatabase()).url,
    (engine) => [customersService(engine), lists] as const,
  )
  engine = made.engine
  customers = made.services[0]
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
  const parts = { settings: httpDefaults, auth, log, metrics: new Registry(), version: '0' }
  const sync = { name: 'engine', routes: engineRoutes(engine, auth, { faults: false }) }
  app = await buildServer({ ...parts, services: [...made.services, sync] })
  token = await auth.issueToken({ role: 'ADMIN', subject: 'tester', ttlSeconds: 600 })
  nobody = await auth.issueToken({ role: 'product-service', subject: 'other', ttlSeconds: 600 })
})
afterAll(async () => {
  await app.close()
  await engine.close()
})

type Method = 'GET' | 'POST' | 'PATCH' | 'PUT'
async function call(method: Method, url: string, body?: object, headers: Record<string, string> = {}) {
  const reply = await app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(body && { payload: body }),
  })
  return { status: reply.statusCode, headers: reply.headers, body: reply.body === '' ? undefined : reply.json() }
}

let made = 0
const input = (fields: object = {}) => ({ name: 'Ida Holm', email: `ida${++made}@example.com`, ...fields })
const create = async (fields: object = {}) => (await call('POST', '/customers', input(fields))).body

describe('creating', () => {
  test('answers the customer with its place, its tag and its token', async () => {
    const address = { lines: ['Kaj 3'], city: 'Malmö', country: 'SE' }
    const body = input({ id: 'c 1', email: 'Ida@Example.COM', phone: '+46 40 123-456', addresses: [address] })
    const { status, headers, body: customer } = await call('POST', '/customers', body)
    expect([status, headers.etag, headers.location]).toEqual([201, '"1"', '/v1/customers/c%201'])
    expect(customer).toMatchObject({ id: 'c 1', status: 'active', version: 1, syncToken: 'customer/c 1@1' })
    expect(customer).toMatchObject({ email: 'Ida@example.com', phone: '+4640123456', addresses: [address] })
    expect((await call('GET', '/customers/c%201')).body).toEqual(customer)
  })

  test('without an id makes one up, and the same request sent again answers the same customer', async () => {
    const body = input({ preferences: { locale: 'de-ch', consents: { marketing: given } } })
    const key = { 'idempotency-key': 'once' }
    const [first, again] = [await call('POST', '/customers', body, key), await call('POST', '/customers', body, key)]
    expect(first.body.preferences).toMatchObject({ locale: 'de-CH', consents: { marketing: given } })
    expect(again).toMatchObject({ status: 201, body: first.body })
    expect((await call('POST', '/customers', input(), key)).body.type).toBe('/problems/idempotency-key-reused')
  })

  test('is for those who may, with an address that nobody has', async () => {
    const { id, email } = await create()
    expect((await call('POST', '/customers', input(), { authorization: `Bearer ${nobody}` })).status).toBe(403)
    expect((await call('POST', '/customers', input({ id }))).body.type).toBe('/problems/already-exists')
    const taken = (await call('POST', '/customers', input({ email: email.toUpperCase() }))).body
    expect(taken).toMatchObject({ status: 409, type: '/problems/email-taken', customerId: id })
    expect((await call('POST', '/customers', input({ vip: true }))).body.errors).toMatchObject([{ field: 'vip' }])
  })
})

const given = { granted: true, source: 'web', textVersion: '2026-01' }

describe('changing', () => {
  test('answers the next version, and what changes nothing the same one', async () => {
    const { id } = await create()
    const changed = await call('PATCH', `/customers/${id}`, { name: 'Ida Berg' }, { 'if-match': '"1"' })
    expect(changed).toMatchObject({ status: 200, body: { name: 'Ida Berg', version: 2 } })
    expect((await call('PATCH', `/customers/${id}`, { name: 'Ida Berg' })).body.version).toBe(2)
    expect((await call('PATCH', `/customers/${id}`, { name: 'Late' }, { 'if-match': '"1"' })).status).toBe(412)
    expect((await call('PATCH', `/customers/${id}`, {})).status).toBe(422)
    expect((await call('PATCH', '/customers/nobody', { name: 'x' })).status).toBe(404)
  })

  test('an address given up is free for the next', async () => {
    const { id, email } = await create()
    expect((await call('PATCH', `/customers/${id}`, { email: 'moved@example.com' })).status).toBe(200)
    const next = await create({ email })
    expect((await call('PATCH', `/customers/${next.id}`, { email: 'MOVED@example.com' })).status).toBe(409)
    expect((await call('GET', '/customers?email=moved@EXAMPLE.com')).body.items).toMatchObject([{ id, version: 2 }])
    expect((await call('GET', '/customers?email=nobody@example.com')).body.items).toEqual([])
  })

  test('preferences are set as a whole, and a consent said again keeps its time', async () => {
    const { id } = await create()
    const put = (body: object) => call('PUT', `/customers/${id}/preferences`, body)
    const wanted = { channels: { marketing: ['sms', 'email'], low_stock: 'none' }, ui: { theme: 'dark' } }
    const first = (await put({ ...wanted, consents: { marketing: given } })).body
    expect(first.preferences.channels).toEqual({ marketing: ['email', 'sms'], low_stock: [] })
    const second = (await put({ consents: { marketing: given } })).body
    expect(second).toMatchObject({ version: 3, preferences: { channels: {}, ui: {}, locale: null } })
    expect(second.preferences.consents).toEqual(first.preferences.consents)
    const { body, headers } = await call('GET', `/customers/${id}/preferences`)
    expect([body, headers.etag]).toEqual([second.preferences, '"3"'])
    expect((await call('GET', '/customers/nobody/preferences')).status).toBe(404)
    expect((await put({ channels: { gossip: ['email'] } })).status).toBe(422)
    const { items } = (await call('GET', `/customers/${id}/history?after=1`)).body
    expect(items[0]).toMatchObject({ type: 'customer.preferences.updated', actor: 'tester', fields: null })
    expect(items[0].changes[0]).toEqual({ field: 'channels.marketing', oldValue: null, newValue: ['email', 'sms'] })
  })
})

describe('reading', () => {
  test('a list is paged without a gap or a repetition', async () => {
    const ids = ['p1', 'p2', 'p3', 'p4', 'p5']
    for (const id of ids) await create({ id })
    const seen: string[] = []
    let next: string | undefined
    do {
      const page = (await call('GET', `/customers?limit=3${next ? `&cursor=${next}` : ''}`)).body
      seen.push(...page.items.map(({ id }: { id: string }) => id))
      next = page.next
    } while (next)
    expect(seen.filter((id) => ids.includes(id))).toEqual(ids)
    expect(new Set(seen).size).toBe(seen.length)
  })

  test('every route is for ADMIN alone', async () => {
    const { id } = await create()
    const own = app.routeTable.filter(({ url, method }) => url.startsWith('/customers') && method !== 'HEAD')
    expect(own.length).toBeGreaterThanOrEqual(8)
    for (const { roles } of own) expect(roles).toEqual(['ADMIN'])
    const reply = await call('GET', `/customers/${id}`, undefined, { authorization: `Bearer ${nobody}` })
    expect(reply.status).toBe(403)
  })
})

describe('sync status', () => {
  test('tells who has a customer’s change, and why not, to ADMIN alone', async () => {
    const { id } = await create()
    const status = (query = '') => call('GET', `/customers/${id}/sync-status${query}`)
    expect((await status()).body).toEqual({ overallStatus: 'processing', services: { lists: 'pending' } })
    await engine.settle()
    expect((await status('?version=1')).body).toEqual({ overallStatus: 'completed', services: { lists: 'done' } })
    await call('PATCH', `/customers/${id}`, { name: 'Ida Falk' })
    const detail = (await status('?detail=true')).body
    expect(detail).toMatchObject({ customerId: id, version: 2, detail: { lists: { pendingType: 'customer.updated' } } })
    expect((await status('?version=3')).status).toBe(404)
    expect((await call('GET', '/customers/nobody/sync-status')).status).toBe(404)
    const other = await call('GET', `/customers/${id}/sync-status`, undefined, { authorization: `Bearer ${nobody}` })
    expect(other.status).toBe(403)
    expect((await call('POST', `/customers/${id}/sync-retry`, {})).body).toEqual({ retried: 0 })
  })

  test('of a product with a customer’s id is not the customer’s', async () => {
    const { id } = await create()
    expect((await call('GET', `/products/${id}/sync-status`)).status).toBe(404)
  })
})

/** Every row of every table of the database, as text. */
async function everything(): Promise<string> {
  const tables = await engine.db<{ name: string }>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`
  const rows: unknown[] = []
  for (const { name } of tables) rows.push(await engine.db.text(`select t::text from ${name} t`, []))
  return JSON.stringify(rows)
}

describe('erasing', () => {
  const person = {
    name: 'Wilhelmina Oberholzer',
    email: 'wilhelmina.oberholzer@privat.example',
    phone: '+41791234567',
    addresses: [
      { recipient: 'Fam. Oberholzer', lines: ['Enzianweg 77'], postalCode: '3906', city: 'Saas-Fee', country: 'CH' },
    ],
  }
  const values = [
    'Wilhelmina',
    'Oberholzer',
    'privat.example',
    '41791234567',
    'Enzianweg',
    '3906"',
    'Saas-Fee',
    'Matterhorn',
  ]

  test('leaves no personal value in a table, an event, an answer kept or a log line, and before it none is in the clear', async () => {
    const headers = { 'idempotency-key': 'wilhelmina' }
    const body = { ...person, id: 'wilhelmina', preferences: { consents: { marketing: given } } }
    const first = await call('POST', '/customers', body, headers)
    expect(first.body).toMatchObject(person)
    await call('PATCH', '/customers/wilhelmina', { name: 'Wilhelmina Matterhorn' }, { 'idempotency-key': 'renamed' })
    await call('GET', `/customers?email=${person.email}`)
    await call('POST', '/customers', { ...person, id: 'other' })
    await call('POST', '/customers', { ...person, id: 'other', email: 'Wilhelmina@Oberholzer' })
    expect((await call('GET', '/customers/wilhelmina/versions/1')).body).toMatchObject(person)
    const before = await everything()
    expect(values.filter((value) => before.includes(value))).toEqual([])
    const [key] = await engine.db<{ key: string }>`select key from customers.keys where customer_id = 'wilhelmina'`
    expect(before).toContain(key?.key)

    const erased = await call('POST', '/customers/wilhelmina/erase')
    const blank = { name: null, email: null, phone: null, addresses: null }
    expect(erased).toMatchObject({ status: 200, body: { status: 'erased', version: 3, ...blank } })
    expect(erased.body.preferences).toEqual({ channels: {}, locale: null, ui: {}, consents: {} })
    const after = await everything()
    expect([key?.key, ...values].filter((value) => after.includes(value as string))).toEqual([])
    expect(values.filter((value) => logged.join('').includes(value))).toEqual([])

    for (const version of [1, 2, 3])
      expect((await call('GET', `/customers/wilhelmina/versions/${version}`)).body).toMatchObject(blank)
    const again = await call('POST', '/customers', body, headers)
    expect(again).toMatchObject({ status: 201, body: { id: 'wilhelmina', ...blank } })
    expect((await call('GET', `/customers?email=${person.email}`)).body.items).toEqual([])
  })

  test('is not undone by an error: what is logged of one has no personal value', async () => {
    await engine.db`alter table customers.keys rename to lost`
    const failed = [
      await call('POST', '/customers', { ...person, id: 'unlucky', email: 'unlucky@privat.example' }),
      await call('GET', `/customers?email=${person.email}`),
    ]
    await engine.db`alter table customers.lost rename to keys`
    expect(failed.map(({ status }) => status)).toEqual([500, 500])
    expect(logged.join('')).toContain('request failed')
    expect(values.filter((value) => logged.join('').includes(value))).toEqual([])
    expect(values.filter((value) => JSON.stringify(failed[0]?.body).includes(value))).toEqual([])
  })

  test('is once and for all: the id stays taken, the address is free', async () => {
    const { id, email } = await create()
    expect((await call('POST', `/customers/${id}/erase`, {}, { 'if-match': '"9"' })).status).toBe(412)
    await call('POST', `/customers/${id}/erase`)
    expect((await call('POST', `/customers/${id}/erase`)).body.version).toBe(2)
    expect((await call('PATCH', `/customers/${id}`, { name: 'Back' })).body).toMatchObject({
      status: 410,
      type: '/problems/customer-erased',
    })
    expect((await call('POST', '/customers', input({ id }))).status).toBe(410)
    expect((await create({ email })).email).toBe(email)
    expect((await call('POST', '/customers/nobody/erase')).status).toBe(404)
  })

  test('and all before it leave tables and log in agreement', async () => {
    expect(await customers.verify(engine.db)).toEqual([])
    await engine.db`delete from customers.keys where customer_id = 'p1'`
    expect(await customers.verify(engine.db)).toMatchObject([{ what: 'customer/p1' }])
  })
})
