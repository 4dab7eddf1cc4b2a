import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { startRedis, type TestRedis } from '../../../test/redis.ts'
import { Caches } from '../../engine/cache/caches.ts'
import type { Database } from '../../engine/database.ts'
import type { Engine } from '../../engine/engine.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { Details } from './details.ts'
import { normalProduct } from './product.ts'
import { type CatalogService, catalogService } from './service.ts'

let url: string
let redis: TestRedis
let client: Redis
const ends: (() => Promise<unknown>)[] = []

interface Process {
  engine: TestEngine
  catalog: CatalogService
  details: Details
  caches: Caches
  /** From here on it hears of nothing. */
  cutOff: () => void
}

/** As one process has it: with its own connections and memory, hearing of what commits. */
async function startProcess(
  kind: 'memory' | 'redis',
  db?: (engine: Engine) => Database,
  cutOffMs?: number,
): Promise<Process> {
  let caches: Caches | undefined
  let details: Details | undefined
  const { engine, services } = await testEngine(
    url,
    (engine) => {
      caches = new Caches(engine.log, kind === 'redis' ? redis.url : undefined)
      const catalog = catalogService(engine, undefined, caches)
      const cache = caches.get('products')
      details = new Details(db?.(engine) ?? engine.db, engine, cache)
      return [catalog] as const
    },
    cutOffMs === undefined ? {} : { cutOffMs },
  )
  const stop = new AbortController()
  const running = engine.tail.run(stop.signal)
  ends.push(async () => {
    stop.abort()
    await running
    await caches?.close()
    await engine.close()
  })
  await caches?.ready()
  while (!engine.observing) await new Promise(setImmediate)
  return {
    engine,
    catalog: services[0],
    details: details as Details,
    caches: caches as Caches,
    cutOff: () => stop.abort(),
  }
}

const create = ({ catalog }: Process, id: string, title: string) =>
  catalog.execute({ type: 'create', product: normalProduct({ id, title, variants: [] }) })
const retitle = ({ catalog }: Process, id: string, title: string) =>
  catalog.execute({ type: 'update', productId: id, fields: { title } })
const titleOf = async ({ details }: Pick<Process, 'details'>, id: string) => {
  const found = await details.read(id)
  return found && (JSON.parse(found.product) as { title: string }).title
}

beforeAll(async () => {
  url = (await createTestDatabase()).url
  redis = await startRedis()
  client = new Redis(redis.url)
  client.on('error', () => {})
}, 120_000)
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})
afterAll(() => client.disconnect())

test.each([
  'memory',
  'redis',
] as const)('in %s, who writes a product reads what was written, and nobody asks the database twice', async (kind) => {
  const one = await startProcess(kind)
  const id = `lamp-${kind}`
  await create(one, id, 'Lamp')
  for (let n = 0; n < 20; n++) {
    await retitle(one, id, `Lamp ${n}`)
    expect(await titleOf(one, id)).toBe(`Lamp ${n}`)
    expect(await titleOf(one, id)).toBe(`Lamp ${n}`)
  }
  expect(await one.caches.get('products')?.stats()).toMatchObject({ kept: kind, hits: 20, misses: 20 })
  await one.catalog.execute({ type: 'delete', productId: id })
  expect(await titleOf(one, id)).toBeUndefined()
})

test.each([
  'memory',
  'redis',
] as const)('in %s, what another process changed is soon told, and never again what was before', async (kind) => {
  const [one, two] = [await startProcess(kind), await startProcess(kind)]
  const id = `desk-${kind}`
  await create(one, id, 'Desk 0')
  let seen = 0
  for (let n = 1; n <= 30; n++) {
    await retitle(n % 2 === 0 ? one : two, id, `Desk ${n}`)
    const told = Number((await titleOf(one, id))?.slice(5))
    expect(told).toBeGreaterThanOrEqual(seen)
    seen = told
  }
  await expect.poll(() => titleOf(one, id)).toBe('Desk 30')
  await expect.poll(() => titleOf(two, id)).toBe('Desk 30')
})

