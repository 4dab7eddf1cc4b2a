/** Whatever happens in whatever order, the sync status of media tells the truth. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { retryKey } from '../../engine/failures.ts'
import { syncStatus } from '../../engine/sync-status.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { type CatalogService, catalogService } from '../catalog/service.ts'
import { photo, serves, type TestServer, testServer } from './media-testing.ts'
import { type MediaService, mediaService } from './service.ts'

let server: TestServer
let directory: string
let engine: TestEngine
let catalog: CatalogService
let media: MediaService
let png: Buffer

beforeAll(async () => {
  server = await testServer()
  directory = await mkdtemp(join(tmpdir(), 'lockstep-truthful-'))
  png = await photo(24, 16).png().toBuffer()
  const made = await testEngine((await createTestDatabase()).url, (engine) => {
    catalog = catalogService(engine)
    media = mediaService(engine, {
      directory,
      privateHosts: true,
      retry: { attempts: 2, firstMs: 0, maxMs: 0 },
      setMedia: async () => ({ version: 0 }),
    })
    return [catalog, media]
  })
  engine = made.engine
})
afterAll(async () => {
  media.close()
  await engine.close()
  await server.close()
  await rm(directory, { recursive: true })
})

const PRODUCTS = 3
const LINKS = 4
const step = fc.oneof(
  fc.record({
    do: fc.constant('put' as const),
    product: fc.nat(PRODUCTS - 1),
    links: fc.uniqueArray(fc.nat(LINKS - 1)),
  }),
  fc.record({ do: fc.constant('rename' as const), product: fc.nat(PRODUCTS - 1), title: fc.nat(9) }),
  fc.record({ do: fc.constant('delete' as const), product: fc.nat(PRODUCTS - 1) }),
  fc.record({ do: fc.constant('serve' as const), link: fc.nat(LINKS - 1), status: fc.constantFrom(200, 404, 500) }),
  fc.record({ do: fc.constant('retry' as const), product: fc.nat(PRODUCTS - 1) }),
  fc.record({ do: fc.constantFrom('follow' as const, 'work' as const, 'both at once' as const) }),
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never
let run = 0

async function work() {
  await engine.settle()
  while (await media.workOnce()) await engine.settle()
  await engine.settle()
}

test('once all is at rest a product is done if all of its links became something, and failed by name otherwise', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
      const name = `r${++run}`
      const url = (link: number) => `${server.url}/${name}/${link}.png`
      const answer = (link: number, status: number) =>
        server.at.set(
          `/${name}/${link}.png`,
          status === 200 ? serves(png) : (_, response) => response.writeHead(status).end(),
        )
      for (let link = 0; link < LINKS; link++) answer(link, link % 2 === 0 ? 200 : 404)
      const wanted = new Map<string, number[]>()
      for (const each of steps) await carryOut(each, name, wanted, url, answer)
      await work()
      for (const [id, links] of wanted) {
        const { consumers } = await syncStatus(engine.db, id)
        const status = consumers.find(({ consumer }) => consumer === 'media')
        const rows = await engine.db<{ url: string; state: string }>`
          select url, state from media.links where url = any(${links.map(url)}::text[])`
        expect(rows).toHaveLength(links.length)
        const failed = rows.filter(({ state }) => state !== 'ready')
        expect(failed.every(({ state }) => state === 'failed')).toBe(true)
        expect(status?.status).toBe(failed.length > 0 ? 'failed' : 'done')
        for (const link of failed) expect(status?.error).toContain(link.url)
        const [told] = await engine.db<{ data: string }>`
          select data from lockstep.events where entity = ${`media/${id}`} order by version desc limit 1`
        const media = told ? (JSON.parse(told.data).media as { source: string; failure?: string }[]) : []
        expect(media.map(({ source }) => source)).toEqual(links.map(url))
        expect(
          media
            .filter(({ failure }) => failure)
            .map(({ source }) => source)
            .sort(),
        ).toEqual(failed.map((row) => row.url).sort())
      }
      expect(await media.verify(engine.db)).toEqual([])
    }),
    { numRuns: 25 },
  )
}, 120_000)

async function carryOut(
  each: Step,
  name: string,
  wanted: Map<string, number[]>,
  url: (link: number) => string,
  answer: (link: number, status: number) => unknown,
): Promise<unknown> {
  const id = 'product' in each ? `${name}-${each.product}` : ''
  switch (each.do) {
    case 'put':
      wanted.set(id, each.links)
      return put(id, 'Lamp', each.links.map(url))
    case 'rename':
      return (
        wanted.has(id) &&
        catalog.execute({ type: 'update', productId: id, fields: { title: `Lamp ${each.title}` } }).catch(() => {})
      )
    case 'delete':
      if (!wanted.has(id)) return
      wanted.set(id, [])
      return catalog.execute({ type: 'delete', productId: id }).catch(() => {})
    case 'serve':
      return answer(each.link, each.status)
    case 'retry':
      return retryKey(engine.db, id, 'media')
    case 'follow':
      return engine.settle()
    case 'work':
      return media.workOnce()
    case 'both at once':
      return Promise.all([engine.settle(), media.workOnce(), media.workOnce()])
  }
}

const put = (id: string, title: string, urls: string[]) =>
  catalog.execute({
    type: 'put',
    product: {
      id,
      title,
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
