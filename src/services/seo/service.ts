/** SEO: slugs, meta tags, structured data and redirects, kept by following the catalog (A §9). */
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { seoRoutes } from './routes.ts'
import { seoProjection } from './seo-projection.ts'

export function seoService(engine: Engine): Service<App> {
  return {
    name: 'seo',
    schema: new URL('./schema/', import.meta.url),
    consumers: [seoProjection()],
    routes: (app) => seoRoutes(app, engine.db),
  }
}
