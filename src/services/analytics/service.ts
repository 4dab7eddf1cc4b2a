/** Analytics: what happened in the shop, counted by minute, hour and day. */
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { analyticsProjection } from './analytics-projection.ts'
import { chartRoutes } from './chart-routes.ts'
import { retainCounts } from './retention.ts'
import { analyticsRoutes } from './routes.ts'
import { type AnalyticsSettings, analyticsDefaults } from './settings.ts'

export function analyticsService(engine: Engine, given: Partial<AnalyticsSettings> = {}): Service<App> {
  const settings = { ...analyticsDefaults, ...given }
  return {
    name: 'analytics',
    schema: new URL('./schema/', import.meta.url),
    consumers: [analyticsProjection(engine.log, settings)],
    routes(app) {
      analyticsRoutes(app, engine.db, settings)
      chartRoutes(app, engine.db, settings)
    },
    run: (signal) => retainCounts(engine.db, settings, engine.log, signal),
  }
}
