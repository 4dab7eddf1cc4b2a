/** Links whose content changes under them: looked at again, told when it is new, and free when it is not. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { App } from '../../engine/http.ts'
import { syncStatus } from '../../engine/sync-status.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { type CatalogService, catalogService } from '../catalog/service.ts'
import { photo, type TestServer, testServer } from './media-testing.ts'
import type { MediaNow } from './read.ts'
import { RECIPE } from './recipe.ts'
import { type MediaService, mediaService } from './service.ts'

let server: TestServer
let engine: TestEngine
let app: App
let catalog: CatalogService
let media: MediaService
let token: string
let directory: string

beforeAll(async () => {
  server = await testServer()
  directory = await mkdtemp(join(tmpdir(), 'lockstep-again-'))
  const made = await testEngine((await createTestDatabase()).url, (engine) => {
    catalog = catalogService(engine)
    const retry = { attempts: 2, firstMs: 0, maxMs: 0 }
    media = mediaService(engine, { directory, privateHosts: true, retry, setMedia: async () => ({ version: 0 }) })
    return [catalog, media]
  })
  engine = made.engine
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  const parts = { settings: httpDefaults, auth, log: pino({ level: 'silent' }), metrics: new Registry(), version: '0' }
  app = await buildServer({ ...parts, services: made.services })
  token = await auth.issueToken({ role: 'ADMIN', subject: 'tester', ttlSeconds: 600 })
})
afterAll(async () => {
  media.close()
  await app.close()
  await engine.close()
  await server.close()
  await rm(directory, { recursive: true })
})
afterEach(async () => {
  expect(await media.verify(engine.db)).toEqual([])
})

/** A link with a content that can be changed, on a server that knows what it gave; `given` counts the bodies. */
async function link(path: string, seed: number) {
  const shown = { seed, content: await photo(60, 40, seed).png().toBuffer(), given: 0, status: 200 }
  server.at.set(path, (request, response) => {
    const etag = `"${shown.seed}"`
    if (shown.status !== 200) return response.writeHead(shown.status).end()
    if (request.headers['if-none-match'] === etag) return response.writeHead(304).end()
    shown.given++
    return response.writeHead(200, { 'content-type': 'image/png', etag }).end(shown.content)
  })
  return Object.assign(shown, {
    url: `${server.url}${path}`,
    async becomes(seed: number) {
      shown.content = await photo(60, 40, seed).png().toBuffer()
      shown.seed = seed
    },
  })
}
async function work() {
  await engine.settle()
  while (await media.workOnce()) await engine.settle()
  await engine.settle()
}
async function put(id: string, title: string, ...urls: string[]) {
  const variants = [{ sku: `${id}-A`, options: {}, price: { amount: 1, currency: 'EUR' } }]
  const rest = { description: '', vendorId: null, category: null, tags: [], attributes: {}, status: 'active' as const }
  await catalog.execute({ type: 'put', product: { id, title, ...rest, variants, media: urls.map((url) => ({ url })) } })
  await work()
}
const daysLater = () => engine.db`
  with seen as (update media.wanted set seen_at = seen_at - interval '2 days')
  update media.links set looked_at = looked_at - interval '2 days'`
const told = async (id: string) =>
  (
    await engine.db<{ data: string }>`select data from lockstep.events where entity = ${`media/${id}`} order by version`
  ).map(({ data }) => JSON.parse(data).media[0].asset.hash as string)
const hashOf = async (id: string) => (await told(id)).at(-1)
async function call(method: 'GET' | 'POST', url: string) {
  const reply = await app.inject({ method, url: `/v1${url}`, headers: { authorization: `Bearer ${token}` } })
  return { status: reply.statusCode, body: reply.json() }
}
const listOf = async (id: string): Promise<MediaNow[]> => (await call('GET', `/products/${id}/media`)).body.media
const statusOf = async (id: string) =>
  (await syncStatus(engine.db, id)).consumers.find(({ consumer }) => consumer === 'media')?.status

