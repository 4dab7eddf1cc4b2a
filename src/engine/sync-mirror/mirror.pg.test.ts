import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { startRedis, type TestRedis } from '../../../test/redis.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { RedisLink } from '../cache/redis-link.ts'
import { type Consumer, projection, reaction } from '../consumer.ts'
import { replay } from '../consumers.ts'
import { retryFailure } from '../failures.ts'
import { append } from '../log.ts'
import { syncStatus } from '../sync-status.ts'
import { beginWork, finishWork, handBack } from '../unfinished.ts'
import { SyncMirror } from './mirror.ts'

const logged: string[] = []
const log = pino({}, { write: (line: string) => void logged.push((JSON.parse(line) as { msg: string }).msg) })
let redis: TestRedis
let client: Redis
let engine: TestEngine
const ends: (() => Promise<unknown>)[] = []

/** Keys at which a consumer fails, by consumer. */
const failing = new Map<string, Set<string>>()
const fails = (name: string, key: string) => {
  if (failing.get(name)?.has(key)) throw new Error(`${name} can not`)
}
const consumers: Consumer[] = [
  projection({
    name: 'search',
    on: ['product.*'],
    apply: async (changes) => changes.forEach(({ key }) => void fails('search', key)),
  }),
  projection({ name: 'inventory', on: ['product.*', 'stock.*'], apply: async () => {} }),
  projection({
    name: 'media',
    on: ['product.*'],
    apply: (changes, tx) =>
      beginWork(
        tx,
        'media',
        changes.filter(({ key }) => key.startsWith('film')),
      ),
  }),
  reaction({ name: 'seo', from: 'start', on: { 'product.updated': async ({ key }) => fails('seo', key) } }),
]

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url)
  client.on('error', () => {})
}, 120_000)
afterAll(() => client.disconnect())
beforeEach(async () => {
  failing.clear()
  logged.length = 0
  await client.flushall()
  const { url } = await createTestDatabase()
  const made = await testEngine(url, () => [{ name: 'shop', consumers }], {
    retry: { attempts: 2, firstMs: 0, maxMs: 0 },
  })
  engine = made.engine
  ends.push(() => engine.close())
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** As one process has it. */
async function openMirror(lastEvents = 10_000, link = new RedisLink(redis.url, log)): Promise<SyncMirror> {
  await link.connect()
  ends.push(() => link.close())
  const { db } = engine
  return new SyncMirror({
    db,
    log,
    use: (work) => link.use(work),
    lastEvents,
    seconds: 3_600,
    isSubject: (key) => !key.includes('/'),
    async subjects(after, limit) {
      const rows = await db<{ key: string }>`
        select distinct key from lockstep.events where key > ${after} order by key limit ${limit}`
      return rows.map(({ key }) => key)
    },
  })
}

const versions = new Map<string, number>()
async function happens(key: string, type = 'product.updated'): Promise<void> {
  const entity = `${type.split('.')[0]}/${key}/${ends.length}`
  const at = `${engine.name} ${entity}`
  const version = (versions.get(at) ?? 0) + 1
  versions.set(at, version)
  await engine.db.begin((tx) => append(tx, [{ type, key, entity, version, source: 'test', data: {} }]))
}

const mirrored = (key: string) => client.hgetall(`product:sync:${key}`)
const truth = async (key: string) =>
  Object.fromEntries((await syncStatus(engine.db, key)).consumers.map(({ consumer, status }) => [consumer, status]))
const history = (key: string) => client.lrange(`product:sync:${key}:history`, 0, -1)
const all = (status: string) => ({ inventory: status, media: status, search: status, seo: status })

test('statuses, times and history stand under the keys of document A, §14, each with its time to live', async () => {
  const mirror = await openMirror()
  await happens('123')
  await mirror.runOnce()
  expect(await mirrored('123')).toEqual(all('pending'))
  await engine.settle()
  await mirror.runOnce()
  expect(await mirrored('123')).toEqual(all('done'))
  const times = await client.hgetall('product:sync:123:timestamps')
  expect(Object.keys(times).sort()).toEqual(['inventory', 'media', 'search', 'seo'])
  for (const at of Object.values(times)) expect(Math.abs(Number(at) - Date.now())).toBeLessThan(600_000)
  expect((await history('123')).sort()).toEqual(
    ['inventory', 'media', 'search', 'seo'].flatMap((name) => [`${name}:done`, `${name}:pending`]),
  )
  for (const key of await client.keys('product:sync:*')) {
    expect(await client.ttl(key)).toBeGreaterThan(3_500)
    expect(await client.ttl(key)).toBeLessThanOrEqual(3_600)
  }
  expect(await mirror.state()).toEqual({ writing: true, behind: 0, open: 0, rebuilding: false })
})

test('what fails is retrying, then failed, and done once it is tried again with success; others are done', async () => {
  const mirror = await openMirror()
  failing.set('seo', new Set(['a']))
  failing.set('search', new Set(['a']))
  await happens('a')
  await happens('b')
  await mirror.runOnce()
  await engine.claimAll()
  await engine.tail.runOnce()
  for (const runner of engine.runners) await runner.runOnce()
  await mirror.runOnce()
  expect(await mirrored('a')).toEqual({ ...all('done'), seo: 'retrying', search: 'retrying' })
  expect(await history('a')).toContain('seo:retry')
  await engine.settle()
  await mirror.runOnce()
  expect(await mirrored('a')).toEqual({ ...all('done'), seo: 'failed', search: 'failed' })
  expect(await mirrored('b')).toEqual(all('done'))
  failing.clear()
  for (const { id } of await engine.db<{ id: number }>`select id from lockstep.failures`)
    await retryFailure(engine.db, id)
  engine.refresh()
  await engine.settle()
  // As a person's retry brings no event, it is seen by going through what is open.
  await expect
    .poll(async () => {
      await mirror.runOnce()
      return mirrored('a')
    })
    .toEqual(all('done'))
})

test('a consumer that a change does not concern stays as it is, and its time too', async () => {
  const mirror = await openMirror()
  await mirror.runOnce()
  await happens('a')
  await engine.settle()
  await mirror.runOnce()
  await client.hset('product:sync:a:timestamps', 'search', 1, 'inventory', 1)
  await happens('a', 'stock.updated')
  await mirror.runOnce()
  expect(await mirrored('a')).toEqual({ ...all('done'), inventory: 'pending' })
  await engine.settle()
  await mirror.runOnce()
  expect(await mirrored('a')).toEqual(all('done'))
  const { search, inventory } = await client.hgetall('product:sync:a:timestamps')
  expect(search).toBe('1')
  expect(inventory).not.toBe('1')
})

test('work that goes on behind a checkpoint is pending until it is finished or handed back', async () => {
  const mirror = await openMirror()
  await happens('film 1')
  await happens('film 2')
  await engine.settle()
  await mirror.runOnce()
  expect(await mirrored('film 1')).toEqual({ ...all('done'), media: 'pending' })
  await finishWork(engine.db, 'media', ['film 1'])
  await handBack(engine.db, 'media', ['film 2'])
  await mirror.runOnce()
  expect(await mirrored('film 1')).toEqual(all('done'))
  expect(await mirrored('film 2')).toEqual({ ...all('done'), media: 'retrying' })
})

test('one process writes; when it stops another goes on where it was, also with what no event tells of any more', async () => {
  const [one, two] = [await openMirror(), await openMirror()]
  await happens('a')
  await one.runOnce()
  await two.runOnce()
  expect([(await one.state()).writing, (await two.state()).writing]).toEqual([true, false])
  await engine.settle()
  await client.del('lockstep:sync:writer') // as when the first has died and its lease is over
  await two.runOnce()
  expect(await mirrored('a')).toEqual(all('done'))
  await expect(one.runOnce()).rejects.toThrow('another process')
  expect(await mirrored('a')).toEqual(all('done'))
})

test('a writer that begins tells the truth of a key that waits for events of before its time', async () => {
  const [one, two] = [await openMirror(), await openMirror()]
  await happens('a')
  await happens('a', 'stock.updated')
  await one.runOnce()
  await client.del('lockstep:sync:writer')
  await client.srem('lockstep:sync:open', 'a')
  await happens('a', 'stock.updated') // concerns inventory alone; the others have yet to come to the first
  await two.runOnce()
  expect(await mirrored('a')).toEqual(all('pending'))
  await engine.settle()
  await two.runOnce()
  expect(await mirrored('a')).toEqual(all('done'))
})

test('after FLUSHALL what changes, changed last or is not done comes back by itself, and the rest on request', async () => {
  const mirror = await openMirror(3)
  failing.set('search', new Set(['broken']))
  await mirror.runOnce()
  for (const key of ['quiet', 'broken', 'a']) await happens(key)
  await engine.settle()
  await mirror.runOnce()
  expect(await mirrored('quiet')).toEqual(all('done'))
  for (let n = 0; n < 3; n++) await happens('other/1', 'order.created')
  await engine.settle()
  await client.flushall()
  const signal = new AbortController()
  const running = mirror.run(signal.signal)
  try {
    await happens('a')
    await expect.poll(() => mirrored('a')).toEqual(all('pending'))
    await expect.poll(() => mirrored('broken')).toEqual({ ...all('done'), search: 'failed' })
    expect(await mirrored('quiet')).toEqual({})
    await mirror.rebuild()
    await expect.poll(() => mirrored('quiet')).toEqual(all('done'))
    await expect.poll(async () => (await mirror.state()).rebuilding).toBe(false)
  } finally {
    signal.abort()
    await running
  }
  expect(await client.exists('lockstep:sync:writer')).toBe(0)
})

test('while Redis is gone nothing waits for it, and what happened meanwhile is told once it is back', async () => {
  const mirror = await openMirror()
  const signal = new AbortController()
  const running = mirror.run(signal.signal)
  try {
    await happens('a')
    await expect.poll(() => mirrored('a')).toEqual(all('pending'))
    await redis.kill()
    await happens('b')
    await engine.settle()
    await redis.start()
    await happens('c')
    await expect.poll(() => mirrored('c')).toEqual(all('pending'))
    await engine.settle()
    await expect.poll(() => mirrored('c')).toEqual(all('done'))
  } finally {
    signal.abort()
    await running
  }
})

test('while Redis is full it is still used by others, and what happened meanwhile is told once there is room', async () => {
  const link = new RedisLink(redis.url, log)
  await link.connect()
  ends.push(() => link.close())
  const mirror = await openMirror(10_000, link)
  await happens('a')
  await mirror.runOnce()
  await client.config('SET', 'maxmemory', '1')
  try {
    await engine.settle()
    await happens('b')
    await expect(mirror.runOnce()).rejects.toThrow('OOM')
    await expect(mirror.runOnce()).rejects.toThrow('OOM')
    expect(link.up).toBe(true)
  } finally {
    await client.config('SET', 'maxmemory', '0')
  }
  await mirror.runOnce()
  expect(await mirrored('a')).toEqual(all('done'))
  expect(await mirrored('b')).toEqual(all('pending'))
})

test('what stands under a key and is something else is left alone, and holds up nothing', async () => {
  const mirror = await openMirror()
  await client.set('product:sync:mine', 'text')
  await happens('mine')
  await happens('a:history') // its hash would be the history of another
  await happens('a')
  await mirror.runOnce()
  expect(await client.get('product:sync:mine')).toBe('text')
  expect(await mirrored('a')).toEqual(all('pending'))
  expect(await client.exists('product:sync:a:history:timestamps')).toBe(0)
  expect(logged).toEqual(['the sync status in Redis is not as it should be'])
})

test('a consumer that is set back is pending for what changes then, until it has come again', async () => {
  const mirror = await openMirror()
  await mirror.runOnce()
  await happens('a')
  await engine.settle()
  await mirror.runOnce()
  await replay(engine.db, 'search', 0)
  await happens('a', 'stock.updated')
  await mirror.runOnce()
  expect(await mirrored('a')).toEqual({ ...all('done'), inventory: 'pending', search: 'pending' })
  await engine.settle()
  await mirror.runOnce()
  expect(await mirrored('a')).toEqual(all('done'))
})

test('a consumer that is forgotten leaves the statuses', async () => {
  const mirror = await openMirror()
  await client.hset('product:sync:a', 'gone', 'done')
  await happens('a')
  await mirror.runOnce()
  expect(await mirrored('a')).toEqual(all('pending'))
})

test('in any order of changes, steps and writers it says what is true', async () => {
  let mirror = await openMirror()
  await engine.claimAll()
  failing.set('search', new Set(['k3', 'k7']))
  failing.set('seo', new Set(['k5']))
  for (let round = 0; round < 25; round++) {
    for (let n = 0; n < 8; n++)
      await happens(`k${(round * 7 + n * 3) % 20}`, n % 3 === 0 ? 'stock.updated' : 'product.updated')
    await engine.tail.runOnce()
    for (const [n, runner] of engine.runners.entries()) if ((round + n) % 3 === 0) await runner.runOnce()
    await mirror.runOnce()
    for (let n = 0; n < 20; n++) {
      const key = `k${n}`
      const held = await mirrored(key)
      if (Object.keys(held).length > 0) expect({ key, ...held }).toEqual({ key, ...(await truth(key)) })
    }
    if (round % 8 !== 7) continue
    await client.del('lockstep:sync:writer')
    mirror = await openMirror() // another process, that knows nothing
  }
})
