/** Rows become orders: lines of one order stand together, more or less; returns and write-offs are told from sales. */
import { readPrice, readQuantity } from './decimal.ts'
import { FirstSeen } from './first-seen.ts'
import { asIdentifier } from './names.ts'
import type { Problem } from './report.ts'
import type { Row } from './rows.ts'

/** Units of one SKU, rows of the same kind summed. */
export interface OrderLine {
  /** Where it first stands. */
  line: number
  sku: string
  quantity: number
  /** The last row's description: of a write-off, its reason. */
  description: string
  column: string
  /** What one unit was sold at, as it stands there; empty where its rows do not agree. */
  price: string
}

export interface FileOrder {
  line: number
  id: string
  customer: string
  sold: Map<string, OrderLine>
  /** Given back by a customer: goes to stock again. */
  returned: Map<string, OrderLine>
  /** Lost, broken, miscounted: leaves the stock. */
  writtenOff: Map<string, OrderLine>
}

// Shops print an order's lines together; exports joined from several tills may interleave a few dozen.
const openMax = 200
// An order of more different SKUs than that is no order.
const skusMax = 5_000

export class OrderReader {
  readonly #open = new Map<string, FileOrder>()
  readonly #seen = new FirstSeen()
  #lastTime = ''
  outOfTime = false

  /** Takes a row in, or says why not; orders that are complete by now go to `done`. */
  add(row: Row, done: FileOrder[]): Problem | undefined {
    const id = asIdentifier(row.text('order').replace(/^'+/, ''))
    const refuse = (field: string | undefined, reason: string): Problem => ({
      line: row.line,
      ...(field && { column: row.column(field) }),
      kind: 'refused',
      what: id,
      reason,
    })
    if (row.refused !== undefined) return refuse(undefined, row.refused)
    if (id === '') return refuse('order', 'has no order id')
    const sku = asIdentifier(row.text('sku').replace(/^'+/, ''))
    if (sku === '') return refuse('sku', 'has no SKU')
    const quantity = readQuantity(row.text('quantity'))
    if ('refused' in quantity) return refuse('quantity', `${JSON.stringify(row.text('quantity'))} ${quantity.refused}`)
    if (quantity.value === 0) return refuse('quantity', 'is 0')
    const isCancellation = /^C\d/i.test(id)
    if (isCancellation && quantity.value > 0) return refuse('quantity', 'is positive in a cancellation')

    let order = this.#open.get(id)
    const first = this.#seen.at(id, row.line)
    if (!order && first !== undefined) {
      return refuse(
        'order',
        `belongs to the order of line ${first}, which was over long before: lines of an order must stand together`,
      )
    }
    order ??= {
      line: row.line,
      id,
      // 17850.0 is what a number becomes in a table with gaps.
      customer: row.text('customer').replace(/^(\d+)\.0$/, '$1'),
      sold: new Map(),
      returned: new Map(),
      writtenOff: new Map(),
    }
    const lines =
      quantity.value > 0 ? order.sold : isCancellation || !isWriteOff(row) ? order.returned : order.writtenOff
    const same = lines.get(sku)
    if (!same && lines.size >= skusMax) return refuse('order', `has more than ${skusMax} SKUs`)
    const description = row.text('description') || (same?.description ?? '')
    const price = same && same.price !== row.text('price') ? '' : row.text('price')
    lines.set(sku, {
      line: row.line,
      sku,
      column: row.column('sku'),
      ...same,
      description,
      price,
      quantity: (same?.quantity ?? 0) + Math.abs(quantity.value),
    })

    this.#watchTime(row.text('time'))
    this.#open.delete(id)
    this.#open.set(id, order)
    const [oldest] = this.#open.values()
    if (this.#open.size > openMax && oldest) {
      this.#open.delete(oldest.id)
      done.push(oldest)
    }
    return undefined
  }

  /** The orders still under way. */
  end(): FileOrder[] {
    const rest = [...this.#open.values()]
    this.#open.clear()
    return rest
  }

  #watchTime(time: string): void {
    if (!/^\d{4}-\d\d-\d\d/.test(time)) return
    if (time < this.#lastTime) this.outOfTime = true
    this.#lastTime = time
  }
}

/** Units that leave without a sale: nobody paid, nobody bought. A negative line with a price or a customer is a return. */
function isWriteOff(row: Row): boolean {
  const price = row.text('price')
  const read = readPrice(price, 'EUR')
  return price !== '' && 'amount' in read && read.amount === 0 && row.text('customer') === ''
}
