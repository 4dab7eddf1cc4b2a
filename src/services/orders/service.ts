/** Orders: the source of what was sold to whom, at which prices, and what became of it. */
import type { Sql } from '../../engine/database.ts'
import type { CommandOptions, Executed, Executor } from '../../engine/executor.ts'
import type { Finding } from '../../engine/finding.ts'
import type { App } from '../../engine/http.ts'
import { inTurns } from '../../engine/in-turns.ts'
import type { AnySource, Deed, Joint } from '../../engine/joint.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { buyersProjection, type Open } from './buyers.ts'
import type { OrderAnswer, OrdersCommand } from './commands.ts'
import type { OrderDeed, Sold } from './decider.ts'
import { type PricesOf, priced } from './prices.ts'
import { ordersRoutes } from './routes.ts'
import { ordersSource } from './store.ts'
import { verifyOrders } from './verify.ts'

/** Which of these SKUs are of products that are not for sale now. */
export type Resting = (skus: string[]) => Promise<ReadonlySet<string>>

const none: ReadonlySet<string> = new Set()

export interface OrdersService extends Service<App> {
  execute: Executor<OrdersCommand>['execute']
  /** Makes the order of a reservation that was made for one. */
  sell(sale: Omit<Extract<OrdersCommand, { type: 'confirm' }>, 'type'>, options?: CommandOptions): Promise<OrderAnswer>
  verify(sql: Sql): Promise<Finding[]>
}

/** What orders are given of others. */
export interface Selling {
  /** Holds `ordersSource` and the stock's source. */
  joint: Joint
  /** Inventory: takes, gives back and confirms in the same transaction. */
  stock: AnySource
  pricesOf: PricesOf
  /** The catalog: which of these SKUs are not for sale. Without it all are that inventory keeps. */
  resting?: Resting
  /** Customers: opens what is sealed of them. Without it orders name nobody. */
  open?: Open
}

export function ordersService(engine: Engine, selling: Selling): OrdersService {
  const execute = executeWith(selling)
  return {
    name: 'orders',
    schema: new URL('./schema/', import.meta.url),
    consumers: [buyersProjection()],
    routes: (app) => ordersRoutes(app, engine.db, execute, selling.open ?? (async () => new Map())),
    execute,
    async sell(sale, options) {
      return (await execute({ type: 'confirm', ...sale }, options)).answer as OrderAnswer
    },
    verify: verifyOrders,
  }
}

/**
 * Flow 1 of document B: the stock is locked and looked at, then either both the units and the order are written, or neither, and the short SKUs
 * say so. Keys of what inventory did before there were orders stay inventory's.
 */
function executeWith({ joint, stock, pricesOf, resting = async () => none }: Selling): OrdersService['execute'] {
  const ask = inTurns(pricesOf)
  const both = (command: OrdersCommand, move: object, deed: OrderDeed, then: (sold: Sold) => OrderDeed) => {
    const moves: Deed = { source: stock, command: move }
    const order: Deed = { source: ordersSource, command: deed, complete: ([answer]) => then(answer as Sold) }
    const scope = command.type === 'confirm' ? 'orders' : 'inventory'
    return { scope, said: command, deeds: [moves, order] as [Deed, Deed] }
  }

  return async (command: OrdersCommand, options: CommandOptions = {}): Promise<Executed> => {
    const { orderId } = command
    const by = options.actor ?? null
    switch (command.type) {
      case 'place':
      case 'confirm': {
        const { customerId } = command
        const reservationId = command.type === 'confirm' ? command.reservationId : null
        // Without waiting where nothing is to be asked: imported orders stay in the order in which they were given.
        const isPriced = command.lines.every((line) => line.unitPrice !== undefined)
        // A reservation was made of what was for sale then, and is kept.
        const skus = command.type === 'place' && !command.imported ? command.lines.map(({ sku }) => sku) : []
        const [lines, rests] =
          isPriced && skus.length === 0
            ? [command.lines, none]
            : await Promise.all([priced(command.lines, ask), skus.length > 0 ? resting(skus) : none])
        const refused = skus.filter((sku) => rests.has(sku))
        const deed: OrderDeed = { type: 'open', orderId, customerId: customerId ?? null, reservationId, lines, by }
        const move =
          command.type === 'confirm'
            ? { type: 'confirm', reservationId }
            : {
                type: 'order',
                orderId,
                customerId,
                lines: lines.map(({ sku, quantity }) => ({ sku, quantity })),
                ...(refused.length > 0 && { resting: refused }),
              }
        return joint.together(
          both(command, move, deed, (sold) => ({ ...deed, sold })),
          options,
        )
      }
      case 'cancel':
      case 'return': {
        const { reason, type } = command
        const returnId = command.type === 'return' ? command.returnId : undefined
        const as = type === 'cancel' ? 'cancelled' : 'returned'
        const deed: OrderDeed = { type: 'give-back', orderId, as, returnId, reason: reason ?? null, by }
        return joint.together(
          both(command, command, deed, (back) => ({ ...deed, back })),
          options,
        )
      }
      case 'mark': {
        const { status, reason = null } = command
        const deed: OrderDeed = { type: 'mark', orderId, status, reason, by }
        return joint.together(
          { scope: 'orders', said: command, deeds: [{ source: ordersSource, command: deed }] },
          options,
        )
      }
    }
  }
}
