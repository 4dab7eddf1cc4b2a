/**
 * Two processes share their caches over a Redis that dies, freezes, forgets or is full, while writers and readers go on. Counts and prices only ever
 * rise here, so an answer below an earlier one was of before a change.
 */
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../database.ts'
import { startRedis, type TestRedis } from '../redis.ts'
import { openTestShop, type TestShop } from '../shop.ts'
import { caughtUp, until } from './ownership.ts'

let redis: TestRedis
let client: Redis
let shops: [TestShop, TestShop]
let headers: Record<string, string>
/** What was last written, of stock and of price. */
const written = { count: 0, price: 0 }

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url, { retryStrategy: () => 20 })
  client.on('error', () => {})
  const { url } = await createTestDatabase()
  const settings = { REDIS_URL: redis.url }
  shops = [await openTestShop(url, settings), await openTestShop(url, settings)]
  headers = await shops[0].as('ADMIN')
  const variants = [{ sku: 'KIT', price: { amount: 1, currency: 'EUR' } }]
  await write('POST', '/products', { id: 'kit', title: 'Kit', status: 'active', variants })
  await followed()
  await Promise.all([raiseCount(), raisePrice()])
  await followed()
}, 120_000)
afterAll(async () => {
  client.disconnect()
  for (const shop of shops) await shop[Symbol.asyncDispose]()
})

async function write(method: 'POST' | 'PATCH', url: string, payload: object): Promise<void> {
  const response = await shops[0].app.inject({ method, url: `/v1${url}`, headers, payload })
  expect([response.statusCode, response.body.slice(0, 200)]).toMatchObject([method === 'POST' ? 201 : 200, {}])
}
async function raiseCount() {
  const count = written.count + 1
  await write('PATCH', '/products/kit/inventory', { sku: 'KIT', quantity: count })
  written.count = count
}
async function raisePrice() {
  const price = written.price + 1
  await write('PATCH', '/products/kit', { variants: [{ sku: 'KIT', price: { amount: price, currency: 'EUR' } }] })
  written.price = price
}
const followed = () =>
  caughtUp(
    shops[0].engine.db,
    shops[0].engine.runners.map((runner) => runner.consumer.name),
  )

/** What a process answers now: units for sale by its cached availability, and the price by its cached search. */
async function read({ app }: TestShop): Promise<{ count: number; price: number }> {
  const [kit, found] = await Promise.all([
    app.inject({ url: '/v1/storefront/products/kit/availability?quantity=10000' }),
    app.inject({ url: '/v1/search?q=kit' }),
  ])
  expect([kit.statusCode, found.statusCode]).toEqual([200, 200])
  return { count: Number(/\d+/.exec(kit.json().message)?.[0]), price: found.json().items[0].price.min }
}

/** Writers and, of each process, a reader, until told to stop. */
function startTraffic() {
  let stopped = false
  const done = { counts: 0, prices: 0, reads: [0, 0] as [number, number] }
  const wentBack: string[] = []
  const again = async (work: () => Promise<void>) => {
    while (!stopped) await work()
  }
  const reader = (n: 0 | 1) => {
    let last = { count: 0, price: 0 }
    return again(async () => {
      const now = await read(shops[n])
      if (now.count < last.count || now.price < last.price)
        wentBack.push(`process ${n}: ${JSON.stringify(now)} after ${JSON.stringify(last)}`)
      last = now
      done.reads[n]++
    })
  }
  const all = Promise.all([
    again(async () => {
      await raiseCount()
      done.counts++
    }),
    again(async () => {
      await raisePrice()
      done.prices++
    }),
    reader(0),
    reader(1),
  ])
  all.catch(() => {})
  return {
    wentBack,
    /** So much more of everything, from now on. */
    async more(times: number) {
      const from = structuredClone(done)
      const isDone = () =>
        done.counts >= from.counts + times &&
        done.prices >= from.prices + times &&
        done.reads.every((reads, n) => reads >= (from.reads[n] ?? 0) + times)
      await Promise.race([until(isDone, 60_000), all])
    },
    async stop() {
      stopped = true
      await all
    },
  }
}

const isFallback = async ({ app }: TestShop) => {
  const { items } = (await app.inject({ url: '/v1/caches', headers })).json()
  return items.some(({ fallback }: { fallback: boolean }) => fallback)
}
const hits = async ({ app }: TestShop): Promise<Record<string, number>> => {
  const { items } = (await app.inject({ url: '/v1/caches', headers })).json()
  return Object.fromEntries(items.map(({ name, hits }: { name: string; hits: number }) => [name, hits]))
}

/** Nothing of before is told: both processes say what was written last, from then on out of their caches. */
async function expectFresh(): Promise<void> {
  await until(async () => !(await isFallback(shops[0])) && !(await isFallback(shops[1])))
  await followed()
  for (const shop of shops) {
    await until(async () => JSON.stringify(await read(shop)) === JSON.stringify(written))
    const before = await hits(shop)
    for (const name of ['availability', 'search'])
      await until(async () => {
        expect(await read(shop)).toEqual(written)
        return ((await hits(shop))[name] ?? 0) > (before[name] ?? 0)
      })
  }
}

async function maxmemory(bytes: number, policy: string) {
  await client.config('SET', 'maxmemory-policy', policy)
  await client.config('SET', 'maxmemory', bytes)
}
const told = async (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(await client.info())?.[1])

let filling: NodeJS.Timeout
/** Larger things come in all the time, so that something has to go, whatever it is. */
async function fillOver() {
  const large = 'x'.repeat(65_536)
  for (let n = 0; n < 40; n++) await client.set(`large-${n}`, large)
  await maxmemory((await told('used_memory')) + 1_000_000, 'allkeys-random')
  let more = 0
  filling = setInterval(() => client.set(`larger-${++more}`, large).catch(() => {}), 5)
}
async function stopFilling() {
  clearInterval(filling)
  await maxmemory(0, 'noeviction')
  expect(await told('evicted_keys')).toBeGreaterThan(0)
}

test.each<[string, boolean | undefined, () => Promise<unknown>, () => unknown]>([
  ['is killed and comes back empty', true, () => redis.kill(), () => redis.start()],
  ['stops answering for a while', true, async () => redis.pause(), () => redis.resume()],
  ['forgets everything', false, () => client.flushall(), () => client.flushall()],
  ['is full and refuses writes', true, () => maxmemory(1, 'noeviction'), () => maxmemory(0, 'noeviction')],
  ['is full and drops what it likes', undefined, fillOver, stopFilling],
])(
  'while Redis %s, writers and readers go on without it, no answer is older than one before, and none is stale afterwards',
  async (_, isGone, fault, heal) => {
    const traffic = startTraffic()
    try {
      await traffic.more(5)
      await fault()
      // None of this waits for Redis: it is as it is until all of it is done.
      await traffic.more(15)
      // One that answers may still have been too slow for a moment.
      for (const shop of shops) if (isGone !== undefined) await until(async () => (await isFallback(shop)) === isGone)
    } finally {
      await heal()
    }
    await traffic.more(10)
    await traffic.stop()
    expect(traffic.wentBack).toEqual([])
    await expectFresh()
  },
  180_000,
)
