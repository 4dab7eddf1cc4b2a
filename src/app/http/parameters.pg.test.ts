import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { openTestShop, type TestShop } from '../../../test/shop.ts'

let shop: TestShop
let admin: Record<string, string>
beforeAll(async () => {
  shop = await openTestShop((await createTestDatabase()).url)
  admin = await shop.as('ADMIN')
}, 60_000)
afterAll(() => shop[Symbol.asyncDispose]())

const ask = (url: string, method = 'GET', headers = admin) => shop.app.inject({ method: method as 'GET', url, headers })

/** Of every route: with `an-id` wherever an id stands, and without a body. */
const routes = () =>
  shop.app.routeTable
    .filter(({ url, method }) => !url.includes('*') && method !== 'OPTIONS')
    .map((route) => ({ ...route, path: route.url.replaceAll(/:\w+/g, 'an-id') }))

test('every route refuses a parameter it does not know, before it looks at anything else', async () => {
  const strict = routes().filter((route) => !route.anyQuery)
  const wrong: string[] = []
  for (const { method, path } of strict) {
    const answer = await Promise.race([ask(`${path}?nonsense=1`, method), goesOn])
    if (answer?.statusCode !== 400 || (method !== 'HEAD' && !answer.body.includes('nonsense: is not a parameter')))
      wrong.push(
        `${method} ${path}: ${answer ? `${answer.statusCode} ${answer.body.slice(0, 200)}` : 'goes on and on'}`,
      )
  }
  expect(wrong).toEqual([])
  expect(strict.length).toBeGreaterThan(200)
})

/** A stream of events that was let through never ends. */
const goesOn = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 60_000).unref())

test('the API document lists no route that this test does not know', async () => {
  const { paths } = (await ask('/openapi.json')).json() as { paths: Record<string, object> }
  const known = new Set(shop.app.routeTable.map(({ method, url }) => `${method} ${url}`))
  const listed = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.slice(3).replaceAll(/\{(\w+)\}/g, ':$1')}`),
  )
  expect(listed.filter((each) => !known.has(each))).toEqual([])
})

test('the API document says of every parameter what it means', async () => {
  const { paths } = (await ask('/openapi.json')).json() as {
    paths: Record<string, Record<string, { parameters?: { name: string; description?: string }[] }>>
  }
  const unsaid = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { parameters = [] }]) =>
      parameters.filter(({ description }) => !description).map(({ name }) => `${name} of ${method} ${path}`),
    ),
  )
  expect(unsaid).toEqual([])
})

test('who may not call a route does not learn what it takes', async () => {
  expect((await ask('/customers?nonsense=1', 'GET', {})).statusCode).toBe(401)
  expect((await ask('/customers?nonsense=1', 'GET', await shop.as('product-service'))).statusCode).toBe(403)
})

test('only pages, their files and what probes, crawlers and mail programs ask for take any parameter', () => {
  const open = new Set(routes().flatMap(({ url, anyQuery }) => (anyQuery ? url : [])))
  expect([...open].filter((url) => !url.startsWith('/docs')).sort()).toEqual([
    '/',
    '/health/live',
    '/health/ready',
    '/login/:code',
    '/media/:hash',
    '/media/:hash/:file',
    '/notifications/unsubscribe/:token',
    '/openapi.json',
    '/robots.txt',
    '/shop',
    '/shop/icon.svg',
    '/shop/shop.css',
    '/shop/shop.js',
    '/shop/wording.js',
    '/sitemap.xml',
    '/sitemaps/:file',
  ])
})

test.each([
  '/shop?utm_source=mail&fbclid=x',
  '/health/live?t=1',
  '/docs?utm_source=x',
  '/robots.txt?x',
])('%s is answered', async (url) => {
  expect((await ask(url, 'GET', {})).statusCode).toBeLessThan(400)
})

test.each([
  ['/products?limt=3', 'limt', 'did you mean limit?'],
  ['/search?price_min=3', 'price_min', 'did you mean priceMin?'],
  ['/search?LIMIT=3', 'LIMIT', 'did you mean limit?'],
  ['/search?colour=red', 'colour', 'it takes q, '],
  ['/consumers?limit=3', 'limit', 'it takes none'],
  ['/customers?a=1', 'a', 'it takes email, limit, cursor'],
  ['/products?limit=1&limit=2', 'limit', 'is given more than once'],
  ['/products?=3', '', 'it takes '],
  ['/products?__proto__=3', '__proto__', 'it takes '],
  ['/products?limit%00=3', 'limit\0', 'did you mean limit?'],
])('%s says what is wrong with it', async (url, field, hint) => {
  const answer = await ask(url)
  expect(answer.statusCode).toBe(400)
  expect(answer.json().errors).toEqual([{ in: 'query', field, message: expect.stringContaining(hint) }])
})

test('all of them are named, and no more than twenty', async () => {
  const many = Array.from({ length: 30 }, (_, n) => `x${n}=1`).join('&')
  expect((await ask(`/products?a=1&limit=3&b=2`)).json().errors.map(({ field }: { field: string }) => field)).toEqual([
    'a',
    'b',
  ])
  expect((await ask(`/products?${many}`)).json().errors).toHaveLength(20)
})
