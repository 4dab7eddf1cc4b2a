import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startRedis, type TestRedis } from '../../../test/redis.ts'
import type { Cache } from './cache.ts'
import { Caches } from './caches.ts'
import { MemoryGenerations, MemoryStore } from './memory.ts'

const logged: string[] = []
const log = pino({}, { write: (line: string) => void logged.push((JSON.parse(line) as { msg: string }).msg) })
let redis: TestRedis
const open: Caches[] = []

beforeAll(async () => {
  redis = await startRedis()
}, 120_000)
afterEach(async () => {
  for (const caches of open.splice(0)) await caches.close()
  logged.length = 0
})

let made = 0
/** Another process, as far as a cache can tell: with its own memory and connection. */
async function openCache(kind: 'memory' | 'redis', name = `test-${++made}`, maxEntries = 100): Promise<Cache> {
  const caches = new Caches(log, kind === 'redis' ? redis.url : undefined)
  open.push(caches)
  await caches.ready()
  return caches.open(name, { maxEntries })
}

const answers = (value: unknown, seconds = 60) => ({ key: 'k', tags: ['t'], make: async () => ({ value, seconds }) })
const fetch = (cache: Cache, value: unknown, { key = 'k', tags = ['t'], seconds = 60 } = {}) =>
  cache.fetch({ key, tags }, answers(value, seconds).make)

/** A reader that has read and not yet stored, until it is let go on. */
function pausedReader(cache: Cache, value: unknown) {
  let goOn: () => void = () => {}
  let hasRead: () => void = () => {}
  const read = new Promise<void>((resolve) => (hasRead = resolve))
  const waiting = new Promise<void>((resolve) => (goOn = resolve))
  const done = cache.fetch({ key: 'k', tags: ['t'] }, async () => {
    hasRead()
    await waiting
    return { value, seconds: 60 }
  })
  return { read, goOn: () => goOn(), done }
}

describe.each(['memory', 'redis'] as const)('in %s', (kind) => {
  test('what is kept is given until one of its tags changes, and nothing else is forgotten', async () => {
    const cache = await openCache(kind)
    expect(await fetch(cache, 'old', { tags: ['t', 'u'] })).toBe('old')
    await fetch(cache, 'other', { key: 'o', tags: ['o'] })
    expect(await fetch(cache, 'new', { tags: ['t', 'u'] })).toBe('old')
    await cache.drop(['u'])
    expect(await fetch(cache, 'new', { tags: ['t', 'u'] })).toBe('new')
    expect(await fetch(cache, 'newer', { key: 'o', tags: ['o'] })).toBe('other')
    expect(await cache.stats()).toMatchObject({
      kept: kind,
      hits: 2,
      misses: 3,
      hitRate: 0.4,
      invalidations: 1,
      entries: 2,
    })
  })

  test('a reader that stored only after the change puts nothing stale back', async () => {
    const cache = await openCache(kind)
    const slow = pausedReader(cache, 'old')
    await slow.read
    await cache.drop(['t'])
    slow.goOn()
    expect(await slow.done).toBe('old')
    expect(await fetch(cache, 'new')).toBe('new')
    expect(await fetch(cache, 'newer')).toBe('new')
  })

  test('who asks after a change does not get what somebody began to make before it', async () => {
    const cache = await openCache(kind)
    const slow = pausedReader(cache, 'old')
    await slow.read
    await cache.drop(['t'])
    expect(await fetch(cache, 'new')).toBe('new')
    slow.goOn()
    await slow.done
    expect(await fetch(cache, 'newer')).not.toBe('old')
  })

  test('who asks for the same at once shares one making', async () => {
    const cache = await openCache(kind)
    const slow = pausedReader(cache, 'one')
    await slow.read
    const others = [fetch(cache, 'two'), fetch(cache, 'three')]
    await delay(20) // time enough to make their own
    slow.goOn()
    expect(await Promise.all([slow.done, ...others])).toEqual(['one', 'one', 'one'])
  })

  test('what fails to be made is not kept, nor what may be kept for no time', async () => {
    const cache = await openCache(kind)
    await expect(cache.fetch({ key: 'k', tags: [] }, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await fetch(cache, 'a', { seconds: 0 })).toBe('a')
    expect(await fetch(cache, 'b', { seconds: 0.05 })).toBe('b')
    await expect.poll(() => fetch(cache, 'c')).toBe('c')
  })

  test('at most so many entries are kept: the least recently used go', async () => {
    const cache = await openCache(kind, `least-used-${kind}`, 3)
    const reader = kind === 'memory' ? cache : await openCache(kind, `least-used-${kind}`, 3)
    for (const key of ['a', 'b', 'c']) await fetch(cache, key, { key })
    await fetch(reader, 'again', { key: 'a' })
    await fetch(cache, 'd', { key: 'd' })
    const { entries, evictions } = await cache.stats()
    expect({ entries, evictions }).toEqual({ entries: 3, evictions: 1 })
    expect(await fetch(reader, 'again', { key: 'a' })).toBe('a')
    expect(await fetch(reader, 'again', { key: 'b' })).toBe('again')
  })

  test('clearing forgets everything of this cache', async () => {
    const cache = await openCache(kind)
    const slow = pausedReader(cache, 'old')
    await slow.read
    await fetch(cache, 'other', { key: 'o', tags: [] })
    await cache.clear()
    slow.goOn()
    await slow.done
    expect(await fetch(cache, 'new', { key: 'o', tags: [] })).toBe('new')
    expect(await fetch(cache, 'new')).toBe('new')
  })
})

test('large answers leave memory before there are too many', async () => {
  const store = new MemoryStore(100, 1_000)
  for (let n = 0; n < 10; n++) await store.set(`k${n}`, '1', { value: 'x'.repeat(300) }, 60)
  await store.set('huge', '1', { value: 'x'.repeat(2_000) }, 60)
  expect(await store.entries()).toBe(3)
  expect(await store.get('k9', Promise.resolve('1'))).toBeDefined()
  expect(await store.get('huge', Promise.resolve('1'))).toBeUndefined()
})

test('generations that were forgotten take entries too many, and none too few', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 }), async (changes) => {
      const generations = new MemoryGenerations(3)
      const tags = Array.from({ length: 10 }, (_, n) => `t${n}`)
      for (const change of changes) {
        const before = await Promise.all(tags.map((tag) => generations.read([tag])))
        await generations.renew([`t${change}`])
        expect(await generations.read([`t${change}`])).not.toBe(before[change])
        expect(await generations.read(tags)).not.toBe(before.join())
      }
    }),
  )
})

