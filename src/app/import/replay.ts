/** Orders of a file become orders, returns and adjustments of stock, each once, and each answer is reported. */
import { Rejected } from '../../engine/decider.ts'
import type { Data } from '../../engine/event.ts'
import type { Executed } from '../../engine/executor.ts'
import type { Money } from '../../services/catalog/events.ts'
import { normalProduct } from '../../services/catalog/product.ts'
import type { Command } from '../../services/inventory/commands.ts'
import type { OrdersCommand } from '../../services/orders/commands.ts'
import { readPrice } from './decimal.ts'
import { FirstSeen } from './first-seen.ts'
import { InFlight } from './in-flight.ts'
import { asIdentifier } from './names.ts'
import type { FileOrder, OrderLine } from './order-lines.ts'
import type { OrdersOptions } from './orders.ts'
import type { ReportWriter } from './report.ts'
import type { Row } from './rows.ts'
import { defaultWarehouse, ownersOf, patiently, type SellingShop, stockedAmong } from './shop.ts'

type ReplayOptions = Pick<OrdersOptions, 'createMissing' | 'initialStock' | 'dryRun' | 'retryRejected'> & {
  currency: string
}

const inFlightMax = 2_000

// Keys are kept per actor: whoever imports the file again, it is the same import.
const actor = 'import'

/** Carries orders out in their turn. `meet` the rows before the orders they belong to. */
export class Replay {
  readonly #options: ReplayOptions
  readonly #shop: SellingShop
  readonly #report: ReportWriter
  readonly #inFlight = new InFlight(inFlightMax)
  /** SKUs that there is stock of; those there is none of are asked for again with each piece of the file. */
  readonly #stocked = new Set<string>()
  readonly #placed = new FirstSeen()

  constructor(options: ReplayOptions, shop: SellingShop, report: ReportWriter) {
    this.#options = options
    this.#shop = shop
    this.#report = report
  }

  done(): Promise<void> {
    return this.#inFlight.all()
  }

