import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { App } from '../../engine/http.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { catalogService } from '../catalog/service.ts'
import { searchService } from './service.ts'

let engine: TestEngine
let app: App
let admin: string

beforeAll(async () => {
  const made = await testEngine((await createTestDatabase()).url, (engine) => [
    catalogService(engine),
    searchService(engine),
  ])
  engine = made.engine
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  admin = await auth.issueToken({ role: 'ADMIN', subject: 'test', ttlSeconds: 600 })
  app = await buildServer({
    settings: httpDefaults,
    auth,
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    version: '0',
    services: made.services,
  })
})
afterAll(async () => {
  await app.close()
  await engine.close()
})

const get = async (url: string) => {
  const response = await app.inject(url)
  return { code: response.statusCode, body: response.json() }
}
const send = async (method: 'POST' | 'PUT' | 'PATCH', url: string, payload: object, token = admin) => {
  const response = await app.inject({
    method,
    url,
    payload,
    headers: token ? { authorization: `Bearer ${token}` } : {},
  })
  return { code: response.statusCode, body: response.json() }
}

test('whoever has waited for a change finds it, also where the same question was just answered', async () => {
  const variants = [{ sku: 'LAMP-1', price: { amount: 1999, currency: 'EUR' } }]
  await send('POST', '/v1/products', { id: 'lamp', title: 'Oak <b>Lamp</b>', status: 'active', variants })
  await engine.settle()
  for (const q of ['lamp', 'LAMP-1', 'lmap']) {
    const { code, body } = await get(`/v1/search?q=${q}`)
    expect({ code, ids: body.items.map(({ id }: { id: string }) => id) }).toEqual({ code: 200, ids: ['lamp'] })
  }
  expect((await get('/v1/search?q=lamp')).body.items[0].highlight.title).toBe(
    'Oak &lt;b&gt;<mark>Lamp</mark>&lt;/b&gt;',
  )
  await send('PATCH', '/v1/products/lamp', { title: 'Oak Light' })
  await engine.settle()
  expect((await get('/v1/search?q=lamp')).body.items).toEqual([])
  expect((await get('/v1/search?q=LAMP-1')).body).toMatchObject({ items: [{ title: 'Oak Light' }] })
  expect((await get('/v1/search/suggest?q=oak%20li')).body).toMatchObject({ products: [{ title: 'Oak Light' }] })
})

test('synonyms are set by an admin alone, and hold from then on', async () => {
  const synonyms = [{ words: ['lantern', 'light'] }]
  expect((await send('PUT', '/v1/search/synonyms', { synonyms }, '')).code).toBe(401)
  expect((await get('/v1/search?q=lantern')).body.items).toEqual([])
  expect(await send('PUT', '/v1/search/synonyms', { synonyms })).toEqual({ code: 200, body: { synonyms } })
  expect((await get('/v1/search?q=lantern')).body).toMatchObject({ match: 'asked', items: [{ id: 'lamp' }] })
  expect((await get('/v1/search/synonyms')).body).toEqual({ synonyms })
})

test.each([
  ['/v1/search?sort=best', 'sort'],
  ['/v1/search?priceMin=-1', 'priceMin'],
  ['/v1/search?priceMin=10&priceMax=5', 'priceMax'],
  ['/v1/search?limit=1000', 'limit'],
  ['/v1/search?colour=red', 'colour'],
  ['/v1/search?q=%00', 'q'],
  [`/v1/search?q=${'x'.repeat(201)}`, 'q'],
  ['/v1/search/suggest', 'q'],
  ['/v1/search/suggest?q=a&limit=21', 'limit'],
])('%s is a problem that names %s', async (url, field) => {
  const { code, body } = await get(url)
  expect(code).toBe(400)
  expect(JSON.stringify(body)).toContain(`"${field}"`)
})

test.each([
  [{ synonyms: [{ words: ['alone'] }] }],
  [{ synonyms: [{ words: ['a', '!!'] }] }],
  [{ synonyms: 'a=b' }],
  [{ synonyms: [], more: 1 }],
])('synonyms %j are refused, and the old ones stay', async (body) => {
  const before = (await get('/v1/search/synonyms')).body
  const refused = await send('PUT', '/v1/search/synonyms', body)
  expect(refused).toMatchObject({ code: 422, body: { type: '/problems/invalid-request' } })
  expect((await get('/v1/search/synonyms')).body).toEqual(before)
})
