/** Notifications: what people are told because something happened. */
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { notificationRoutes } from './routes.ts'
import { stockAlerts } from './stock-alerts.ts'

export function notificationsService(engine: Engine): Service<App> {
  return {
    name: 'notifications',
    schema: new URL('./schema/', import.meta.url),
    consumers: [stockAlerts(engine.log)],
    routes: (app) => notificationRoutes(app, engine.db),
  }
}
