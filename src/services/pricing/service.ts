/** Pricing: the source of effective prices. */

import type { Sql } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import type { Finding } from '../../engine/finding.ts'
import type { App } from '../../engine/http.ts'
import { Remembered } from '../../engine/remembered.ts'
import type { Engine, Service } from '../../engine/service.ts'
import type { Money } from '../catalog/events.ts'
import { type PricingCommand, pricingDecider } from './decider.ts'
import { pricesFollowCatalog } from './follow-catalog.ts'
import { priceRoutes, type Quote, quoteOf, type Resting } from './price-routes.ts'
import { promotionRoutes } from './promotion-routes.ts'
import { PriceReader } from './read.ts'

import { Repricer } from './repricer.ts'
import { ruleRoutes } from './rule-routes.ts'
import { pricingStore } from './store.ts'
import { verifyPricing } from './verify.ts'

export interface PricingService extends Service<App> {
  execute: Executor<PricingCommand>['execute']
  /** Begins and ends promotions that are due and makes a page of what is to be priced anew; answers whether more is left. */
  repriceOnce(): Promise<boolean>
  /** What these SKUs cost now, to sell them; those without a price are not in it. */
  pricesOf(skus: string[]): Promise<Map<string, Money>>
  /** What these cost together now; throws for what has no price or is not for sale. */
  quote(lines: { sku: string; quantity: number }[]): Promise<Quote>
  verify(sql: Sql): Promise<Finding[]>
}

/** `resting`: which SKUs the catalog has not for sale by now, though pricing may be yet to hear of it. */
export function pricingService(engine: Engine, resting?: Resting): PricingService {
  const { execute } = engine.executor({ name: 'pricing', decider: pricingDecider, store: pricingStore() })
  const repricer = new Repricer(engine.db, execute, engine.log)
  const reader = new PriceReader(engine.db)
  const sales = new Remembered((skus) => reader.effective(skus))
  engine.observe(['price.*'], () => sales.forget())
  const changed = () => {
    sales.forget()
    repricer.nudge()
  }
  return {
    name: 'pricing',
    schema: new URL('./schema/', import.meta.url),
    consumers: [pricesFollowCatalog(execute)],
    routes(app) {
      priceRoutes(app, reader, (lines) => quoteOf(lines, reader, resting))
      ruleRoutes(app, execute, reader, changed)
      promotionRoutes(app, execute, reader, changed)
    },
    run: (signal) => repricer.run(signal),
    execute,
    repriceOnce: () => repricer.runOnce(),
    pricesOf: (skus) => sales.of(skus),
    quote: (lines) => quoteOf(lines, reader, resting),
    verify: verifyPricing,
  }
}