describe('several processes over one Redis', () => {
  test('share what one has made, and what one drops is gone for all', async () => {
    const [one, two] = [await openCache('redis', 'shared'), await openCache('redis', 'shared')]
    await fetch(one, 'old')
    expect(await fetch(two, 'new')).toBe('old')
    await two.drop(['t'])
    expect(await fetch(one, 'new')).toBe('new')
    expect(await fetch(two, 'newer')).toBe('new')
  })

  test('a slow reader in one puts nothing stale back after the change was told by another', async () => {
    const [one, two] = [await openCache('redis', 'slow'), await openCache('redis', 'slow')]
    const slow = pausedReader(one, 'old')
    await slow.read
    await two.drop(['t'])
    slow.goOn()
    await slow.done
    expect(await fetch(two, 'new')).toBe('new')
    expect(await fetch(one, 'newer')).toBe('new')
  })

  test('a copy dies with its original, though the clock of its process is an hour behind', async () => {
    const [one, two] = [await openCache('redis', 'clocks'), await openCache('redis', 'clocks')]
    await fetch(one, 'old', { seconds: 5 })
    const { now } = Date
    Date.now = () => now() - 3_600_000
    const given = await fetch(two, 'new').finally(() => (Date.now = now))
    expect(given).toBe('old')
    await expect.poll(() => fetch(two, 'new')).toBe('new')
  })

  test('an entry stands under its own key, readable to others', async () => {
    const cache = await openCache('redis')
    await fetch(cache, { some: 'answer' }, { key: 'search:cache:category:lamps:1' })
    const client = new Redis(redis.url)
    expect(JSON.parse((await client.get('search:cache:category:lamps:1')) ?? '')).toMatchObject({
      value: { some: 'answer' },
    })
    expect(await client.ttl('search:cache:category:lamps:1')).toBeLessThanOrEqual(60)
    client.disconnect()
  })

  test('what else stands under a key is no entry', async () => {
    const cache = await openCache('redis')
    const client = new Redis(redis.url)
    for (const [key, text] of Object.entries({ junk: '{', other: '{"a":1}', nothing: 'null' })) {
      await client.set(key, text)
      expect(await fetch(cache, 'made', { key })).toBe('made')
    }
    client.disconnect()
  })
})

