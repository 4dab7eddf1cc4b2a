import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { openTestShop, type TestShop } from '../../../test/shop.ts'
import { heeding } from './request-headers.ts'

let shop: TestShop
beforeAll(async () => {
  shop = await openTestShop((await createTestDatabase()).url)
}, 60_000)
afterAll(() => shop[Symbol.asyncDispose]())

interface Operation {
  parameters?: { in: string; name: string; required?: boolean; description?: string }[]
  responses: Record<string, unknown>
}

test('the API document offers the headers of every route that heeds them, and asks for none', async () => {
  const { paths } = (await shop.app.inject('/openapi.json')).json() as {
    paths: Record<string, Record<string, Operation>>
  }
  const headers = (method: string, path: string) =>
    paths[path]?.[method]?.parameters?.filter((parameter) => parameter.in === 'header') ?? []
  expect(headers('patch', '/v1/products/{id}').map(({ name }) => name)).toEqual(['Idempotency-Key', 'If-Match'])
  expect(headers('post', '/v1/orders').map(({ name }) => name)).toEqual(['Idempotency-Key'])
  expect(headers('get', '/v1/products/{id}').map(({ name }) => name)).toEqual(['If-None-Match'])
  expect(paths['/v1/products/{id}']?.get?.responses).toHaveProperty('304')
  const all = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((one) => headers(one, path)))
  for (const { required, description } of all.flat()) expect([required ?? false, !!description]).toEqual([false, true])
  expect(JSON.stringify(all)).not.toMatch(/"(default|examples?)":/) // the page would send it
})

test('a route that is named is one', () => {
  const known = new Set(shop.app.routeTable.map(({ method, url }) => `${method} ${url}`))
  expect(Object.values(heeding).flatMap((set) => [...set].filter((route) => !known.has(route)))).toEqual([])
})

test('a route whose handler reads such a header is named', () => {
  for (const { route, handler } of handlers()) {
    const options = /commandOptions\(request(, )?/.exec(handler)
    // A creation has no version that somebody could have seen.
    const makes = /^POST \/(products|customers)$/.test(route)
    if (options) expect(heeding.keyed, route).toContain(route)
    if (/\bifMatch\(request\)/.test(handler) || (options?.[1] && !makes))
      expect(heeding.versioned, route).toContain(route)
    if (/headers\['if-none-match'\]/.test(handler)) expect(heeding.remembered, route).toContain(route)
  }
  expect(handlers().length).toBeGreaterThan(100)
})

/** What stands between one registration and the next, of all services whose paths stand as they are. */
function handlers(): { route: string; handler: string }[] {
  const services = fileURLToPath(new URL('../../services', import.meta.url))
  const files = readdirSync(services, { recursive: true, encoding: 'utf8' }).filter((name) => /routes\.ts$/.test(name))
  return files.flatMap((name) => {
    const text = readFileSync(`${services}/${name}`, 'utf8')
    return [...text.matchAll(/\bapp\.(get|post|put|patch|delete)\(\s*'([^']+)'(.*?)(?=\n {2}app\.|\n}\n)/gs)].map(
      ([, method = '', url = '', handler = '']) => ({ route: `${method.toUpperCase()} ${url}`, handler }),
    )
  })
}
