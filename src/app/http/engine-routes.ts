/** The engine over HTTP: sync status, events, dead letters, consumers. */
import type { Engine } from '../../engine/engine.ts'
import type { App } from '../../engine/http.ts'
import type { Auth } from './auth.ts'
import { consumerRoutes, faultRoutes } from './consumer-routes.ts'
import { deadLetterRoutes } from './dead-letter-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { syncRoutes } from './sync-routes.ts'

/** `faults`: whether consumers can be told to fail on purpose. */
export function engineRoutes(engine: Engine, auth: Auth, { faults }: { faults: boolean }): (app: App) => void {
  return (app) => {
    syncRoutes(app, engine, auth)
    eventRoutes(app, engine.db)
    deadLetterRoutes(app, engine)
    consumerRoutes(app, engine)
    if (faults) faultRoutes(app, engine)
  }
}
