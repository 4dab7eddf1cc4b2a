import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRedis, type TestRedis } from '../../test/redis.ts'
import type { Cache } from '../engine/cache/cache.ts'
import { Caches } from '../engine/cache/caches.ts'
import { type CachesService, cachesService } from './caches.ts'
import { type TestServer, testServer } from './http/server-testing.ts'

let redis: TestRedis
let service: CachesService
let server: TestServer
let cache: Cache
const registry = new Registry()

beforeAll(async () => {
  redis = await startRedis()
  const caches = new Caches(pino({ level: 'silent' }), redis.url)
  cache = caches.open('answers')
  service = cachesService(caches)
  service.measure(registry)
  await service.run?.(new AbortController().signal)
  server = await testServer({ routes: (app) => service.routes?.(app) })
}, 120_000)
afterAll(async () => {
  await service.close()
  await server.app.close()
})

const call = async (method: 'GET' | 'POST', url: string) => {
  const token = await server.token()
  const response = await server.app.inject({ method, url, headers: { authorization: `Bearer ${token}` } })
  return { code: response.statusCode, body: response.json() }
}
const fetch = (value: string) => cache.fetch({ key: 'k', tags: ['t'] }, async () => ({ value, seconds: 60 }))

test('hits and misses are told, and clearing forgets', async () => {
  await fetch('a')
  await fetch('b')
  const { body } = await call('GET', '/v1/caches')
  const counted = { name: 'answers', kept: 'redis', entries: 1, maxEntries: 10_000, hits: 1, misses: 1, hitRate: 0.5 }
  expect(body.items).toEqual([{ ...counted, evictions: 0, invalidations: 0, bypassed: 0, fallback: false }])
  expect(await call('POST', '/v1/caches/answers/clear')).toMatchObject({ code: 200, body: { entries: 0 } })
  expect(await fetch('c')).toBe('c')
})

test('a cache that is not there is not found, and nobody but an admin sees or clears any', async () => {
  expect(await call('POST', '/v1/caches/other/clear')).toMatchObject({ code: 404 })
  const anybody = await server.app.inject({ method: 'POST', url: '/v1/caches/answers/clear' })
  expect(anybody.statusCode).toBe(401)
  expect((await server.app.inject('/v1/caches')).statusCode).toBe(401)
})

test('while Redis is gone this is noted, measured and counted, and ends by itself', async () => {
  const measured = async () => /lockstep_cache_fallback\{cache="answers"\} (\d)/.exec(await registry.metrics())?.[1]
  expect([service.note(), await measured()]).toEqual([undefined, '0'])
  await redis.kill()
  expect(await fetch('read')).toBe('read')
  expect(await measured()).toBe('1')
  expect(service.note()).toMatch('Redis is not there')
  expect((await call('GET', '/v1/caches')).body.items).toMatchObject([{ bypassed: 1, fallback: true }])
  await redis.start()
  while (service.note()) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(await measured()).toBe('0')
  expect(await fetch('new')).toBe('new')
})