  /** Gets to know the SKUs of these rows, and makes those that are missing if it may. */
  async meet(rows: Row[]): Promise<void> {
    const strange = new Map<string, { line: number; title: string; amount: number }>()
    for (const row of rows) {
      const sku = asIdentifier(row.text('sku').replace(/^'+/, ''))
      if (sku === '' || row.refused !== undefined || this.#stocked.has(sku)) continue
      const known = strange.get(sku) ?? { line: row.line, title: '', amount: 0 }
      const price = readPrice(row.text('price'), this.#options.currency)
      strange.set(sku, {
        line: known.line,
        title: known.title || row.text('description').slice(0, 500),
        amount: known.amount || ('amount' in price ? price.amount : 0),
      })
    }
    if (strange.size === 0) return
    const skus = [...strange.keys()]
    const [stocked, owners] = await Promise.all([stockedAmong(this.#shop.db, skus), ownersOf(this.#shop.db, skus)])
    for (const sku of stocked) this.#stocked.add(sku)
    if (!this.#options.createMissing) return
    const making = new InFlight(inFlightMax)
    for (const [sku, { line, title, amount }] of strange) {
      if (stocked.has(sku)) continue
      this.#stocked.add(sku)
      if (!this.#options.dryRun) await making.add(() => this.#make(sku, owners.get(sku), line, title, amount))
      else this.#report.count('productsCreated', owners.has(sku) ? 0 : 1)
    }
    await making.all()
  }

  async #make(sku: string, owner: string | undefined, line: number, title: string, amount: number): Promise<void> {
    const { currency, initialStock: quantity = 1_000 } = this.#options
    try {
      if (owner === undefined) {
        const variants = [{ sku, price: { amount, currency } }]
        const product = normalProduct({ id: sku, title: title || `Product ${sku}`, variants })
        await patiently(() => this.#shop.catalog.execute({ type: 'put', product }, { actor }))
        this.#report.count('productsCreated')
        this.#report.entry(line, sku, 'created')
      }
      const initial = {
        type: 'set-initial',
        sku,
        productId: owner ?? sku,
        warehouseId: defaultWarehouse,
        quantity,
        trigger: 'IMPORTED',
      } as const
      await patiently(() => this.#shop.inventory.execute(initial, { actor }))
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      this.#stocked.delete(sku)
      this.#report.problem({ line, kind: 'refused', what: sku, reason: error.message })
    }
  }

  /** Begins an order's commands, in turn with those of the orders before. */
  async carryOut(order: FileOrder): Promise<void> {
    const sold = this.#known(order, order.sold)
    if (sold.length > 0) {
      const lines = sold.map(({ sku, quantity, price }) => ({ sku, quantity, unitPrice: this.#priceOf(price) }))
      const { id: orderId, customer } = order
      const buyer = customer === '' ? {} : { customerId: customer }
      const command = { type: 'place', orderId, ...buyer, lines, imported: true } as const
      this.#placed.at(orderId, order.line)
      await this.#execute('orders', order.line, orderId, [command], `order:${orderId}`, order.sold)
    } else if (order.sold.size > 0) this.#report.count('ordersRefused')
    for (const line of this.#known(order, order.returned)) {
      const { sku, quantity } = line
      const cause = { trigger: 'ORDER_RETURNED', referenceType: 'RETURN', reference: order.id } as const
      const ways: Way[] = [{ type: 'adjust', sku, delta: quantity, ...cause }]
      // A number that was an order's of this file, or was one before a C was put before it, names what is returned. Other goods come back all the same.
      const orderId = order.id.replace(/^C(?=\d)/i, '')
      if (this.#placed.has(orderId))
        ways.unshift({ type: 'return', orderId, returnId: order.id, lines: [{ sku, quantity }] })
      await this.#execute('returns', line.line, `${order.id} ${sku}`, ways, `return:${order.id}:${sku}`, [line])
    }
    for (const line of this.#known(order, order.writtenOff)) {
      const { sku, quantity } = line
      const reason = line.description.slice(0, 500) || 'write-off'
      const cause = { trigger: 'ADMIN_UPDATE', reason, referenceType: 'WRITE_OFF', reference: order.id } as const
      const command = { type: 'adjust', sku, delta: -quantity, ...cause } as const
      await this.#execute('writeOffs', line.line, `${order.id} ${sku}`, [command], `write-off:${order.id}:${sku}`, [
        line,
      ])
    }
  }

  /** The lines whose SKU there is stock of; the others are refused. */
  #known(order: FileOrder, lines: Map<string, OrderLine>): OrderLine[] {
    return [...lines.values()].filter(({ line, sku, column }) => {
      if (this.#stocked.has(sku)) return true
      const reason = `there is no stock of ${JSON.stringify(sku)}; --create-missing makes a product of each such SKU`
      this.#report.problem({ line, column, kind: 'refused', what: order.id, reason })
      return false
    })
  }

  async #execute(
    what: 'orders' | 'returns' | 'writeOffs',
    line: number,
    name: string,
    ways: Way[],
    key: string,
    inFile: Map<string, OrderLine> | OrderLine[],
  ): Promise<void> {
    if (this.#options.dryRun) {
      this.#report.count(`${what}Read`)
      return
    }
    // What tells the file's order from another is what the file says, not which of its SKUs were known that day.
    const fingerprint = JSON.stringify([...inFile.values()].map(({ sku, quantity }) => [sku, quantity]))
    await this.#inFlight.add(() => this.#answer(what, line, name, ways, { key, fingerprint, actor }))
  }

  /** The price that a row names; none if that can't be read: what was sold was sold. */
  #priceOf(text: string): Money | null {
    const read = readPrice(text, this.#options.currency)
    return 'amount' in read ? { amount: read.amount, currency: read.currency } : null
  }

  async #answer(what: string, line: number, name: string, ways: Way[], options: Once): Promise<void> {
    const rejected = (reason: string) => {
      this.#report.count(`${what}Rejected`)
      this.#report.problem({ line, kind: 'rejected', what: name, reason })
    }
    try {
      let { repeated, answer } = await this.#try(ways, options)
      if (wasRejected(answer) && this.#options.retryRejected) {
        const again = { ...options, key: `${options.key}:again` }
        ;({ repeated, answer } = await this.#try(ways, again))
      }
      if (wasRejected(answer)) return rejected('was rejected when the file first came')
      this.#report.count(`${what}${repeated ? 'Unchanged' : 'Taken'}`)
      this.#report.entry(line, name, repeated ? 'unchanged' : 'taken')
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      if (error.code === 'idempotency-key-reused') return rejected('was replayed before with other lines')
      rejected(error.message)
      await patiently(() => this.#shop.inventory.execute(nothing, options))
    }
  }

  /** The first way that is open; the last one's refusal otherwise. All of them share the key: one is taken. */
  async #try([way, ...others]: Way[], options: Once): Promise<Executed> {
    const { inventory, orders } = this.#shop
    try {
      return await patiently(() =>
        way?.type === 'place' || way?.type === 'return'
          ? orders.execute(way, options)
          : inventory.execute(way as Command, options),
      )
    } catch (error) {
      const closed = error instanceof Rejected && /^(not-found|return-exceeds-order)$/.test(error.code)
      if (!closed || others.length === 0) throw error
      return this.#try(others, options)
    }
  }
}

type Way = Extract<OrdersCommand, { type: 'place' | 'return' }> | Extract<Command, { type: 'adjust' }>

// Only what was carried out is kept under its key. A rejection is kept by a command that does nothing: else the same file would give
// another answer as soon as a return has filled the shelf.
const nothing: Command = { type: 'expire', reservationIds: [] }
const wasRejected = (answer: Data) => 'expired' in answer

interface Once {
  key: string
  fingerprint: string
  actor: string
}
