/**
 * Images until their products' media are told, from links to a server on this machine: against plain sharp in a loop, which makes the same
 * renditions of the same images and does nothing else. Meanwhile the event loop is watched.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
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

export async function media(server: Server): Promise<Finding> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-bench-media-'))
  try {
    const plain = IMAGES / (await plainly(folder))
    const images = await Promise.all(Array.from({ length: IMAGES }, (_, n) => readFile(join(folder, `${n}.jpg`))))
    const { took, delayMs } = await shop(server, images, join(folder, 'media'))
    const ours = IMAGES / took
    return {
      line: `${ours.toFixed(2)} images/s of ${Math.round((images[0]?.length ?? 0) / 1024)} KiB and 1600 × 1200, ${plain.toFixed(2)} with plain sharp (${(ours / plain).toFixed(2)} ×); event loop p99 ${delayMs.toFixed(1)} ms`,
      figures: { images: IMAGES, ours, plain, ratio: ours / plain, eventLoopP99Ms: delayMs },
      goals: { 'at least 0.9 × plain sharp': ours >= 0.9 * plain },
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Seconds. */
async function plainly(folder: string): Promise<number> {
  const program = join(import.meta.dirname, 'plain-sharp.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [program, folder, String(IMAGES)])
  return Number(stdout)
}

async function shop({ engine: open }: Server, images: Buffer[], directory: string) {
  const shelf = createServer((request, response) => {
    const image = images[Number(request.url?.slice(1))]
    response.writeHead(image ? 200 : 404, { 'content-type': 'image/jpeg' }).end(image)
  })
  await new Promise<void>((resolve) => shelf.listen(0, '127.0.0.1', resolve))
  const { port } = shelf.address() as AddressInfo
  const engine = open()
  const catalog = catalogService(engine)
  const service = mediaService(engine, { directory, privateHosts: true, setMedia: async () => ({ version: 0 }) })
  await engine.install([catalog, service])
  const stop = new AbortController()
  const running = Promise.all([engine.run(stop.signal), service.run?.(stop.signal)])
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const took = await seconds(async () => {
    await inFlight(100, images.length, (n) => {
      const product = { ...productOf(n), media: [{ url: `http://127.0.0.1:${port}/${n}` }] }
      return catalog.execute({ type: 'put', product })
    })
    for (;;) {
      const [row] = await engine.db<{
        told: number
      }>`select count(*)::int as told from lockstep.events where type = 'media.updated'`
      if (row?.told === images.length) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  delay.disable()
  stop.abort()
  await running
  await engine.close()
  shelf.closeAllConnections()
  shelf.close()
  return { took, delayMs: delay.percentile(99) / 1e6 }
}

await bench(import.meta, 'media', media)