test('a change of the product asks a link only once it is old, and one that is the same gives no bytes and no event', async () => {
  const image = await link('/same.png', 1)
  await put('same', 'Lamp', image.url)
  await put('same', 'Lamp of today', image.url)
  expect(server.asked.get('/same.png')).toBe(1)
  await daysLater()
  await put('same', 'Lamp of the day after tomorrow', image.url)
  expect([server.asked.get('/same.png'), image.given]).toEqual([2, 1])
  await put('same', 'Lamp of that evening', image.url)
  expect(server.asked.get('/same.png')).toBe(2)
  expect(await told('same')).toHaveLength(1)
})

test('new content under the same link is told for every product that shows it, and what was is shown until then', async () => {
  const image = await link('/new.png', 2)
  await put('one', 'One', image.url)
  await put('two', 'Two', image.url)
  const before = await hashOf('one')
  await image.becomes(3)
  await daysLater()
  await catalog.execute({ type: 'update', productId: 'one', fields: { title: 'One more' } })
  await engine.settle()
  expect((await listOf('one'))[0]).toMatchObject({ state: 'ready', asset: { hash: before } })
  expect(await statusOf('one')).toBe('done')
  await work()
  const after = await hashOf('one')
  expect(after).not.toBe(before)
  expect(await told('two')).toEqual([before, after])
  expect((await listOf('two'))[0]).toMatchObject({ asset: { hash: after }, lookedAt: expect.any(String) })
})

test('a refetch by hand looks at once, and a link that is gone by then leaves what was, and says so', async () => {
  const image = await link('/gone.png', 4)
  await put('gone', 'Gone', image.url)
  image.status = 404
  expect(await call('POST', '/products/gone/media/refetch')).toEqual({
    status: 202,
    body: { productId: 'gone', links: 1 },
  })
  await work()
  expect(await listOf('gone')).toMatchObject([{ state: 'ready', asset: { width: 60 }, failure: 'HTTP 404' }])
  expect(await statusOf('gone')).toBe('done')
  expect(await told('gone')).toHaveLength(1)
  image.status = 200
  await image.becomes(5)
  await call('POST', '/products/gone/media/refetch')
  await work()
  expect(await told('gone')).toHaveLength(2)
  expect((await listOf('gone'))[0]).not.toHaveProperty('failure')
  expect((await call('POST', '/products/nobody/media/refetch')).status).toBe(404)
})

test('a look that its process did not live to finish is finished by another, and its late answer counts no more', async () => {
  const image = await link('/late.png', 6)
  await put('late', 'Late', image.url)
  const answers: (() => void)[] = []
  const asked = new Promise<void>((resolve) => {
    server.at.set('/late.png', (_, response) => {
      answers.push(() => response.writeHead(200, { 'content-type': 'image/png' }).end(image.content))
      resolve()
    })
  })
  await call('POST', '/products/late/media/refetch')
  const dying = media.workOnce()
  await asked
  const fresh = await link('/late.png', 7)
  await engine.db`update media.links set due_at = clock_timestamp() where again` // it beats no more
  await work()
  const now = await hashOf('late')
  expect(fresh.given).toBe(1)
  for (const answer of answers) answer()
  await dying
  await work()
  expect(await hashOf('late')).toBe(now)
  expect((await listOf('late'))[0]?.asset?.hash).toBe(now)
})

test('what an earlier recipe made is made anew by a look, whatever its server says', async () => {
  const image = await link('/recipe.png', 8)
  await put('recipe', 'Recipe', image.url)
  await engine.db`update media.assets set recipe = 1 where hash = ${(await hashOf('recipe')) ?? ''}`
  await call('POST', '/products/recipe/media/refetch')
  await work()
  const [row] = await engine.db<{
    recipe: number
  }>`select recipe from media.assets where hash = ${(await hashOf('recipe')) ?? ''}`
  expect([row?.recipe, image.given]).toEqual([RECIPE, 2])
})