test.each([
  'memory',
  'redis',
] as const)('in %s, a reader that read before a change and stores after it puts nothing stale back', async (kind) => {
  let goOn: () => void = () => {}
  let hasRead: () => void = () => {}
  const changed = new Promise<void>((resolve) => (goOn = resolve))
  const read = new Promise<void>((resolve) => (hasRead = resolve))
  const slow = await startProcess(
    kind,
    (engine) =>
      Object.assign(async (...statement: Parameters<Database>) => {
        const rows = await engine.db(...statement)
        hasRead()
        await changed
        return rows
      }, engine.db) as Database,
  )
  const id = `chair-${kind}`
  await create(slow, id, 'Old')
  const late = titleOf(slow, id)
  await read
  await retitle(slow, id, 'New')
  goOn()
  expect(await late).toBe('Old')
  expect(await titleOf(slow, id)).toBe('New')
})

test.each([
  'memory',
  'redis',
] as const)('in %s, what a process committed and died before it could tell of is heard of by the others all the same', async (kind) => {
  const [one, two] = [await startProcess(kind), await startProcess(kind)]
  const id = `stool-${kind}`
  await create(one, id, 'Old')
  expect(await titleOf(one, id)).toBe('Old')
  two.engine.tail.appended = () => {}
  const drop = two.caches.get('products')
  if (drop) drop.drop = async () => {}
  await retitle(two, id, 'New')
  await expect.poll(() => titleOf(one, id)).toBe('New')
})

test('a process that is cut off from the log answers nothing that it kept, until it has heard of all it missed', async () => {
  const [one, two] = [await startProcess('memory', undefined, 1_000), await startProcess('memory')]
  await create(one, 'bench', 'Old')
  expect(await titleOf(one, 'bench')).toBe('Old')
  one.cutOff()
  await expect.poll(() => one.engine.observing, { timeout: 10_000 }).toBe(false)
  await retitle(two, 'bench', 'New')
  expect(await titleOf(one, 'bench')).toBe('New')
  const heard = async () => !(await one.engine.tail.runOnce()) && one.engine.observing
  await expect.poll(heard, { timeout: 10_000 }).toBe(true)
  expect(await titleOf(one, 'bench')).toBe('New')
})

test('it stands in Redis under product:{productId}, for 300 seconds, and is deleted when the product or its stock changes', async () => {
  const one = await startProcess('redis')
  await create(one, 'mug', 'Mug')
  await titleOf(one, 'mug')
  const entry = JSON.parse((await client.get('product:mug')) ?? '{}') as { value: { product: string } }
  expect(JSON.parse(entry.value.product)).toMatchObject({ id: 'mug', title: 'Mug' })
  expect(await client.ttl('product:mug')).toBeGreaterThan(290)
  await retitle(one, 'mug', 'Cup')
  await expect.poll(() => client.exists('product:mug')).toBe(0)
  await titleOf(one, 'mug')
  expect(await client.exists('product:mug')).toBe(1)
  one.details.drop(['mug'])
  await expect.poll(() => client.exists('product:mug')).toBe(0)
})

test('a product whose key would be that of another’s sync status is read past the cache', async () => {
  const one = await startProcess('redis')
  await client.hset('product:sync:1', 'search', 'done')
  await create(one, 'sync:1', 'One')
  expect(await titleOf(one, 'sync:1')).toBe('One')
  await retitle(one, 'sync:1', 'Two')
  expect(await titleOf(one, 'sync:1')).toBe('Two')
  expect(await client.hgetall('product:sync:1')).toEqual({ search: 'done' })
  expect(one.caches.fallback).toBe(false)
})

test('while Redis is gone products are read and written, and what changed meanwhile is told once it is back', async () => {
  const one = await startProcess('redis')
  await create(one, 'rug', 'Old')
  expect(await titleOf(one, 'rug')).toBe('Old')
  await redis.kill()
  expect(await titleOf(one, 'rug')).toBe('Old')
  await retitle(one, 'rug', 'New')
  expect(await titleOf(one, 'rug')).toBe('New')
  await redis.start()
  await expect.poll(() => one.caches.fallback).toBe(false)
  expect(await titleOf(one, 'rug')).toBe('New')
})
