/**
 * Images until their products' media are told, from links to a server on this machine: against plain sharp in a loop, which makes the same
 * renditions of the same images and does nothing else. Meanwhile the event loop is watched.
 */
import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { catalogService } from '../src/services/catalog/service.ts'
import { mediaService } from '../src/services/media/service.ts'
import { bench, type Finding, inFlight, type Server, seconds } from './bench.ts'
import { productOf } from './shop.ts'

/** `node bench/media.ts 200` takes more. */
const IMAGES = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 40)

/** The two take turns, so that whatever else the machine does slows both alike. */
const ROUNDS = 4
const A_ROUND = Math.ceil(IMAGES / ROUNDS)

export async function media(server: Server): Promise<Finding> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-bench-media-'))
  const shelf = await serveFiles(folder)
  const shop = await openMedia(server, join(folder, 'media'))
  try {
    const images = ROUNDS * A_ROUND
    let [ours, plain] = [0, 0]
    for (let first = 0; first < images; first += A_ROUND) {
      plain += await plainly(folder, first)
      ours += await shop.take(first, shelf.url)
    }
    const delayMs = shop.delayMs()
    const ratio = plain / ours
    return {
      line: `${(images / ours).toFixed(2)} images/s of 1600 × 1200 until their products are told, ${(images / plain).toFixed(2)} with plain sharp: ${ratio.toFixed(2)} ×; event loop p99 ${delayMs.toFixed(1)} ms`,
      figures: { images, ours: images / ours, plain: images / plain, ratio, eventLoopP99Ms: delayMs },
      goals: { 'at least 0.9 × plain sharp': ratio >= 0.9 },
    }
  } finally {
    await shop.close()
    shelf.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Makes the photographs of a round, and their renditions. Seconds of the latter. */
async function plainly(folder: string, first: number): Promise<number> {
  const program = join(import.meta.dirname, 'plain-sharp.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [program, folder, String(first), String(A_ROUND)])
  return Number(stdout)
}

async function serveFiles(folder: string) {
  const shelf = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'image/jpeg' })
    createReadStream(join(folder, `${request.url?.slice(1)}.jpg`)).pipe(response)
  })
  await new Promise<void>((resolve) => shelf.listen(0, '127.0.0.1', resolve))
  const { port } = shelf.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => shelf.close() }
}

/** Catalog and media, as they are in a shop. */
async function openMedia({ engine: open }: Server, directory: string) {
  const engine = open()
  const catalog = catalogService(engine)
  const service = mediaService(engine, { directory, privateHosts: true, setMedia: async () => ({ version: 0 }) })
  await engine.install([catalog, service])
  const stop = new AbortController()
  const running = Promise.all([engine.run(stop.signal), service.run?.(stop.signal)])
  const delay = monitorEventLoopDelay({ resolution: 5 })
  const told = async () => {
    const [row] = await engine.db<{ count: number }>`
      select count(*)::int as count from lockstep.events where type = 'media.updated'`
    return row?.count ?? 0
  }
  return {
    /** Seconds until all products of a round are told. */
    async take(first: number, url: string): Promise<number> {
      delay.enable()
      const took = await seconds(async () => {
        await inFlight(100, A_ROUND, (n) => {
          const product = { ...productOf(first + n), media: [{ url: `${url}/${first + n}` }] }
          return catalog.execute({ type: 'put', product })
        })
        while ((await told()) < first + A_ROUND) await new Promise((resolve) => setTimeout(resolve, 20))
      })
      delay.disable()
      return took
    },
    delayMs: () => delay.percentile(99) / 1e6,
    async close() {
      stop.abort()
      await running
      await engine.close()
    },
  }
}

await bench(import.meta, 'media', media)
