/** The program's caches as a service: seen and cleared over HTTP, measured, and closed at the end. */
import { Counter, Gauge, type Registry } from 'prom-client'
import { z } from 'zod'
import type { CacheStats } from '../engine/cache/cache.ts'
import type { Caches } from '../engine/cache/caches.ts'
import { type App, notFound } from '../engine/http.ts'
import type { Service } from '../engine/service.ts'
import { identifier } from '../engine/text.ts'

const stats = z.object({
  name: z.string(),
  kept: z.enum(['memory', 'redis']),
  entries: z.int(),
  maxEntries: z.int(),
  hits: z.int(),
  misses: z.int(),
  hitRate: z.number(),
  evictions: z.int(),
  invalidations: z.int(),
  bypassed: z.int(),
  fallback: z.boolean(),
})

const tags = ['caches']
const admin = { roles: ['ADMIN'] }

export interface CachesService extends Service<App> {
  /** For the health page; undefined when all is well. */
  note(): string | undefined
  measure(registry: Registry): void
  close(): Promise<void>
}

export function cachesService(caches: Caches): CachesService {
  return {
    name: 'caches',
    routes: (app) => cacheRoutes(app, caches),
    run: () => caches.ready(),
    note: () => (caches.fallback ? 'Redis is not there: reads ask the database until it is back' : undefined),
    measure: (registry) => measure(registry, caches),
    close: () => caches.close(),
  }
}

function cacheRoutes(app: App, caches: Caches): void {
  app.get(
    '/caches',
    {
      schema: {
        response: { 200: z.object({ items: z.array(stats) }) },
        summary: 'Every cache: its entries, and hits and misses in this process',
        tags,
      },
      config: admin,
    },
    async () => ({ items: await caches.stats() }),
  )
  app.post(
    '/caches/:name/clear',
    {
      schema: {
        params: z.strictObject({ name: identifier }),
        response: { 200: stats },
        summary: 'Forget everything in it, in every process that shares it',
        tags,
      },
      config: admin,
    },
    async ({ params: { name } }) => {
      const cache = caches.get(name)
      if (!cache) throw notFound('cache', name)
      await cache.clear()
      return cache.stats()
    },
  )
}

/** D, Metrics Available: cache hit and miss ratios. */
const measured: [keyof CacheStats, string, string][] = [
  ['hits', 'lockstep_cache_hits_total', 'Reads that a cache answered, in this process.'],
  ['misses', 'lockstep_cache_misses_total', 'Reads that it could not answer.'],
  ['bypassed', 'lockstep_cache_bypassed_total', 'Reads that went past it since it could not be asked.'],
  ['evictions', 'lockstep_cache_evictions_total', 'Entries that left for want of room.'],
  ['invalidations', 'lockstep_cache_invalidations_total', 'Tags that changes gave a new generation.'],
  ['hitRate', 'lockstep_cache_hit_ratio', 'Hits among hits and misses, 0 to 1 (D).'],
  ['entries', 'lockstep_cache_entries', 'What it keeps.'],
  ['fallback', 'lockstep_cache_fallback', '1 while Redis is not there and reads ask the database.'],
]

function measure(registry: Registry, caches: Caches): void {
  let asked: Promise<CacheStats[]> | undefined
  // The first asks for all: they are collected together.
  const stats = () =>
    (asked ??= caches.stats().finally(() => {
      asked = undefined
    }))
  for (const [field, name, help] of measured) {
    const about = { name, help, labelNames: ['cache'], registers: [registry] }
    if (name.endsWith('_total'))
      new Counter({
        ...about,
        async collect() {
          const all = await stats()
          this.reset()
          for (const each of all) this.inc({ cache: each.name }, Number(each[field]))
        },
      })
    else
      new Gauge({
        ...about,
        async collect() {
          for (const each of await stats()) this.set({ cache: each.name }, Number(each[field]))
        },
      })
  }
}
