/**
 * The same four measurements on an empty shop and on one with 200,000 products and 2,000,000 events: what growth costs. Each in a process of its own,
 * as they run alone.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { bench, type Finding, inFlight, type Server } from './bench.ts'
import { openShop, productOf, settled } from './shop.ts'

const PRODUCTS = 200_000
const EVENTS = 2_000_000

/** The measurements, and the figure of each that must not fall. */
const speeds: Record<string, (figures: Finding['figures']) => number> = {
  reservations: ({ hotLockstep = 0 }) => hotLockstep,
  'fan-out': ({ peers = 0 }) => peers,
  freshness: (figures) =>
    1 / Math.max(...Object.entries(figures).flatMap(([name, ms]) => (name.endsWith('At500') ? [ms] : []))),
  http: ({ perSecond = 0 }) => perSecond,
}

async function growth(server: Server): Promise<Finding> {
  const before = await all(server)
  await grow(server)
  const after = await all(server)
  const figures: Record<string, number> = {}
  const goals: Record<string, boolean> = {}
  for (const [name, speed] of Object.entries(speeds)) {
    const kept = speed(after[name] ?? {}) / speed(before[name] ?? {})
    figures[name] = kept
    goals[`${name} loses less than 15 %`] = kept > 0.85
  }
  const kept = Object.entries(figures).map(([name, share]) => `${name} ${Math.round(share * 100)} %`)
  figures.memoryMb = Math.max(
    ...[before, after].flatMap((each) => Object.values(each).map(({ memoryMb = 0 }) => memoryMb)),
  )
  return { line: `of the empty shop's speed is left: ${kept.join(', ')}`, figures, goals }
}

async function all({ url }: Server) {
  const figures: Record<string, Finding['figures']> = {}
  for (const name of Object.keys(speeds)) {
    const file = join(import.meta.dirname, `${name}.ts`)
    const child = spawn(process.execPath, [file, '--on', url, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const finding = JSON.parse((await Array.fromAsync(child.stdout)).join('')) as Finding
    console.error(`  ${name}: ${finding.line}; ${finding.figures.memoryMb} MB`)
    figures[name] = finding.figures
  }
  return figures
}

/** Products through the catalog, as anybody's; the rest of the events written straight into the log, since only their number matters here. */
async function grow({ url }: Server) {
  const shop = await openShop(url)
  for (let from = 10_000; from < 10_000 + PRODUCTS; from += 20_000) {
    await inFlight(500, 20_000, (n) => shop.catalog.execute({ type: 'put', product: productOf(from + n) }))
    console.error(`  ${(from + 10_000).toLocaleString('en')} products`)
  }
  await settled(shop)
  const { db } = shop.engine
  const [row] = await db<{ position: number }>`select position from lockstep.head`
  const missing = EVENTS - (row?.position ?? 0)
  for (let done = 0; done < missing; done += 100_000) {
    const count = Math.min(100_000, missing - done)
    await db`select lockstep.ensure_partitions((select position from lockstep.head) + 200000)`
    await db`
      with head as (update lockstep.head set position = position + ${count} returning position - ${count}::bigint as base)
      insert into lockstep.events (position, type, key, entity, version, source, at, data, meta)
      select head.base + n, 'filler.written', 'filler-' || n % 50000, 'filler/' || n % 50000, ${done} / 50000 + n / 50000 + 1, 'filler',
             clock_timestamp(), json_build_object('text', repeat('x', 500)), '{}'
      from   head, generate_series(1, ${count}::int) n`
  }
  await settled(shop)
  await db`analyze`
  await shop.close()
}

await bench(import.meta, 'growth', growth)
