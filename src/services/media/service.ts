/** Media: the source of what products' links to images and videos have become. */
import { join } from 'node:path'
import type { Sql } from '../../engine/database.ts'
import type { Finding } from '../../engine/finding.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import type { RetryPolicy } from '../../engine/verdict.ts'
import { Collector } from './collector.ts'
import { type Limits, usualLimits } from './content.ts'
import { mediaDecider } from './decider.ts'
import { usualFetch } from './fetch.ts'
import { directoryFiles } from './files/directory.ts'
import { CONSUMER, lookAgain, mediaFollowCatalog } from './follow-catalog.ts'
import { publicUrl } from './link.ts'
import { publicRoutes } from './public-routes.ts'
import { mediaRoutes, type SetMedia } from './routes.ts'
import { mediaStore } from './store.ts'
import { sweep } from './sweeper.ts'
import { Teller } from './teller.ts'
import { keepUpload } from './upload.ts'
import { verifyMedia } from './verify.ts'
import { Work } from './work.ts'
import { Workshop } from './workshop.ts'

export interface MediaSettings {
  /** Where files are kept. */
  directory: string
  setMedia: SetMedia
  /** Links may lead into the own network. */
  privateHosts?: boolean
  limits?: Partial<Limits>
  retry?: RetryPolicy
  fetchTimeoutMs?: number
  /** A link that a product names again is looked at again if that was so long ago. */
  lookAgainS?: number
}

export interface MediaService extends Service<App> {
  /** Keeps content that some product's media are to name by the `url` answered. Throws `media-too-large` and `unusable-media`. */
  upload(content: AsyncIterable<Buffer>): Promise<{ url: string; hash: string }>
  /** Collects the links that are due and tells of products that are complete; answers whether it did anything. */
  workOnce(signal?: AbortSignal): Promise<boolean>
  /** Removes what was not shown for an interval of Postgres; answers of how much content. */
  sweep(grace?: string): Promise<number>
  verify(sql: Sql): Promise<Finding[]>
  /** Ends the processes that make renditions; `run` does so itself. */
  close(): void
}

const usualLookAgainS = 86_400

/** A link that can't be reached is tried so often before it is its products' failure. */
const usualRetry: RetryPolicy = { attempts: 3, firstMs: 2_000, maxMs: 60_000 }

export function mediaService(engine: Engine, settings: MediaSettings): MediaService {
  const { db, log } = engine
  const { execute } = engine.executor({ name: 'media', decider: mediaDecider, store: mediaStore })
  const files = directoryFiles(settings.directory)
  const workshop = new Workshop()
  const limits = { ...usualLimits, ...settings.limits }
  const { privateHosts = false, fetchTimeoutMs: timeoutMs = usualFetch.timeoutMs, retry = usualRetry } = settings
  const fetch = { ...usualFetch, limits, privateHosts, timeoutMs }
  const work = new Work({
    collector: new Collector({ db, files, workshop, fetch, retry, log }),
    teller: new Teller(db, execute),
    sweep: () => sweep(db, files),
    told: () => engine.refresh(CONSUMER),
    log,
  })
  return {
    name: 'media',
    schema: new URL('./schema/', import.meta.url),
    consumers: [mediaFollowCatalog(() => work.nudge(), settings.lookAgainS ?? usualLookAgainS)],
    routes(app) {
      const refetch = async (productId: string) => {
        const links = await db.begin((tx) => lookAgain(tx, [productId], 0))
        work.nudge()
        return links
      }
      mediaRoutes(app, { db, files, limits, setMedia: settings.setMedia, refetch })
      publicRoutes(app, db, files)
    },
    async run(signal) {
      // What is in the workshop then is made again by whoever takes it up.
      signal.addEventListener('abort', () => workshop.close(), { once: true })
      await work.run(signal)
    },
    async upload(content) {
      const { hash } = await keepUpload(db, files, content, limits)
      return { url: publicUrl(hash), hash }
    },
    workOnce: (signal = new AbortController().signal) => work.runOnce(signal),
    sweep: (grace) => sweep(db, files, grace),
    verify: (sql) => verifyMedia(sql, files),
    close: () => workshop.close(),
  }
}

/** Beside the database that is our own. */
export const mediaDirectory = (dataDirectory: string) => join(dataDirectory, 'media')
