import { once } from 'node:events'
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { productDeleted, productEvent, stockEvent } from '../../../test/made-events.ts'
import { openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { LoggedEvent, NewEvent } from '../../engine/event.ts'
import type { App } from '../../engine/http.ts'
import { append } from '../../engine/log.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { storefrontService } from './service.ts'

let engine: TestEngine
let app: App
let url: string
let token: string
const available = new Map<string, number>()
const open: ClientRequest[] = []

beforeAll(async () => {
  const inventory = async (id: string) => ({
    totalQuantityAvailable: available.get(id) ?? 0,
    totalQuantityReserved: 0,
    isLowStock: false,
    isOutOfStock: false,
    warehouseInventory: [],
  })
  const made = await testEngine((await createTestDatabase()).url, (engine) => [
    storefrontService(engine, { inventory, liveConnections: 3 }),
  ])
  engine = made.engine
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  token = await auth.issueToken({ role: 'ADMIN', subject: 'test', ttlSeconds: 600 })
  app = await buildServer({
    settings: httpDefaults,
    auth,
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    version: '0',
    services: made.services,
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
})
afterEach(() => {
  for (const request of open.splice(0)) request.destroy()
})
afterAll(async () => {
  await app.close()
  await engine.close()
})

async function happened(...events: LoggedEvent[]) {
  const logged = events.map(
    ({ type, key, entity, version, source, data }): NewEvent => ({ type, key, entity, version, source, data }),
  )
  await engine.db.begin((tx) => append(tx, logged))
  await engine.settle()
}

interface Told {
  event: string
  data: { id: string; title: string; status: string; availability: { message: string } }
  /** The place, once there is one. */
  id: string | undefined
}

/** Reads a stream event by event. */
async function follow(path: string, headers: Record<string, string> = {}) {
  const request = get(`${url}${path}`, { headers: { connection: 'close', ...headers } })
  open.push(request)
  request.on('error', () => {})
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const blocks = (async function* () {
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const fields = text.slice(0, end).split('\n')
        text = text.slice(end + 2)
        const value = (name: string) => fields.find((field) => field.startsWith(`${name}: `))?.slice(name.length + 2)
        yield { id: value('id'), event: value('event'), data: value('data') }
      }
    }
  })()
  let place: string | undefined
  const until = async (wanted: 'event' | 'id') => {
    for (;;) {
      const { value, done } = await blocks.next()
      if (done) return undefined
      if (value.id !== undefined) place = value.id
      if (value[wanted] !== undefined) return { ...value, data: JSON.parse(value.data ?? 'null'), id: place } as Told
    }
  }
  return { response, next: () => until('event'), place: async () => (await until('id'))?.id as string }
}

const said = (told: Told | undefined) => [told?.event, told?.data.title, told?.data.availability.message]

test('a reader is told how a product stands, then each change, and what it is told can be read', async () => {
  available.set('lamp', 50)
  await happened(productEvent('lamp', 1, { title: 'Lamp' }), stockEvent('lamp', 1, 50))
  const reader = await follow('/storefront/live?products=lamp')
  expect(reader.response.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8' })
  expect(said(await reader.next())).toEqual(['product', 'Lamp', 'In Stock'])
  await reader.place()
  available.set('lamp', 4)
  await happened(stockEvent('lamp', 2, 4))
  const told = await reader.next()
  expect(said(told)).toEqual(['product', 'Lamp', 'Only 4 left in stock - order soon'])
  expect((await app.inject('/storefront/products/lamp')).json()).toEqual(told?.data)
})

test('in the language asked for', async () => {
  const reader = await follow('/storefront/live?products=lamp&locale=de')
  expect(said(await reader.next())).toEqual(['product', 'Lamp', 'Nur noch 4 auf Lager – bald bestellen'])
})

test('what is deleted, or never was, is gone', async () => {
  await happened(productEvent('vase', 1))
  const reader = await follow('/storefront/live?products=vase,unheard')
  expect((await reader.next())?.data.id).toBe('vase')
  expect(await reader.next()).toMatchObject({ event: 'gone', data: { id: 'unheard' } })
  await happened(productDeleted('vase', 2))
  expect(await reader.next()).toMatchObject({ event: 'gone', data: { id: 'vase' } })
})

test('who comes again with its place is told what changed since, and nothing else', async () => {
  await happened(productEvent('one', 1, { title: 'One' }), productEvent('two', 1, { title: 'Two' }))
  const first = await follow('/storefront/live?products=one,two')
  const place = await first.place()
  open.pop()?.destroy()
  await happened(productEvent('two', 2, { title: 'Two again' }))
  const again = await follow('/storefront/live?products=one,two', { 'last-event-id': place })
  expect((await again.next())?.data.title).toBe('Two again')
  const late = await again.place()
  expect(Number(late)).toBeGreaterThan(Number(place))
  open.pop()?.destroy()
  const nothing = await follow('/storefront/live?products=one,two', { 'last-event-id': late })
  await nothing.place()
  await happened(productEvent('one', 2, { title: 'One again' }))
  expect((await nothing.next())?.data.title).toBe('One again')
})

test('a place from another database counts for nothing', async () => {
  const reader = await follow('/storefront/live?products=one', { 'last-event-id': '999999999' })
  expect((await reader.next())?.data.id).toBe('one')
})

test('an order is followed by those who may read it', async () => {
  const order = (status: string) => ({
    order: {
      id: 'o1',
      status,
      customerId: 'c',
      reservationId: null,
      lines: [],
      totals: [],
      history: [{ status, at: '2026-01-01T00:00:00.000Z', actor: 'somebody', reason: null }],
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: '2026-01-01T00:00:00.000Z',
    },
  })
  const event = (type: string, version: number, status: string) =>
    ({
      type,
      key: 'order/o1',
      entity: 'order/o1',
      version,
      source: 'orders',
      data: order(status),
    }) as unknown as LoggedEvent
  await happened(event('order.created', 1, 'confirmed'))
  expect((await app.inject('/orders/o1/live')).statusCode).toBe(401)
  const headers = { authorization: `Bearer ${token}` }
  expect((await app.inject({ url: '/orders/none/live', headers })).statusCode).toBe(404)
  const reader = await follow('/orders/o1/live', headers)
  expect(await reader.next()).toMatchObject({
    event: 'order',
    data: { orderId: 'o1', status: 'confirmed', version: 1 },
  })
  await happened(event('order.status.changed', 2, 'paid'))
  const told = await reader.next()
  expect(told?.data.status).toBe('paid')
  expect(JSON.stringify(told)).not.toMatch(/customer|somebody/)
})

test('there are only so many readers, and one that leaves makes room', async () => {
  const readers = []
  // Those of the tests before may still be on their way out.
  while (readers.length < 3) {
    const reader = await follow('/storefront/live?products=one')
    if (reader.response.statusCode === 200) readers.push(reader)
  }
  const refused = await app.inject('/storefront/live?products=one')
  expect([refused.statusCode, refused.json().type]).toEqual([503, '/problems/unavailable'])
  expect(refused.headers['retry-after']).toBe('5')
  readers[0]?.response.destroy()
  await expect.poll(async () => (await follow('/storefront/live?products=one')).response.statusCode).toBe(200)
})

const many = Array.from({ length: 101 }, (_, n) => `p${n}`)

test.each([
  ['no products', '', 'products'],
  ['an empty list', '?products=', 'products'],
  ['a path', '?products=a%2Fb', 'products'],
  ['more than a hundred', `?products=${many}`, 'products'],
  ['what is no language', '?products=a&locale=../../etc', 'locale'],
])('%s is refused', async (_, query, field) => {
  const response = await app.inject(`/storefront/live${query}`)
  expect(response.statusCode).toBe(400)
  expect(response.json().errors[0].field).toContain(field)
})

test('a place that is none is refused', async () => {
  const response = await app.inject({ url: '/storefront/live?products=a', headers: { 'last-event-id': 'x' } })
  expect(response.json()).toMatchObject({ status: 400, errors: [{ field: 'Last-Event-ID' }] })
})

test('a server that stops ends its readers, and takes no new ones', async () => {
  const reader = await follow('/storefront/live?products=one')
  await reader.place()
  await app.close()
  expect(await reader.next()).toBeUndefined()
})
