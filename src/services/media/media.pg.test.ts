/** Media through the real log, over HTTP, with real images from a real server. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import { retryKey } from '../../engine/failures.ts'
import type { App } from '../../engine/http.ts'
import { syncStatus } from '../../engine/sync-status.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { catalogService } from '../catalog/service.ts'
import { frames, mp4, photo, serves, type TestServer, testServer } from './media-testing.ts'
import type { MediaNow } from './read.ts'
import { type MediaService, mediaService } from './service.ts'

let server: TestServer
let engine: TestEngine
let app: App
let media: MediaService
let token: string
let directory: string

beforeAll(async () => {
  server = await testServer()
  directory = await mkdtemp(join(tmpdir(), 'lockstep-media-'))
  const made = await testEngine((await createTestDatabase()).url, (engine) => {
    const catalog = catalogService(engine)
    media = mediaService(engine, {
      directory,
      privateHosts: true,
      retry: { attempts: 3, firstMs: 0, maxMs: 0 },
      limits: { framesMax: 5, pixelsMax: 2_000_000, imageBytesMax: 1_000_000 },
      setMedia: async (productId, media, options) => {
        const { answer } = await catalog.execute({ type: 'update', productId, fields: { media } }, options)
        return { version: answer.version }
      },
    })
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

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'HEAD'
async function call(method: Method, url: string, body?: object | Buffer, headers: Record<string, string> = {}) {
  const reply = await app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(body && { payload: body }),
  })
  const json = /json/.test(String(reply.headers['content-type'])) && reply.body !== ''
  return {
    status: reply.statusCode,
    headers: reply.headers,
    body: json ? reply.json() : undefined,
    bytes: reply.rawPayload,
  }
}
/** Everything that is to be done, done. */
async function work() {
  await engine.settle()
  while (await media.workOnce()) await engine.settle()
  await engine.settle()
}
let n = 0
const put = async (...urls: string[]) => {
  const id = `p${++n}`
  const variants = [{ sku: `${id}-A`, price: { amount: 100, currency: 'EUR' } }]
  const { status } = await call('POST', '/products', {
    id,
    title: 'Lamp',
    variants,
    media: urls.map((url) => ({ url })),
  })
  expect(status).toBe(201)
  return id
}
const at = (path: string, ...answer: Parameters<typeof serves>) => {
  server.at.set(path, serves(...answer))
  return `${server.url}${path}`
}
const statusOf = async (id: string) =>
  (await syncStatus(engine.db, id)).consumers.find(({ consumer }) => consumer === 'media')
const listOf = async (id: string): Promise<MediaNow[]> => (await call('GET', `/products/${id}/media`)).body.media
const eventsOf = (id: string) =>
  engine.db<{ version: number; data: string }>`
    select version, data from lockstep.events where entity = ${`media/${id}`} order by version`
const png = (width: number, height: number, seed?: number) => photo(width, height, seed).png().toBuffer()

