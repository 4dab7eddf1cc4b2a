import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { startRedis, type TestRedis } from '../../test/redis.ts'
import { openTestShop, type TestShop } from '../../test/shop.ts'

let redis: TestRedis
let client: Redis
let shop: TestShop

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url)
  client.on('error', () => {})
  shop = await openTestShop((await createTestDatabase()).url, { REDIS_URL: redis.url })
}, 120_000)
afterAll(async () => {
  await shop[Symbol.asyncDispose]()
  await shop.services.caches.close()
  client.disconnect()
})

async function call(method: 'GET' | 'POST' | 'PATCH', url: string, payload?: object) {
  const headers = await shop.as('ADMIN')
  const reply = await shop.app.inject({ method, url: `/v1${url}`, headers, ...(payload && { payload }) })
  return { code: reply.statusCode, body: reply.json() }
}

test('the shop’s sync status stands in Redis as it is answered over HTTP, for every consumer', async () => {
  const variants = [{ sku: 'LAMP-1', options: {}, price: { amount: 1999, currency: 'EUR' } }]
  expect((await call('POST', '/products', { id: 'lamp', title: 'Lamp', variants })).code).toBe(201)
  const answered = async () => (await call('GET', '/products/lamp/sync-status')).body.services as object
  const names = ['inventory', 'collections', 'search', 'media', 'pricing', 'seo', 'storefront', 'analytics']
  const done = Object.fromEntries(names.map((name) => [name, 'done']))
  await expect.poll(answered).toMatchObject(done)
  await expect.poll(() => client.hgetall('product:sync:lamp')).toEqual(await answered())
  expect(Object.keys(await client.hgetall('product:sync:lamp:timestamps')).sort()).toEqual(
    Object.keys(await answered()).sort(),
  )
  expect(await client.lrange('product:sync:lamp:history', 0, -1)).toContain('search:done')
  expect(await client.keys('product:sync:*/*')).toEqual([])
  expect(await client.ttl('product:sync:lamp')).toBeGreaterThan(167 * 3_600)
})

test('a product read stands under product:{id} beside it, and a change of its stock deletes it', async () => {
  await call('GET', '/products/lamp')
  await call('GET', '/products/lamp')
  expect(await client.exists('product:lamp')).toBe(1)
  const { items } = (await call('GET', '/caches')).body
  expect(items.find(({ name }: { name: string }) => name === 'products')).toMatchObject({ kept: 'redis' })
  const counted = await call('PATCH', '/products/lamp/inventory', { quantity: 3 })
  expect(counted.code).toBe(200)
  await expect.poll(() => client.exists('product:lamp')).toBe(0)
  expect((await call('POST', '/caches/products/clear')).code).toBe(200)
})

test('all are written anew on request, by an admin alone', async () => {
  await client.del('product:sync:lamp')
  const anybody = await shop.app.inject({ method: 'POST', url: '/v1/sync-mirror/rebuild' })
  expect(anybody.statusCode).toBe(401)
  expect(await call('POST', '/sync-mirror/rebuild')).toMatchObject({ code: 202, body: { rebuilding: true } })
  await expect.poll(() => client.hget('product:sync:lamp', 'search')).toBe('done')
  await expect.poll(async () => (await call('GET', '/sync-mirror')).body.rebuilding).toBe(false)
  expect((await call('GET', '/sync-mirror')).body).toMatchObject({ writing: true })
})

test('while Redis is gone this is said, and writes go on', async () => {
  await redis.kill()
  expect((await call('PATCH', '/products/lamp', { title: 'Lantern' })).code).toBe(200)
  expect((await call('GET', '/products/lamp')).body.title).toBe('Lantern')
  expect((await call('GET', '/sync-mirror')).code).toBe(503)
  await redis.start()
  await call('PATCH', '/products/lamp', { title: 'Lamp again' })
  await expect.poll(() => client.hget('product:sync:lamp', 'search')).toBe('done')
})
