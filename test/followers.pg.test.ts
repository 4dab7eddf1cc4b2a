/** The services that follow, through the real log and over HTTP: what the catalog and the stock tell arrives in each. */
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAuth } from '../src/app/http/auth.ts'
import { buildServer, httpDefaults } from '../src/app/http/server.ts'
import type { App } from '../src/engine/http.ts'
import { append } from '../src/engine/log.ts'
import { catalogService } from '../src/services/catalog/service.ts'
import { collectionsService } from '../src/services/collections/service.ts'
import { notificationsService } from '../src/services/notifications/service.ts'
import { searchService } from '../src/services/search/service.ts'
import { seoService } from '../src/services/seo/service.ts'
import { storefrontService } from '../src/services/storefront/service.ts'
import { type TestEngine, testEngine } from '../src/testing.ts'
import { createTestDatabase } from './database.ts'
import { stockEvent } from './made-events.ts'

let engine: TestEngine
let app: App
let headers: Record<string, string>
const available = new Map<string, number>()

beforeAll(async () => {
  const inventory = async (id: string) => ({
    totalQuantityAvailable: available.get(id) ?? 0,
    totalQuantityReserved: 0,
    isLowStock: false,
    isOutOfStock: false,
    warehouseInventory: [],
  })
  const made = await testEngine((await createTestDatabase()).url, (engine) => [
    catalogService(engine),
    searchService(engine),
    collectionsService(engine),
    seoService(engine),
    storefrontService(engine, { inventory }),
    notificationsService(engine),
  ])
  engine = made.engine
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  headers = { authorization: `Bearer ${await auth.issueToken({ role: 'ADMIN', subject: 'test', ttlSeconds: 60 })}` }
  app = await buildServer({
    settings: { ...httpDefaults, rateLimitMax: 100_000 } as typeof httpDefaults,
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
  const response = await app.inject({ url, headers })
  return { ...response.json(), code: response.statusCode }
}
const send = async (method: 'POST' | 'PATCH' | 'DELETE', url: string, payload?: object) => {
  const response = await app.inject({ method, url, headers, ...(payload && { payload }) })
  return { ...(response.body && response.json()), code: response.statusCode, headers: response.headers }
}
const stockSays = async (id: string, version: number, count: number, type = 'stock.updated') => {
  available.set(id, count)
  const { key, entity, source, data } = stockEvent(id, version, count, { type, trigger: 'ORDER_CONFIRMED' })
  await engine.db.begin((tx) => append(tx, [{ type, key, entity, version, source, data }]))
  await engine.settle()
}
const productIs = async (id: string, fields: object) => {
  const price = { amount: 1999, currency: 'EUR' }
  const variants = [{ sku: `${id}-1`, price }]
  expect(await send('POST', '/v1/products', { id, variants, ...fields })).toMatchObject({ code: 201 })
  await engine.settle()
}

test('a product is found, addressed, shown and collected, and follows its stock and its changes', async () => {
  const rule = { match: 'all', conditions: [{ field: 'tag', operator: 'equals', value: 'new' }] }
  expect(await send('POST', '/v1/collections', { id: 'new', title: 'New', rule })).toMatchObject({
    code: 201,
    version: 1,
  })
  await productIs('lamp', { title: 'Desk Lamp', tags: ['new'] })
  await stockSays('lamp', 1, 5)

  expect(await get('/v1/search?q=dsek+lamp&available=true')).toMatchObject({
    code: 200,
    total: 1,
    items: [{ id: 'lamp', available: true }],
  })
  expect(await get('/search?q=LAMP-1')).toMatchObject({
    items: [{ id: 'lamp', price: { min: 1999, max: 1999, currency: 'EUR' } }],
  })
  expect(await get('/v1/products/lamp/seo')).toMatchObject({
    slug: 'desk-lamp',
    jsonLd: { offers: [{ price: '19.99' }] },
  })
  expect(await get('/v1/storefront/products/lamp?quantity=2')).toMatchObject({
    title: 'Desk Lamp',
    availability: { displayStatus: 'LOW_STOCK', message: 'Only 5 left in stock - order soon' },
  })
  expect(await get('/v1/collections/new/products')).toMatchObject({ items: [{ id: 'lamp', title: 'Desk Lamp' }] })

  await stockSays('lamp', 2, 0, 'stock.out')
  expect(await get('/v1/search?available=true')).toMatchObject({ total: 0 })
  expect(await get('/v1/storefront/products/lamp?quantity=2')).toMatchObject({
    availability: { message: 'Out of Stock' },
  })
  expect(await get('/v1/notifications/stock-alerts')).toMatchObject({ items: [{ type: 'stock.out', sku: 'lamp-1' }] })

  await send('PATCH', '/v1/products/lamp', { title: 'Reading Lamp', tags: [] })
  await engine.settle()
  expect(await get('/v1/seo/slugs/desk-lamp')).toMatchObject({ code: 200, redirectTo: 'reading-lamp' })
  expect(await get('/v1/collections/new/products')).toMatchObject({ items: [] })

  await send('DELETE', '/v1/products/lamp')
  await engine.settle()
  expect((await get('/v1/search?q=lamp')).total).toBe(0)
  for (const path of ['products/lamp/seo', 'seo/slugs/reading-lamp', 'seo/slugs/desk-lamp', 'storefront/products/lamp'])
    expect(await get(`/v1/${path}`)).toMatchObject({ code: 404 })
})

test('a slug conflict is a failure of that product only', async () => {
  await productIs('one', { title: 'Same Title' })
  await productIs('two', { title: 'same title!' })
  await productIs('three', { title: 'Another' })
  expect(await get('/v1/products/one/seo')).toMatchObject({ slug: 'same-title' })
  expect(await get('/v1/products/three/seo')).toMatchObject({ slug: 'another' })
  expect(await get('/v1/products/two/seo')).toMatchObject({
    code: 404,
    detail:
      'product "two" has no page: slug conflict: "same-title" belongs to product one: choose another slug with PUT /v1/products/two/slug',
  })
  const failures = await engine.db`select key, error from lockstep.failures where consumer = 'seo'`
  expect(failures).toMatchObject([{ key: 'two' }])
  expect(JSON.stringify(failures)).toContain('belongs to product one')
})

test('a collection is made, changed and deleted with its version', async () => {
  const made = await send('POST', '/v1/collections', { id: 'mine', title: 'Mine', productIds: ['one'] })
  expect(made.headers.etag).toBe('"1"')
  const patch = (ifMatch: string) =>
    app.inject({
      method: 'PATCH',
      url: '/v1/collections/mine',
      headers: { ...headers, 'if-match': ifMatch },
      payload: { title: 'Ours' },
    })
  expect((await patch('"1"')).statusCode).toBe(200)
  expect((await patch('"1"')).statusCode).toBe(412)
  expect(await get('/v1/collections?limit=1')).toMatchObject({
    items: [{ id: 'mine', title: 'Ours' }],
    next: expect.any(String),
  })
  expect((await send('POST', '/v1/collections', { id: 'mine', title: 'Mine', productIds: [] })).code).toBe(409)
  expect((await send('DELETE', '/v1/collections/mine')).code).toBe(204)
  expect((await get('/v1/collections/mine')).code).toBe(404)
})

test.each([
  ['/v1/search?limit=0', 400, 'limit'],
  ['/v1/search?limit=abc', 400, 'limit'],
  ['/v1/search?sort=best', 400, 'sort'],
  ['/v1/search?priceMin=-1', 400, 'priceMin'],
  ['/v1/search?priceMin=1e999', 400, 'priceMin'],
  ['/v1/search?priceMax=1.5', 400, 'priceMax'],
  ['/v1/search?available=maybe', 400, 'available'],
  ['/v1/search?cursor=abc', 400, 'cursor'],
  ['/v1/search?q=%00', 400, 'q'],
  ['/v1/search?q=a&q=b', 400, 'q'],
  ['/v1/search?colour=red', 400, 'colour'],
  ['/v1/storefront/products/one?quantity=0', 400, 'quantity'],
  ['/v1/storefront/products/one?quantity=1e20', 400, 'quantity'],
  ['/v1/seo/slugs/A..B', 400, 'slug'],
  ['/v1/collections?cursor=%22', 400, 'cursor'],
])('%s is refused with %d naming %s', async (url, status, field) => {
  const answer = await get(url)
  expect(answer.code).toBe(status)
  expect(JSON.stringify(answer)).toContain(field)
})

test.each([
  [{ title: 'X' }, 'rule'],
  [{ title: 'X', rule: { match: 'all', conditions: [{ field: 'price', operator: 'gt', value: 'a' }] } }, 'conditions'],
  [{ title: 'X', productIds: ['a', 'a'] }, 'productIds'],
  [{ title: 'X', productIds: ['../x'] }, 'productIds'],
  [{ title: '', productIds: [] }, 'title'],
  [{ id: '..', title: 'X', productIds: [] }, 'id'],
  [{ title: 'X', productIds: [], colour: 1 }, 'colour'],
])('the collection %j is refused with 422 naming %s', async (body, field) => {
  const answer = await send('POST', '/v1/collections', body)
  expect(answer.code).toBe(422)
  expect(JSON.stringify(answer)).toContain(field)
})

test('only ADMIN makes collections and reads notifications', async () => {
  const made = await app.inject({ method: 'POST', url: '/v1/collections', payload: { title: 'X', productIds: [] } })
  const read = await app.inject({ url: '/v1/notifications' })
  expect([made.statusCode, read.statusCode]).toEqual([401, 401])
})

test('the API page describes every path of these services', async () => {
  const { paths } = await get('/openapi.json')
  for (const path of [
    '/search',
    '/collections/{id}/products',
    '/products/{id}/seo',
    '/storefront/products/{id}',
    '/notifications',
  ])
    expect(Object.keys(paths).some((known) => known.endsWith(path))).toBe(true)
})
