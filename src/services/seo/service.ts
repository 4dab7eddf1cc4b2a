/** SEO: addresses, meta tags, structured data, redirects and the sitemap, kept by following the shop (A §9); what people choose for them is its own. */
import type { Sql } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import type { Finding } from '../../engine/finding.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { type SeoCommand, seoSource } from './choices.ts'
import { seoRoutes } from './routes.ts'
import { seoProjection } from './seo-projection.ts'
import { sitemapRoutes } from './sitemap-routes.ts'
import { verifySeo } from './verify.ts'

export interface SeoService extends Service<App> {
  execute: Executor<SeoCommand>['execute']
  verify(sql: Sql): Promise<Finding[]>
}

export interface SeoSettings {
  /** Where customers find the shop: canonical addresses begin with it. */
  shopUrl: string
}

export function seoService(
  engine: Engine,
  { shopUrl }: SeoSettings = { shopUrl: 'http://localhost:4000' },
): SeoService {
  const { execute } = engine.executor(seoSource)
  const shop = { url: shopUrl.replace(/\/+$/, '') }
  return {
    name: 'seo',
    schema: new URL('./schema/', import.meta.url),
    consumers: [seoProjection()],
    routes(app) {
      seoRoutes(app, engine.db, execute, shop)
      sitemapRoutes(app, engine.db, shop)
    },
    execute,
    verify: verifySeo,
  }
}
