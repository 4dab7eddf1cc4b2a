/** Rows become products: a product's variants and pictures may stand on several rows that follow one another. */
import type { NormalProduct } from '../../services/catalog/product.ts'
import type { DecimalMark } from './decimal.ts'
import { Drafting } from './drafting.ts'
import { FirstSeen } from './first-seen.ts'
import type { Problem } from './report.ts'
import type { Row } from './rows.ts'

/** Stock as the file states it, for one SKU. */
export interface StockLine {
  line: number
  sku: string
  /** '' for the default one. */
  warehouse: string
  quantity: number
  /** Whose SKU it is, when no product comes with it. */
  productId?: string
}

/** What a group of rows came to. `product` is absent when it was refused as a whole. */
export interface Draft {
  line: number
  product?: NormalProduct
  stock: StockLine[]
  problems: Problem[]
  /** What a draft without product and stock counts as. */
  refusal?: 'productsRefused' | 'stockRefused' | 'rowsRefused'
}

/** How the file writes prices. */
export interface PriceStyle {
  /** Of those that name none. */
  currency: string
  mark?: DecimalMark | undefined
}

// 1,000 variants and 250 pictures are what a product may have; rows beyond are only counted.
const groupMax = 1_500

/** Gathers rows into products. Feed rows in the file's order; what is complete comes back. */
export class ProductReader {
  readonly #prices: PriceStyle
  readonly #skus = new FirstSeen()
  readonly #ids = new FirstSeen()
  readonly #grouping: 'handle' | 'id' | undefined
  #name = ''
  #rows: Row[] = []
  #dropped = 0

  constructor(columns: Map<string, string>, prices: PriceStyle) {
    this.#prices = prices
    this.#grouping = columns.has('handle') ? 'handle' : columns.has('id') ? 'id' : undefined
  }

  add(row: Row): Draft[] {
    if (row.refused !== undefined) return [refusedRow(row, row.refused)]
    const name = this.#grouping ? row.text(this.#grouping) : ''
    if (this.#rows.length > 0 && name !== '' && name === this.#name) {
      if (this.#rows.length < groupMax) this.#rows.push(row)
      else this.#dropped++
      return []
    }
    const drafts = this.end()
    if (name === '' && this.#grouping === 'handle' && row.text('title') === '') {
      return [...drafts, refusedRow(row, 'has neither a handle nor a title', row.column('handle'))]
    }
    this.#name = name
    this.#rows = [row]
    return drafts
  }

  /** The product under way when the file broke off: half of it would take its other variants away. */
  abandon(reason: string): Draft[] {
    const [first] = this.#rows
    if (!this.#grouping || !first) return this.end()
    this.#rows = []
    return [refusedRow(first, reason)]
  }

  /** The product under way, complete. */
  end(): Draft[] {
    const rows = this.#rows
    const [first] = rows
    if (!first) return []
    this.#rows = []
    const draft = new Drafting(rows, first, this.#prices, this.#skus, this.#ids).draft()
    if (this.#dropped > 0) {
      draft.problems.push({
        line: first.line,
        kind: 'refused',
        what: this.#name,
        reason: `has ${this.#dropped} rows too many`,
      })
    }
    this.#dropped = 0
    return [draft]
  }
}

const refusedRow = (row: Row, reason: string, column?: string): Draft => ({
  line: row.line,
  stock: [],
  refusal: 'rowsRefused',
  problems: [{ line: row.line, kind: 'refused', ...(column !== undefined && { column }), reason }],
})
