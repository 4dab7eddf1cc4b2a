import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { App } from '../../engine/http.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { catalogService } from './service.ts'

let engine: TestEngine
let app: App
let token: string

beforeAll(async () => {
  const made = await testEngine((await createTestDatabase()).url, (engine) => [catalogService(engine)])
  engine = made.engine
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  const parts = { settings: httpDefaults, auth, log: pino({ level: 'silent' }), metrics: new Registry(), version: '0' }
  app = await buildServer({ ...parts, services: made.services })
  token = await auth.issueToken({ role: 'ADMIN', subject: 'tester', ttlSeconds: 600 })
})
afterAll(async () => {
  await app.close()
  await engine.close()
})

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
async function call(method: Method, url: string, body?: object, headers: Record<string, string> = {}) {
  const reply = await app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(body && { payload: body }),
  })
  return { status: reply.statusCode, headers: reply.headers, body: reply.body === '' ? undefined : reply.json() }
}

const price = { amount: 1999, currency: 'EUR' }
let made = 0
const input = (fields: object = {}) => ({ title: 'Kit', variants: [{ sku: `SKU-${++made}`, price }], ...fields })
const create = async (fields: object = {}) => (await call('POST', '/products', input(fields))).body

describe('creating', () => {
  test('answers the product with its place, its tag and its token', async () => {
    const body = input({ id: 'größe 1', tags: ['a'] })
    const { status, headers, body: product } = await call('POST', '/products', body)
    expect([status, headers.etag, headers.location]).toEqual([201, '"1"', '/v1/products/gr%C3%B6%C3%9Fe%201'])
    expect(product).toMatchObject({ id: 'größe 1', title: 'Kit', version: 1, syncToken: 'product/größe 1@1' })
    expect((await call('GET', headers.location?.slice(3) as string)).body).toEqual(product)
  })

  test('without an id makes one up, and the same request sent again answers the same product', async () => {
    const body = input()
    const key = { 'idempotency-key': 'once' }
    const [first, again] = [await call('POST', '/products', body, key), await call('POST', '/products', body, key)]
    expect(again).toMatchObject({ status: 201, body: first.body })
    expect((await call('POST', '/products', input(), key)).body.type).toBe('/problems/idempotency-key-reused')
  })

  test('is for those who may, with a whole product, an id and SKUs that are free', async () => {
    const { id, variants } = await create()
    expect((await call('POST', '/products', input(), { authorization: '' })).status).toBe(401)
    expect((await call('POST', '/products', { title: 'Kit' })).body.errors).toMatchObject([{ field: 'variants' }])
    expect((await call('POST', '/products', input({ colour: 'red' }))).body.errors).toMatchObject([{ field: 'colour' }])
    expect((await call('POST', '/products', input({ id }))).body.type).toBe('/problems/already-exists')
    const taken = (await call('POST', '/products', input({ variants }))).body
    expect(taken).toMatchObject({ status: 409, sku: variants[0].sku, productId: id })
  })
})

describe('changing', () => {
  test('answers the next version, and what changes nothing the same one', async () => {
    const { id } = await create()
    const changed = await call('PATCH', `/products/${id}`, { title: 'Case', vendorId: 'acme' })
    expect(changed).toMatchObject({ status: 200, body: { title: 'Case', version: 2, syncToken: `product/${id}@2` } })
    expect((await call('PATCH', `/products/${id}`, { title: 'Case' })).body.version).toBe(2)
    expect((await call('PATCH', `/products/${id}`, { vendorId: null })).body).toMatchObject({
      version: 3,
      vendorId: null,
    })
  })

  test('with a tag of the past is refused and changes nothing', async () => {
    const { id } = await create()
    await call('PATCH', `/products/${id}`, { title: 'Case' })
    const late = await call('PATCH', `/products/${id}`, { title: 'Late' }, { 'if-match': '"1"' })
    expect(late).toMatchObject({ status: 412, body: { expected: 1, actual: 2 } })
    expect((await call('DELETE', `/products/${id}`, undefined, { 'if-match': '"1"' })).status).toBe(412)
    expect((await call('PATCH', `/products/${id}`, { title: 'Next' }, { 'if-match': '"2"' })).body.version).toBe(3)
  })

  test('repeated by its key long after answers what it made then', async () => {
    const { id } = await create()
    const key = { 'idempotency-key': `change ${id}` }
    const first = await call('PATCH', `/products/${id}`, { title: 'Then' }, key)
    await call('PATCH', `/products/${id}`, { title: 'Now' })
    expect((await call('PATCH', `/products/${id}`, { title: 'Then' }, key)).body).toEqual(first.body)
    expect((await call('GET', `/products/${id}`)).body).toMatchObject({ title: 'Now', version: 3 })
  })

  test('nothing or nobody is refused', async () => {
    const { id } = await create()
    expect((await call('PATCH', `/products/${id}`, {})).status).toBe(422)
    expect((await call('PATCH', '/products/nobody', { title: 'x' })).status).toBe(404)
  })

  test('deleted it is gone, and a second time it is not there', async () => {
    const { id } = await create()
    expect((await call('DELETE', `/products/${id}`)).status).toBe(204)
    for (const path of ['', '/variants']) expect((await call('GET', `/products/${id}${path}`)).status).toBe(404)
    expect((await call('DELETE', `/products/${id}`)).status).toBe(404)
  })

  test('availability of many at once tells which were changed', async () => {
    const [on, off] = [(await create()).id, (await create({ isAvailable: false })).id]
    const updates = [on, off].map((productId) => ({ productId, isAvailable: false }))
    const { status, body } = await call('POST', '/products/availability', { updates })
    expect([status, body]).toEqual([200, { updated: [on], unchanged: [off], syncTokens: [`product/${on}@2`] }])
    const twice = await call('POST', '/products/availability', { updates: [updates[0], updates[0]] })
    expect(twice.body.errors).toMatchObject([{ field: 'updates.1.productId' }])
    const missing = [...updates, { productId: 'nobody', isAvailable: true }]
    expect((await call('POST', '/products/availability', { updates: missing })).body.ids).toEqual(['nobody'])
  })
})

