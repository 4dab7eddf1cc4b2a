/** Carts: the source of what people mean to buy, validated as stock and prices change. */
import type { Sql } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import type { Finding } from '../../engine/finding.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { cartsProjection } from './carts-projection.ts'
import type { CartsCommand } from './decider.ts'
import { LiveCarts } from './live.ts'
import { liveCartRoutes } from './live-routes.ts'
import { type CartView, goodsOf, readCart } from './read.ts'
import { cartRoutes } from './routes.ts'
import { cartsSource } from './store.ts'
import { Teller } from './teller.ts'
import type { Goods } from './validation.ts'
import { verifyCarts } from './verify.ts'

export interface CartsService extends Service<App> {
  execute: Executor<CartsCommand>['execute']
  cart(id: string): Promise<CartView | undefined>
  /** What is known of these SKUs now, as `put` and `acknowledge` take it. */
  goods(skus: string[]): Promise<Goods[]>
  /** Tells a page of carts what became of their lines; answers whether more is left. */
  tellOnce(): Promise<boolean>
  /** How many follow a cart live in this process. */
  liveFollowers(): number
  /** Tells those who follow live what was not heard of. */
  beat(): Promise<void>
  verify(sql: Sql): Promise<Finding[]>
}

export interface CartsOptions {
  /** How many may follow a cart live in one process. */
  liveConnections?: number
}

export function cartsService(engine: Engine, { liveConnections = 1_000 }: CartsOptions = {}): CartsService {
  const { execute } = engine.executor(cartsSource)
  const teller = new Teller(engine.db, execute, engine.log)
  const live = new LiveCarts(engine.db, liveConnections)
  engine.observe(['cart.*'], (events) => live.heard(events))
  return {
    name: 'carts',
    schema: new URL('./schema/', import.meta.url),
    consumers: [cartsProjection()],
    routes(app) {
      cartRoutes(app, engine.db, execute)
      liveCartRoutes(app, engine.db, live)
    },
    async run(signal) {
      await teller.run(signal)
      live.close()
    },
    execute,
    cart: (id) => readCart(engine.db, id),
    goods: (skus) => goodsOf(engine.db, skus),
    tellOnce: () => teller.runOnce(),
    liveFollowers: () => live.followers,
    beat: () => live.beat(),
    verify: verifyCarts,
  }
}
