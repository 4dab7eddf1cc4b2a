/** Notifications: what people are told because something happened, by mail. */
import { reaction } from '../../engine/consumer.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { composing, type Reveal } from './mail.ts'
import { tellOfOrder } from './order-mails.ts'
import { notificationRoutes } from './routes.ts'
import { updateRule } from './rules.ts'
import { Sender } from './sender.ts'
import { type NotificationSettings, notificationDefaults } from './settings.ts'
import { tellOfStock } from './stock-alerts.ts'
import type { Decline } from './unsubscribe.ts'

export type NotificationOptions = Partial<NotificationSettings> & {
  /** Who customers are. Without it nobody is, and mails to them are dropped. */
  reveal?: Reveal
  /** Takes a customer's word that they want no more of a topic by e-mail. */
  decline?: Decline
}

/** The consumer is done with an event when its mail is in the outbox; what became of the mail is the outbox's to say. */
export function notificationsService(engine: Engine, options: NotificationOptions = {}): Service<App> {
  const { db, log } = engine
  const { reveal = async () => new Map(), decline = async () => false, ...given } = options
  const settings = { ...notificationDefaults, ...given }
  const { smtpUrl, adminEmail } = settings
  const state = smtpUrl === undefined ? 'unsent' : 'queued'
  const forAdmin = adminEmail === undefined ? 'unsent' : state
  return {
    name: 'notifications',
    schema: new URL('./schema/', import.meta.url),
    consumers: [
      reaction({
        name: 'notifications',
        on: {
          'stock.low': (event, { tx }) => tellOfStock(event, tx, { log, settings, state: forAdmin }),
          'stock.out': (event, { tx }) => tellOfStock(event, tx, { log, settings, state: forAdmin }),
          'order.created': (event, { tx }) => tellOfOrder(event, tx, state),
          'order.status.changed': (event, { tx }) => tellOfOrder(event, tx, state),
          'customer.created': (event, { tx }) => updateRule(event, tx),
          'customer.preferences.updated': (event, { tx }) => updateRule(event, tx),
          'customer.erased': (event, { tx }) => updateRule(event, tx),
        },
      }),
    ],
    routes: (app) => notificationRoutes(app, db, settings, { reveal, decline }),
    async run(signal) {
      if (smtpUrl === undefined) {
        log.debug('SMTP_URL is not set: mails are kept in the outbox, unsent; GET /v1/notifications shows them')
        return
      }
      if (adminEmail === undefined) log.warn('LOCKSTEP_ADMIN_EMAIL is not set: nobody is mailed of low stock')
      await new Sender(db, log, { ...settings, smtpUrl }, composing({ db, settings, reveal })).run(signal)
    },
  }
}