describe('reading', () => {
  test('with the tag of what one has answers 304 without a body', async () => {
    const { id } = await create()
    for (const tag of ['"1"', 'W/"1"', '"7", "1"', '*']) {
      const reply = await call('GET', `/products/${id}`, undefined, { 'if-none-match': tag })
      expect(reply).toMatchObject({ status: 304, body: undefined })
    }
    expect((await call('GET', `/products/${id}`, undefined, { 'if-none-match': '"0"' })).status).toBe(200)
  })

  test('a list is filtered and paged without a gap or a repetition', async () => {
    const ids = ['p1', 'p2', 'p3', 'p4', 'p5']
    for (const id of ids) await create({ id, vendorId: 'pager', status: id === 'p5' ? 'draft' : 'active' })
    const seen: string[] = []
    let next: string | undefined
    do {
      const page = (await call('GET', `/products?vendor=pager&limit=2${next ? `&cursor=${next}` : ''}`)).body
      seen.push(...page.items.map(({ id }: { id: string }) => id))
      next = page.next
    } while (next)
    expect(seen).toEqual(ids)
    expect((await call('GET', '/products?vendor=pager&status=draft')).body.items).toMatchObject([
      { id: 'p5', version: 1 },
    ])
    expect((await call('GET', '/products?category=nothing')).body).toEqual({ items: [] })
    expect((await call('GET', '/products?cursor=x')).status).toBe(400)
  })

  test('the history tells every change, and a version is the product as it was', async () => {
    const { id, variants } = await create()
    await call('PATCH', `/products/${id}`, { title: 'Case' })
    await call('DELETE', `/products/${id}`)
    const { items } = (await call('GET', `/products/${id}/history`)).body
    expect(items).toMatchObject([
      { version: 1, type: 'product.created', changes: null },
      { version: 2, type: 'product.updated', changes: [{ field: 'title', oldValue: 'Kit', newValue: 'Case' }] },
      { version: 3, type: 'product.deleted' },
    ])
    const rest = (await call('GET', `/products/${id}/history?after=1&limit=1`)).body
    expect(rest).toMatchObject({ items: [{ version: 2 }], next: 2 })
    expect((await call('GET', `/products/${id}/versions/1`)).body).toMatchObject({ title: 'Kit', version: 1, variants })
    expect((await call('GET', `/products/${id}/versions/9`)).status).toBe(404)
    expect((await call('GET', `/products/${id}/versions/1.5`)).status).toBe(400)
    expect((await call('GET', '/products/nobody/history')).status).toBe(404)
  })

  test('the variants are a list of their own', async () => {
    const { id, variants } = await create()
    expect((await call('GET', `/products/${id}/variants`)).body).toEqual({ items: variants })
  })

  test('every route stands in the API document', async () => {
    const { paths } = (await call('GET', '/openapi.json')).body
    expect(
      Object.keys(paths)
        .filter((path) => path.startsWith('/v1/products'))
        .sort(),
    ).toEqual([
      '/v1/products',
      '/v1/products/availability',
      '/v1/products/{id}',
      '/v1/products/{id}/history',
      '/v1/products/{id}/variants',
      '/v1/products/{id}/versions/{version}',
    ])
  })
})