describe('when Redis', () => {
  const back = async (cache: Cache) => {
    while ((await cache.stats()).fallback) await delay(10)
  }

  test('dies, reads go past it, it is said once, and it comes back by itself without what was dropped meanwhile', async () => {
    const [cache, other] = [await openCache('redis', 'dying'), await openCache('redis', 'dying')]
    await fetch(cache, 'old')
    await redis.kill()
    expect(await fetch(cache, 'read')).toBe('read')
    expect(await fetch(cache, 'read again')).toBe('read again')
    await cache.drop(['t'])
    expect(await cache.stats()).toMatchObject({ fallback: true, bypassed: 2 })
    await redis.start()
    await Promise.all([back(cache), back(other)])
    expect(await fetch(other, 'new')).toBe('new')
    expect(await fetch(cache, 'newer')).toBe('new')
    expect(logged.filter((line) => line.startsWith('Redis is gone'))).toHaveLength(2) // one each
    expect(logged.filter((line) => line.startsWith('Redis is back'))).toHaveLength(2)
  })

  test('stops answering, a reader waits half a second at most, and nothing of before the stop is given after it', async () => {
    const cache = await openCache('redis')
    await fetch(cache, 'old')
    redis.pause()
    try {
      expect(await fetch(cache, 'read')).toBe('read')
      await cache.drop(['t'])
      expect((await cache.stats()).fallback).toBe(true)
    } finally {
      redis.resume()
    }
    await back(cache)
    expect(await fetch(cache, 'new')).toBe('new')
  })

  test('stops answering many readers at once, its connection is ended once, not once a reader', async () => {
    const cache = await openCache('redis')
    await fetch(cache, 'old')
    const warnings: Error[] = []
    const warned = (warning: Error) => void warnings.push(warning)
    process.on('warning', warned)
    redis.pause()
    try {
      const keys = Array.from({ length: 40 }, (_, n) => `k${n}`)
      await Promise.all(keys.map((key) => fetch(cache, 'read', { key })))
      await delay(0) // a warning is told in the next turn
    } finally {
      redis.resume()
      process.off('warning', warned)
    }
    await back(cache)
    expect(warnings).toEqual([])
  })

  test('a reader that was under way while it died puts nothing stale back', async () => {
    const cache = await openCache('redis')
    const slow = pausedReader(cache, 'old')
    await slow.read
    await redis.kill()
    await cache.drop(['t'])
    await redis.start()
    await back(cache)
    slow.goOn()
    await slow.done
    expect(await fetch(cache, 'new')).toBe('new')
  })

  test.each(['flushall', 'one tag'])('forgets (%s), a slow reader puts nothing stale back', async (what) => {
    const cache = await openCache('redis', `forgets ${what}`)
    await cache.drop(['t'])
    const slow = pausedReader(cache, 'old')
    await slow.read
    await cache.drop(['t'])
    const client = new Redis(redis.url)
    if (what === 'flushall') await client.flushall()
    else await client.del(`lockstep:cache:forgets ${what}:tag:t`)
    client.disconnect()
    slow.goOn()
    await slow.done
    expect(await fetch(cache, 'new')).toBe('new')
  })

  test('was never there, everything is read and nothing waits', async () => {
    const caches = new Caches(log, 'redis://127.0.0.1:1')
    open.push(caches)
    const cache = caches.open('nowhere')
    expect(await fetch(cache, 'a')).toBe('a')
    await caches.ready()
    expect(await fetch(cache, 'b')).toBe('b')
    await cache.clear()
    expect(caches.fallback).toBe(true)
  })
})

test('a process that ends leaves no connection behind', async () => {
  const caches = new Caches(log, redis.url)
  caches.open('ends')
  await caches.ready()
  const client = new Redis(redis.url)
  await once(client, 'ready')
  const connected = async () => Number(/connected_clients:(\d+)/.exec(await client.info('clients'))?.[1])
  const before = await connected()
  await caches.close()
  while ((await connected()) >= before) await delay(5)
  client.disconnect()
})
