/** Orders: the source of what was sold to whom, at which prices, and what became of it. */
import type { Sql } from '../../engine/database.ts'
import type { CommandOptions, Executor } from '../../engine/executor.ts'
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
  /** What a command does, to be done together with something else. `by`: who it is. */
  deedsOf(command: OrdersCommand, by: string | null): Promise<[Deed, ...Deed[]]>
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
  const deedsOf = deedsWith(selling)
  const execute: OrdersService['execute'] = async (command, options = {}) => {
    const deeds = await deedsOf(command, options.actor ?? null)
    return selling.joint.together({ scope: scopeOf(command), said: command, deeds }, options)
  }
  return {
    name: 'orders',
    schema: new URL('./schema/', import.meta.url),
    consumers: [buyersProjection()],
    routes: (app) => ordersRoutes(app, engine.db, execute, selling.open ?? (async () => new Map())),
    execute,
    deedsOf,
    async sell(sale, options) {
      return (await execute({ type: 'confirm', ...sale }, options)).answer as OrderAnswer
    },
    verify: verifyOrders,
  }
}

/** Keys of what inventory did before there were orders stay inventory's. */
const scopeOf = ({ type }: OrdersCommand) => (type === 'confirm' || type === 'mark' ? 'orders' : 'inventory')

/** Flow 1 of document B: the stock is locked and looked at, then either both the units and the order are written, or neither, and the short SKUs say so. */
function deedsWith({ stock, pricesOf, resting = async () => none }: Selling): OrdersService['deedsOf'] {
  const ask = inTurns(pricesOf)
  const both = (move: object, deed: OrderDeed, then: (sold: Sold) => OrderDeed): [Deed, Deed] => [
    { source: stock, command: move },
    { source: ordersSource, command: deed, complete: (answers) => then(answers.at(-1) as Sold) },
  ]

  return async (command, by) => {
    const { orderId } = command
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
        return both(move, deed, (sold) => ({ ...deed, sold }))
      }
      case 'cancel':
      case 'return': {
        const { reason, type } = command
        const returnId = command.type === 'return' ? command.returnId : undefined
        const as = type === 'cancel' ? 'cancelled' : 'returned'
        const deed: OrderDeed = { type: 'give-back', orderId, as, returnId, reason: reason ?? null, by }
        return both(command, deed, (back) => ({ ...deed, back }))
      }
      case 'mark': {
        const { status, reason = null } = command
        const deed: OrderDeed = { type: 'mark', orderId, status, reason, by }
        return [{ source: ordersSource, command: deed }]
      }
    }
  }
}
