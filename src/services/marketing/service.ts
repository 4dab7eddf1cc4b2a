/** Marketing: lists of customers by what they agreed to, prefer and bought, kept by following customers and orders (E, Customer Data Synchronization). */
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import type { Reveal } from './export.ts'
import { marketingProjection } from './marketing-projection.ts'
import { marketingRoutes } from './routes.ts'
import { followTime } from './turns.ts'

export function marketingService(engine: Engine, { reveal }: { reveal: Reveal }): Service<App> {
  const { db, log } = engine
  return {
    name: 'marketing',
    schema: new URL('./schema/', import.meta.url),
    consumers: [marketingProjection()],
    routes: (app) => marketingRoutes(app, db, log, reveal),
    run: (signal) => followTime(db, log, signal),
  }
}