describe('following the catalog', () => {
  test('an image is made into every size it has pixels for, and its product is pending until it is', async () => {
    const id = await put(at('/one.png', await png(700, 500, 1)))
    await engine.settle()
    expect(await statusOf(id)).toMatchObject({ status: 'pending', pendingSince: expect.any(Date) })
    expect(await listOf(id)).toEqual([{ source: `${server.url}/one.png`, state: 'pending', attempts: 0 }])
    await work()
    expect(await statusOf(id)).toMatchObject({ status: 'done' })
    const [{ asset } = {}] = await listOf(id)
    expect(asset).toMatchObject({ kind: 'image', contentType: 'image/png', width: 700, height: 500 })
    expect(asset?.renditions.map(({ name, width, height }) => [name, width, height])).toEqual([
      ['thumb', 160, 114],
      ['small', 320, 229],
      ['medium', 640, 457],
      ['large', 700, 500],
    ])
    const [event] = await eventsOf(id)
    expect(JSON.parse(event?.data ?? '')).toMatchObject({
      productId: id,
      media: [{ source: `${server.url}/one.png`, asset }],
    })
  })

  test('one content behind two links and two products is fetched by link and made once', async () => {
    const content = await png(200, 200, 2)
    const [a, b] = [at('/same-a.png', content), at('/same-b.png', content)]
    const [one, two] = [await put(a), await put(a, b)]
    await work()
    const hashes = [...(await listOf(one)), ...(await listOf(two))].map(({ asset }) => asset?.hash)
    expect(new Set(hashes).size).toBe(1)
    expect(hashes).toHaveLength(3)
    expect([server.asked.get('/same-a.png'), server.asked.get('/same-b.png')]).toEqual([1, 1])
  })

  test('a change of the product that leaves its media alone asks for nothing and tells nothing', async () => {
    const id = await put(at('/still.png', await png(100, 100, 3)))
    await work()
    await call('PATCH', `/products/${id}`, { title: 'Other lamp' })
    await engine.settle()
    expect(await statusOf(id)).toMatchObject({ status: 'done' })
    expect(await media.workOnce()).toBe(false)
    expect(await eventsOf(id)).toHaveLength(1)
    expect(server.asked.get('/still.png')).toBe(1)
  })

  test('a new order and a deletion are told at once', async () => {
    const [a, b] = [at('/a.png', await png(80, 80, 4)), at('/b.png', await png(80, 80, 5))]
    const id = await put(a, b)
    await work()
    await call('PATCH', `/products/${id}`, { media: [{ url: b }, { url: a, alt: 'from the side' }] })
    await work()
    expect((await listOf(id)).map(({ source, alt }) => [source, alt])).toEqual([
      [b, undefined],
      [a, 'from the side'],
    ])
    await call('DELETE', `/products/${id}`)
    await work()
    expect((await eventsOf(id)).map(({ data }) => JSON.parse(data).media.length)).toEqual([2, 2, 0])
    expect(await statusOf(id)).toMatchObject({ status: 'done' })
    expect((await call('GET', `/products/${id}/media`)).status).toBe(404)
  })

  test('products without media are done by being seen', async () => {
    const id = await put()
    await engine.settle()
    expect(await statusOf(id)).toMatchObject({ status: 'done' })
    expect(await eventsOf(id)).toEqual([])
  })

  test('a photograph lying on its side is shown upright, and where it was taken is left out', async () => {
    const exif = { IFD0: { Copyright: 'somebody' } }
    const lying = await photo(300, 200, 6).withExif(exif).withMetadata({ orientation: 6 }).jpeg().toBuffer()
    const id = await put(at('/lying.jpg', lying, 'image/jpeg'))
    await work()
    const [{ asset } = {}] = await listOf(id)
    expect([asset?.width, asset?.height]).toEqual([200, 300])
    const shown = await call('GET', `${asset?.url}/thumb.jpg`)
    const { width, height, exif: kept } = await sharp(shown.bytes).metadata()
    expect([width, height, kept]).toEqual([107, 160, undefined])
  })

  test('what moves still moves as WebP, is a still as AVIF and JPEG, and is told to be moving', async () => {
    const delay = [100, 100, 300]
    const gif = await (await frames(3, 400, 200)).gif({ delay, loop: 2 }).toBuffer()
    const id = await put(at('/moving.gif', gif, 'image/gif'))
    await work()
    const [{ asset } = {}] = await listOf(id)
    expect(asset).toMatchObject({ contentType: 'image/gif', width: 400, height: 200 })
    expect(asset?.animation).toEqual({ frames: 3, durationMs: 500, loops: 2 })
    const [event] = await eventsOf(id)
    expect(JSON.parse(event?.data ?? '').media[0].asset.animation).toEqual(asset?.animation)
    const seen = async (file: string, accept = '*/*') => {
      const { bytes } = await call('GET', `${asset?.url}/${file}`, undefined, { accept })
      const { format, pages = 1, width, pageHeight, height, delay } = await sharp(bytes, { animated: true }).metadata()
      return [format, pages, width, pageHeight ?? height, ...(delay ?? [])]
    }
    expect(await seen('thumb.webp')).toEqual(['webp', 3, 160, 80, ...delay])
    expect(await seen('medium.webp')).toEqual(['webp', 3, 400, 200, ...delay])
    expect(await seen('thumb.avif')).toEqual(['heif', 1, 160, 80])
    expect(await seen('thumb.jpg')).toEqual(['jpeg', 1, 160, 80])
    expect(await seen('thumb', 'image/avif,image/webp')).toEqual(['webp', 3, 160, 80, ...delay])
    expect(await seen('thumb', 'image/avif')).toEqual(['heif', 1, 160, 80])
  })

  test('what moves with too many pixels over all its frames is a still', async () => {
    const webp = await (await frames(4, 800, 800)).webp().toBuffer() // 2.56 million, 2 are the most
    const id = await put(at('/too-much.webp', webp, 'image/webp'))
    await work()
    const [{ state, asset } = {}] = await listOf(id)
    expect([state, asset?.animation]).toEqual(['ready', undefined])
    const { pages } = await sharp((await call('GET', `${asset?.url}/thumb.webp`)).bytes).metadata()
    expect(pages).toBeUndefined()
  })

  test('what an earlier recipe made is shown until it is made anew', async () => {
    const id = await put(at('/old.png', await png(90, 90, 61)))
    await work()
    const [{ asset } = {}] = await listOf(id)
    await engine.db`update media.assets set recipe = 1 where hash = ${asset?.hash ?? ''}`
    const { status, headers } = await call('GET', `${asset?.url}/thumb.webp`)
    expect([status, headers.etag]).toEqual([200, expect.stringMatching(/-1"$/)])
  })

  test('a video tells its size, length, codec and frame rate', async () => {
    const id = await put(at('/clip.mp4', mp4(), 'video/mp4'))
    await work()
    const [{ asset } = {}] = await listOf(id)
    expect(asset).toMatchObject({
      kind: 'video',
      contentType: 'video/mp4',
      width: 640,
      height: 360,
      renditions: [],
      video: { durationMs: 2_000, codec: 'AVC', frameRate: 25 },
    })
  })
})

describe('what can’t be used', () => {
  const hostile: [string, () => Promise<Buffer | string>, RegExp][] = [
    [
      'bomb',
      () =>
        sharp({ create: { width: 9_000, height: 9_000, channels: 3, background: '#fff' } })
          .png()
          .toBuffer(),
      /9000 × 9000 pixels/,
    ],
    ['truncated', async () => (await png(600, 600, 7)).subarray(0, 1_500), /it is broken/],
    ['truncated-jpeg', async () => (await photo(600, 600, 7).jpeg().toBuffer()).subarray(0, 2_000), /it is broken/],
    ['nothing-behind-the-head', async () => (await png(60, 60)).subarray(0, 40), /it is broken/],
    ['drawing', async () => '<svg xmlns="x"><image href="file:///etc/passwd"/></svg>', /SVG/],
    ['entities', async () => '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaa">]><svg>&a;</svg>', /SVG/],
    ['huge', async () => Buffer.concat([await png(60, 60), Buffer.alloc(1_000_000)]), /larger than/],
    ['many-frames', async () => (await frames(8)).gif().toBuffer(), /8 frames, 5 are the most/],
    ['no-video', async () => mp4().subarray(0, 40), /no video in it/],
    ['empty', async () => '', /it is empty/],
  ]

  test.each(hostile)('%s is the failure of its product alone, with the reason', async (name, make, said) => {
    const good = at(`/good-${name}.png`, await png(90, 90, 8))
    const bad = at(`/${name}.png`, await make())
    const [hurt, whole] = [await put(good, bad), await put(good)]
    await work()
    expect(await statusOf(hurt)).toMatchObject({ status: 'failed', error: expect.stringMatching(said) })
    expect((await statusOf(hurt))?.error).toContain(bad)
    expect(await statusOf(whole)).toMatchObject({ status: 'done' })
    const [first, second] = await listOf(hurt)
    expect(first).toMatchObject({ state: 'ready' })
    expect(second).toMatchObject({ state: 'failed', failure: expect.stringMatching(said) })
    const last = JSON.parse((await eventsOf(hurt)).at(-1)?.data ?? '')
    expect(last.media[1]).toEqual({ source: bad, failure: second?.failure })
  })

  test('a path that is no upload of ours says so', async () => {
    const id = await put('/images/lamp.jpg', `/media/${'0'.repeat(64)}`)
    await work()
    const { error } = (await statusOf(id)) ?? {}
    expect(error).toContain('/images/lamp.jpg: it is a path of this shop')
    expect(error).toContain('nothing with this content was uploaded')
  })

  test('a server that fails is tried three times, and the product is pending meanwhile', async () => {
    server.at.set('/sick.png', (_, response) => response.writeHead(500).end())
    const id = await put(`${server.url}/sick.png`)
    await engine.settle()
    await media.workOnce()
    expect(await statusOf(id)).toMatchObject({ status: 'pending' })
    expect(await listOf(id)).toMatchObject([{ state: 'pending', attempts: 1, failure: 'HTTP 500' }])
    await work()
    expect(server.asked.get('/sick.png')).toBe(3)
    expect(await statusOf(id)).toMatchObject({ status: 'failed', error: `${server.url}/sick.png: HTTP 500` })
  })

  test('a change of something else leaves the failure standing, a retry by hand tries the link again and heals all who wait', async () => {
    server.at.set('/later.png', (_, response) => response.writeHead(404).end())
    const link = `${server.url}/later.png`
    const [one, two] = [await put(link), await put(link)]
    await work()
    await call('PATCH', `/products/${one}`, { title: 'New name' })
    await work()
    expect(await statusOf(one)).toMatchObject({ status: 'failed' })
    expect(server.asked.get('/later.png')).toBe(1)

    at('/later.png', await png(50, 50, 9))
    expect(await retryKey(engine.db, one, 'media')).toBe(1)
    await engine.settle()
    expect(await statusOf(one)).toMatchObject({ status: 'pending' })
    await work()
    expect(await statusOf(one)).toMatchObject({ status: 'done' })
    expect(await statusOf(two)).toMatchObject({ status: 'done' })
    expect((await listOf(two))[0]).toMatchObject({ state: 'ready' })
  })

  test('taking the broken image off the product heals it', async () => {
    const good = at('/good.png', await png(70, 70, 10))
    const id = await put(good, `${server.url}/not-there.png`)
    await work()
    expect(await statusOf(id)).toMatchObject({ status: 'failed' })
    await call('PATCH', `/products/${id}`, { media: [{ url: good }] })
    await work()
    expect(await statusOf(id)).toMatchObject({ status: 'done' })
  })
})

describe('uploads', () => {
  const send = (id: string, body: Buffer, query = '', type = 'image/png', headers = {}) =>
    call('POST', `/products/${id}/media${query}`, body, { 'content-type': type, ...headers })

  test('an upload is the last of the product’s media, pending until it is made', async () => {
    const id = await put()
    const { status, body, headers } = await send(id, await png(300, 300, 11), '?alt=A%20lamp')
    expect(status).toBe(201)
    expect(body).toMatchObject({ productId: id, version: 2, url: `/media/${body.hash}`, contentType: 'image/png' })
    expect(headers.location).toBe(`/v1/media/${body.hash}`)
    await engine.settle()
    expect(await statusOf(id)).toMatchObject({ status: 'pending' })
    expect((await call('GET', `/media/${body.hash}/thumb`)).status).toBe(404)
    await work()
    expect(await statusOf(id)).toMatchObject({ status: 'done' })
    expect(await listOf(id)).toMatchObject([{ source: body.url, alt: 'A lamp', state: 'ready' }])
    expect((await call('GET', `/media/${body.hash}/thumb`)).status).toBe(200)
  })

  test('the same content again is no change, and uploads at the same time are all kept', async () => {
    const id = await put()
    const contents = await Promise.all([12, 13, 14, 15].map((seed) => png(60, 60, seed)))
    const all = await Promise.all(contents.map((content) => send(id, content)))
    expect(all.map(({ status }) => status)).toEqual([201, 201, 201, 201])
    const again = await send(id, contents[0] as Buffer)
    expect(again).toMatchObject({ status: 201, body: { version: 5, hash: all[0]?.body.hash } })
    await work()
    expect((await listOf(id)).map(({ state }) => state)).toEqual(['ready', 'ready', 'ready', 'ready'])
  })

  test('what is no image or video, or too much of one, is refused, and changes nothing', async () => {
    const id = await put()
    expect(await send(id, Buffer.from('<svg/>'), '', 'image/svg+xml')).toMatchObject({
      status: 422,
      body: { type: '/problems/unusable-media', detail: expect.stringMatching(/SVG/) },
    })
    expect(await send(id, Buffer.concat([await png(9, 9), Buffer.alloc(1_000_000)]))).toMatchObject({ status: 413 })
    expect(await send(id, Buffer.alloc(0))).toMatchObject({ status: 422 })
    expect(await send(id, Buffer.from('{}'), '', 'application/json')).toMatchObject({ status: 415 })
    expect(await send('nobody', await png(9, 9))).toMatchObject({ status: 404 })
    expect(
      (
        await app.inject({
          method: 'POST',
          url: `/products/${id}/media`,
          payload: await png(9, 9),
          headers: { 'content-type': 'image/png' },
        })
      ).statusCode,
    ).toBe(401)
    expect(await listOf(id)).toEqual([])
    expect(await readdir(join(directory, 'drafts'))).toEqual([])
  })

  test('a broken image can be uploaded, and is media’s failure then', async () => {
    const id = await put()
    expect((await send(id, (await png(300, 300, 16)).subarray(0, 700))).status).toBe(201)
    await work()
    expect(await statusOf(id)).toMatchObject({ status: 'failed', error: expect.stringMatching(/it is broken/) })
  })

  test('an image is taken off a product by its content, whatever link it came by', async () => {
    const content = await png(66, 66, 17)
    const id = await put(at('/off.png', content), at('/stays.png', await png(66, 66, 18)))
    await work()
    const [{ asset } = {}] = await listOf(id)
    expect((await call('DELETE', `/products/${id}/media/${asset?.hash}`)).status).toBe(204)
    expect((await listOf(id)).map(({ source }) => source)).toEqual([`${server.url}/stays.png`])
    expect((await call('DELETE', `/products/${id}/media/${asset?.hash}`)).status).toBe(404)
    expect((await call('DELETE', `/products/${id}/media/nonsense`)).status).toBe(400)
    await work()
  })

  test('a repeated request with its key is one change, and another upload under that key is refused', async () => {
    const id = await put()
    const key = { 'idempotency-key': 'upload-1' }
    const first = await send(id, await png(61, 61, 19), '', 'image/png', key)
    const again = await send(id, await png(61, 61, 19), '', 'image/png', key)
    expect([first.status, again.status, again.body.version]).toEqual([201, 201, first.body.version])
    expect((await send(id, await png(61, 61, 20), '', 'image/png', key)).status).toBe(422)
    await work()
  })
})

describe('showing them', () => {
  let hash: string
  let video: string

  beforeAll(async () => {
    const id = await put(at('/shown.png', await png(500, 400, 21)), at('/shown.mp4', mp4(), 'video/mp4'))
    await work()
    ;[hash = '', video = ''] = (await listOf(id)).map(({ asset }) => asset?.hash ?? '')
  })

  test.each([
    ['image/avif,image/webp,*/*;q=0.8', 'image/avif', 'heif'],
    ['image/webp,*/*', 'image/webp', 'webp'],
    ['image/avif;q=0,image/webp;q=0.0,*/*', 'image/jpeg', 'jpeg'],
    ['*/*', 'image/jpeg', 'jpeg'],
    ['', 'image/jpeg', 'jpeg'],
  ])('to whoever accepts %j it comes as %s, for good', async (accept, type, format) => {
    const { status, headers, bytes } = await call('GET', `/media/${hash}/small`, undefined, { accept })
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': type,
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept',
      'content-length': String(bytes.length),
      'x-content-type-options': 'nosniff',
    })
    expect(await sharp(bytes).metadata()).toMatchObject({ format, width: 320, height: 256 })
  })

  test('a format asked for by name is that format, a size that it is too small for is all of it', async () => {
    const { headers, bytes } = await call('GET', `/media/${hash}/zoom.webp`)
    expect(headers['content-type']).toBe('image/webp')
    expect(headers.vary).toBeUndefined()
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 500 })
    expect((await call('GET', `/media/${hash}`)).headers['content-type']).toBe('image/jpeg')
  })

  test('what the client has already is not sent again, and each format has a tag of its own', async () => {
    const avif = await call('GET', `/media/${hash}/small`, undefined, { accept: 'image/avif' })
    const tag = String(avif.headers.etag)
    const again = await call('GET', `/media/${hash}/small`, undefined, { accept: 'image/avif', 'if-none-match': tag })
    expect([again.status, again.bytes.length]).toEqual([304, 0])
    const other = await call('GET', `/media/${hash}/small`, undefined, { accept: 'image/webp', 'if-none-match': tag })
    expect(other.status).toBe(200)
    const head = await call('HEAD', `/media/${hash}/small`, undefined, { accept: 'image/avif' })
    expect([head.status, head.headers['content-length'], head.bytes.length]).toEqual([
      200,
      avif.headers['content-length'],
      0,
    ])
  })

  test('a video comes as it is, in the parts a player asks for', async () => {
    const whole = await call('GET', `/media/${video}`)
    expect(whole.headers).toMatchObject({ 'content-type': 'video/mp4', 'accept-ranges': 'bytes' })
    expect(whole.bytes).toEqual(mp4())
    const part = await call('GET', `/media/${video}/original`, undefined, { range: 'bytes=4-7' })
    expect([part.status, part.bytes.toString(), part.headers['content-range']]).toEqual([
      206,
      'ftyp',
      `bytes 4-7/${mp4().length}`,
    ])
    const tail = await call('GET', `/media/${video}/original`, undefined, { range: 'bytes=-5' })
    expect(tail.bytes).toEqual(mp4().subarray(-5))
    expect((await call('GET', `/media/${video}/original`, undefined, { range: 'bytes=99999-' })).status).toBe(416)
    expect((await call('GET', `/media/${video}/thumb`)).status).toBe(404)
  })

  test('what is not there is a 404, and what is no address of ours is refused', async () => {
    expect((await call('GET', `/media/${'f'.repeat(64)}/thumb`)).status).toBe(404)
    expect((await call('GET', `/media/${hash}/original`)).status).toBe(404)
    expect((await call('GET', `/media/${hash}/..%2f..%2fetc%2fpasswd`)).status).toBe(400)
    expect((await call('GET', `/media/nonsense/thumb`)).status).toBe(400)
  })
})

