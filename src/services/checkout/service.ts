/** Checkout: a saga over stock, payment and order that ends as a paid order or as if it had never been. */
import type { Sql } from '../../engine/database.ts'
import type { Finding } from '../../engine/finding.ts'
import type { App } from '../../engine/http.ts'
import type { AnySource, Joint } from '../../engine/joint.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { Buying, type Carts } from './buying.ts'
import { Checkouts } from './checkouts.ts'
import { type CheckoutRules, checkoutDefaults } from './decider.ts'
import { Driver } from './driver.ts'
import type { Paying, Quote, Selling } from './ports.ts'
import { checkoutRoutes } from './routes.ts'
import { verifyCheckouts } from './verify.ts'

export interface CheckoutOptions extends Partial<CheckoutRules> {
  /** Holds `source`, and the sources of carts and of what `selling` changes. */
  joint: Joint
  /** The checkouts' own, by the same rules. */
  source: AnySource
  selling: Selling
  paying: Paying
  quote: Quote
  carts?: Carts
  /** Milliseconds that a request waits for its checkout to end before it is told that it is under way. */
  waitMs?: number
}

export interface CheckoutService extends Service<App> {
  start: Checkouts['start']
  outcome: Checkouts['outcome']
  driver: Driver
  verify(sql: Sql): Promise<Finding[]>
}

export function checkoutService(engine: Engine, options: CheckoutOptions): CheckoutService {
  const { joint, source, selling, paying, quote, carts, waitMs = 5_000 } = options
  const rules = { ...checkoutDefaults, ...options }
  const buying = new Buying({ joint, source, carts: carts?.source })
  const driver = new Driver(engine.db, buying, { selling, paying }, rules, engine.log)
  const checkouts = new Checkouts(engine.db, buying, driver, {
    quote,
    cart: carts?.read ?? (async () => undefined),
    waitMs,
  })
  return {
    name: 'checkout',
    schema: new URL('./schema/', import.meta.url),
    routes: (app) => checkoutRoutes(app, engine.db, checkouts),
    run: (signal) => driver.run(signal),
    start: (wanted, given) => checkouts.start(wanted, given),
    outcome: (id) => checkouts.outcome(id),
    driver,
    verify: verifyCheckouts,
  }
}
