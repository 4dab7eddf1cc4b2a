/** The whole shop on a server, for measurements: all services and consumers wired as the program wires them. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { readConfig } from '../src/app/config.ts'
import { wire } from '../src/app/services.ts'
import { Engine, type EngineOptions } from '../src/engine/engine.ts'
import { normalProduct } from '../src/services/catalog/product.ts'

/** The services whose consumers show a shop. */
export const SHOWING = ['inventory', 'search', 'collections', 'seo', 'storefront', 'notifications']

/** `following` names the services whose consumers run; without it all do. */
export async function openShop(url: string, options: Partial<EngineOptions> = {}, following?: string[]) {
  const engine = new Engine({ url, log: pino({ level: 'error' }), ...options })
  const directory = join(tmpdir(), 'lockstep-bench-data')
  const config = readConfig({ DATABASE_URL: url, LOCKSTEP_DATA: directory, LOCKSTEP_JWT_SECRET: 'x'.repeat(40) })
  const services = wire(engine, config)
  const all = Object.values(services)
  const runs = (name: string) => following === undefined || following.includes(name)
  await engine.install(all.map((service) => (runs(service.name) ? service : { ...service, consumers: [] })))
  const stop = new AbortController()
  const running = engine.run(stop.signal)
  return {
    engine,
    ...services,
    async close() {
      stop.abort()
      await running
      await engine.close()
    },
  }
}

export type Shop = Awaited<ReturnType<typeof openShop>>

const words = ['linen', 'oak', 'wool', 'brass', 'cotton', 'glass', 'paper', 'copper', 'felt', 'stone', 'walnut', 'silk']
const things = [
  'chair',
  'lamp',
  'shirt',
  'bowl',
  'notebook',
  'rug',
  'mirror',
  'vase',
  'shelf',
  'blanket',
  'mug',
  'coat',
]
const pick = (list: string[], n: number) => list[n % list.length] as string

/** A product as shops have them: about 700 bytes. The same n gives the same product, but for its price. */
export function productOf(n: number, amount = 1_000 + (n % 9_000)) {
  const title = `${pick(words, n)} ${pick(things, Math.floor(n / 12))} ${n}`
  return normalProduct({
    id: `p${n}`,
    title,
    description: `A ${title} made of ${pick(words, n + 5)} and ${pick(words, n + 7)}, for everyday use and for years. Care: wipe with a damp cloth.`,
    vendorId: `vendor-${n % 20}`,
    category: pick(things, n),
    tags: [pick(words, n), pick(words, n + 3)],
    attributes: { material: pick(words, n), weight: n % 500 },
    status: 'active',
    media: [{ url: `https://shop.example/images/${n}.jpg` }],
    variants: [{ sku: `SKU-${n}`, options: { size: 'one' }, price: { amount, currency: 'EUR' } }],
  })
}

/** Until the consumers that this engine runs are past the log's end. */
export const settled = async ({ engine }: Pick<Shop, 'engine'>) => {
  const names = engine.runners.map((runner) => runner.consumer.name)
  for (;;) {
    const [row] = await engine.db<{ behind: number }>`
      select (select position from lockstep.head) - min(position) as behind from lockstep.consumers where name = any(${names}::text[])`
    if (row?.behind === 0) return
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
}