describe('what nobody shows', () => {
  test('is removed after its grace, and what somebody shows stays', async () => {
    const [kept, gone] = [at('/kept.png', await png(64, 64, 22)), at('/gone.png', await png(64, 64, 23))]
    const id = await put(kept, gone)
    await work()
    const [stays, goes] = (await listOf(id)).map(({ asset }) => asset?.hash)
    await call('PATCH', `/products/${id}`, { media: [{ url: kept }] })
    await work()
    await media.sweep()
    expect((await call('GET', `/media/${goes}/thumb`)).status).toBe(200)
    await media.sweep('0 seconds')
    await media.sweep('0 seconds')
    expect((await call('GET', `/media/${goes}/thumb`)).status).toBe(404)
    expect((await call('GET', `/media/${stays}/thumb`)).status).toBe(200)

    await call('PATCH', `/products/${id}`, { media: [{ url: kept }, { url: gone }] })
    await work()
    expect(await statusOf(id)).toMatchObject({ status: 'done' })
    expect((await call('GET', `/media/${goes}/small`)).status).toBe(200)
  })

  test('an upload that nothing came of goes with its link, and files that this database does not know are left alone', async () => {
    const id = await put()
    const broken = (await png(300, 300, 24)).subarray(0, 700)
    const { body } = await call('POST', `/products/${id}/media`, broken, { 'content-type': 'image/png' })
    await work()
    const folder = join(directory, body.hash.slice(0, 2))
    const strange = join(folder, 'f'.repeat(64))
    await mkdir(strange)
    expect(await readdir(folder)).toContain(body.hash)
    await call('DELETE', `/products/${id}/media/${body.hash}`)
    await work()
    await media.sweep('0 seconds')
    expect(await readdir(folder)).not.toContain(body.hash)
    expect(await readdir(folder)).toContain('f'.repeat(64))
  })
})
