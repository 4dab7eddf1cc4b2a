/** Media at work by themselves, as they are in a shop: alone, after a process has died, and beside another process. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { waitForSync } from '../../engine/sync-status.ts'
import { testEngine } from '../../testing.ts'
import { catalogService } from '../catalog/service.ts'
import { photo, serves, type TestServer, testServer } from './media-testing.ts'
import { mediaService } from './service.ts'

let server: TestServer
let directory: string

beforeAll(async () => {
  server = await testServer()
  directory = await mkdtemp(join(tmpdir(), 'lockstep-work-'))
})
afterAll(async () => {
  await server.close()
  await rm(directory, { recursive: true })
})

async function open(url: string) {
  const { engine, services } = await testEngine(url, (engine) => {
    const catalog = catalogService(engine)
    const media = mediaService(engine, { directory, privateHosts: true, setMedia: async () => ({ version: 0 }) })
    return [catalog, media] as const as unknown as [typeof catalog, typeof media]
  })
  const [catalog, media] = services
  const put = (id: string, ...urls: string[]) =>
    catalog.execute({
      type: 'put',
      product: {
        id,
        title: id,
        description: '',
        vendorId: null,
        category: null,
        tags: [],
        attributes: {},
        status: 'active',
        media: urls.map((url) => ({ url })),
        variants: [{ sku: `${id}-A`, options: {}, price: { amount: 1, currency: 'EUR' } }],
      },
    })
  const mediaStatus = async (id: string, waitMs = 0) => {
    const signal = new AbortController().signal
    const { consumers } = await waitForSync(engine.db, id, { consumers: ['media'], waitMs, signal })
    return consumers.find(({ consumer }) => consumer === 'media')?.status
  }
  return { engine, media, put, mediaStatus }
}

test('a product with images becomes done, and one with a broken image failed, with nobody stepping', async () => {
  const { engine, media, put, mediaStatus } = await open((await createTestDatabase()).url)
  const stop = new AbortController()
  const running = Promise.all([engine.run(stop.signal), media.run?.(stop.signal)])
  const urls = await Promise.all(
    [1, 2, 3].map(async (n) => {
      server.at.set(`/run-${n}.png`, serves(await photo(120, 90, n).png().toBuffer()))
      return `${server.url}/run-${n}.png`
    }),
  )
  await put('good', ...urls)
  await put('bad', `${server.url}/nothing.png`)
  expect(await mediaStatus('good', 15_000)).toBe('done')
  expect(await mediaStatus('bad', 15_000)).toBe('failed')
  expect(await media.verify(engine.db)).toEqual([])
  stop.abort()
  await running
  await engine.close()
})

test('what a process was at when it died is taken up by another, and no image is told twice', async () => {
  const { url } = await createTestDatabase()
  const first = await open(url)
  let release = () => {}
  const asked = new Promise<void>((resolve) => {
    server.at.set('/slow.png', (_request, response) => {
      resolve()
      release = () => response.destroy()
    })
  })
  await first.put('p', `${server.url}/slow.png`)
  await first.engine.settle()
  const dying = first.media.workOnce()
  await asked
  server.at.set('/slow.png', serves(await photo(77, 77).png().toBuffer()))

  const second = await open(url)
  expect(await second.media.workOnce()).toBe(false) // somebody is at it
  await second.engine.db`update media.links set due_at = clock_timestamp()` // and beats no more
  expect(await second.media.workOnce()).toBe(true)
  expect(await second.mediaStatus('p')).toBe('done')

  release()
  await dying // the dead one wakes up, and what it finds out counts no more
  expect(await second.media.workOnce()).toBe(false)
  expect(await second.mediaStatus('p')).toBe('done')
  const told = await second.engine.db`select version from lockstep.events where entity = 'media/p'`
  expect(told).toHaveLength(1)
  for (const { engine, media } of [first, second]) {
    media.close()
    await engine.close()
  }
})
