/** Analytics: what happened in the shop, counted by minute, hour and day. */
import type { Sql } from '../../engine/database.ts'
import type { Finding } from '../../engine/finding.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { analyticsProjection } from './analytics-projection.ts'
import { chartRoutes } from './chart-routes.ts'
import { retainCounts } from './retention.ts'
import { analyticsRoutes } from './routes.ts'
import { type AnalyticsSettings, analyticsDefaults } from './settings.ts'
import { verifyAnalytics } from './verify.ts'

export interface AnalyticsService extends Service<App> {
  verify(sql: Sql): Promise<Finding[]>
}

export function analyticsService(engine: Engine, given: Partial<AnalyticsSettings> = {}): AnalyticsService {
  const settings = { ...analyticsDefaults, ...given }
  return {
    name: 'analytics',
    schema: new URL('./schema/', import.meta.url),
    consumers: [analyticsProjection(engine.log, settings)],
    routes(app) {
      analyticsRoutes(app, engine.db, settings)
      chartRoutes(app, engine.db, settings)
    },
    verify: verifyAnalytics,
    run: (signal) => retainCounts(engine.db, settings, engine.log, signal),
  }
}
