/** Feeds: other systems' catalogues, prices and stock, read again and again; only what differs becomes a change. */
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import type { Shop } from '../import/shop.ts'
import { sealPlainHeaders } from './header.ts'
import { feedRoutes } from './routes.ts'
import { FeedRunner } from './runner.ts'
import type { SourceLimits } from './source.ts'

export interface FeedsService extends Service<App> {
  /** Steps runs: a command's own, or a test's. `run` gives its runner the process's turn. */
  runner(): FeedRunner
}

export const feedDefaults: SourceLimits = { directory: undefined, bytesMax: 2 ** 30, secondsMax: 600 }

export function feedsService(
  { db, log }: Engine,
  shop: Pick<Shop, 'catalog' | 'inventory'>,
  limits: Partial<SourceLimits> = {},
): FeedsService {
  const runner = () => new FeedRunner({ ...shop, db }, { ...feedDefaults, ...limits }, log)
  const own = runner()
  return {
    name: 'feeds',
    schema: new URL('./schema/', import.meta.url),
    routes: (app) => feedRoutes(app, db, () => own.nudge()),
    async run(signal) {
      await sealPlainHeaders(db).catch((err) =>
        log.warn({ err }, 'headers of feeds could not be sealed; tried at the next start'),
      )
      await own.run(signal)
    },
    runner,
  }
}
