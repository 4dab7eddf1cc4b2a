/**
 * 10,000 answers cached in Redis while 1,000 changes/s drop those of a vendor, a category and a price bracket each: by renewing the tags'
 * generations, and by document B's way, `SCAN` + `DEL` of the keys that match.
 */
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { Caches } from '../src/engine/cache/caches.ts'
import { startRedisServer } from '../test/redis-server.ts'
import { bench, type Finding, quantile } from './bench.ts'

const ENTRIES = 10_000
const SECONDS = 4
const CHANGES = 1_000
const READS = 1_000
const [VENDORS, CATEGORIES, BRACKETS] = [400, 40, 8]

/** What an answer is about: one of a vendor, a category or a price bracket, as searches are. */
const keyOf = (n: number) => `${tagOf(n)}:${n}`
const tagOf = (n: number) =>
  n % 10 < 6 ? `vendor:${n % VENDORS}` : n % 10 < 9 ? `category:${n % CATEGORIES}` : `price:${n % BRACKETS}`

/** What the n-th change drops: products of some vendors change more often than others'. */
const changed = (n: number) => [
  `vendor:${Math.floor(VENDORS * ((n * 0.618) % 1) ** 3)}`,
  `category:${Math.floor(CATEGORIES * ((n * 0.414) % 1) ** 3)}`,
  `price:${Math.floor(BRACKETS * ((n * 0.732) % 1) ** 3)}`,
]

/** Some answers are asked for more often than others. */
const asked = () => Math.floor(ENTRIES * Math.random() ** 2)

const answer = 'x'.repeat(2_000)

interface Way {
  read(n: number): Promise<boolean>
  /** Of a tick. */
  change(tags: string[][]): Promise<unknown>
}

export async function cacheBench(): Promise<Finding> {
  const server = await startRedisServer()
  const caches = new Caches(pino({ level: 'error' }), server.url)
  const client = new Redis(server.url)
  try {
    await caches.ready()
    const cache = caches.open('bench')
    const filled = () => client.config('RESETSTAT')
    const tagged = await measure(
      {
        async read(n) {
          let hit = true
          await cache.fetch({ key: keyOf(n), tags: [tagOf(n)] }, async () => {
            hit = false
            return { value: answer, seconds: 300 }
          })
          return hit
        },
        change: (tags) => cache.drop([...new Set(tags.flat())]),
      },
      filled,
    )
    const taggedUs = await redisUs(client, ['set'])
    await client.flushall()
    const scanned = await measure(
      {
        async read(n) {
          if ((await client.get(keyOf(n))) !== null) return true
          await client.set(keyOf(n), answer, 'EX', 300)
          return false
        },
        async change(tags) {
          for (const tag of tags.flat()) await scanAndDelete(client, `${tag}:*`)
        },
      },
      filled,
    )
    const scannedUs = await redisUs(client, ['scan', 'del'])
    const [tagUs, scanUs] = [taggedUs / tagged.done, scannedUs / scanned.done]
    const ratio = scanUs / tagUs
    const percent = (part: number) => `${Math.round(part * 100)} %`
    return {
      line:
        `a change costs ${tagged.changeMs.toFixed(2)} ms by tags, ${scanned.changeMs.toFixed(1)} ms by SCAN + DEL of ${ENTRIES.toLocaleString('en')} keys, and of Redis' own time ${tagUs.toFixed(1)} µs against ${Math.round(scanUs)} (${Math.round(ratio)} times); ` +
        `of ${CHANGES} changes/s it keeps up with ${percent(tagged.kept)} and ${percent(scanned.kept)}; hits ${percent(tagged.hitRate)}, a read p95 ${tagged.readP95.toFixed(1)} ms against ${scanned.readP95.toFixed(1)} ms`,
      figures: {
        changeMs: tagged.changeMs,
        scanChangeMs: scanned.changeMs,
        redisUs: tagUs,
        scanRedisUs: scanUs,
        ratio,
        hitRate: tagged.hitRate,
        scanHitRate: scanned.hitRate,
        kept: tagged.kept,
        scanKept: scanned.kept,
        readP95: tagged.readP95,
        scanReadP95: scanned.readP95,
      },
      goals: {
        'keeps up with 1,000 changes/s': tagged.kept > 0.99,
        'at least 50 times less of Redis than SCAN + DEL': ratio >= 50,
      },
    }
  } finally {
    client.disconnect()
    await caches.close()
    await server.close()
  }
}

/** What Redis spent on these commands since it was asked last, in microseconds. */
async function redisUs(client: Redis, commands: string[]): Promise<number> {
  const told = await client.info('commandstats')
  await client.config('RESETSTAT')
  return commands.reduce(
    (sum, command) => sum + Number(new RegExp(`cmdstat_${command}:calls=\\d+,usec=(\\d+)`).exec(told)?.[1] ?? 0),
    0,
  )
}

async function measure({ read, change }: Way, filled: () => Promise<unknown>) {
  for (let n = 0; n < ENTRIES; n += 100) await Promise.all(Array.from({ length: 100 }, (_, k) => read(n + k)))
  const took: number[] = []
  const reads: Promise<unknown>[] = []
  await filled()
  let [hits, readEver, done, changingMs] = [0, 0, 0, 0]
  let changing: Promise<unknown> | undefined
  const begun = performance.now()
  const due = (rate: number) => ((performance.now() - begun) / 1_000) * rate
  while (due(1) < SECONDS) {
    for (; readEver < due(READS); readEver++) {
      const from = performance.now()
      reads.push(
        read(asked()).then((hit) => {
          hits += Number(hit)
          took.push(performance.now() - from)
        }),
      )
    }
    // One batch at a time, as a consumer works: what comes meanwhile is the next.
    if (!changing && done < Math.floor(due(CHANGES))) {
      const batch = Array.from({ length: Math.min(100, Math.floor(due(CHANGES)) - done) }, (_, k) => changed(done + k))
      const from = performance.now()
      changing = change(batch).then(() => {
        changingMs += performance.now() - from
        done += batch.length
        changing = undefined
      })
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const kept = Math.min(1, (done + 100) / (SECONDS * CHANGES))
  await Promise.all([...reads, changing])
  return { done, changeMs: changingMs / done, kept, hitRate: hits / readEver, readP95: quantile(took, 0.95) }
}

/** B, Cache Invalidation Strategy. */
async function scanAndDelete(client: Redis, pattern: string): Promise<void> {
  let cursor = '0'
  do {
    const [next, keys] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', 1_000)
    if (keys.length > 0) await client.del(keys)
    cursor = next
  } while (cursor !== '0')
}

await bench(import.meta, 'cache', cacheBench)
