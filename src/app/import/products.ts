/** Rows become products: a product's variants and pictures may stand on several rows that follow one another. */
import { type NormalProduct, normalProduct, productInput } from '../../services/catalog/product.ts'
import { type DecimalMark, readPrice, readQuantity } from './decimal.ts'
import { FirstSeen } from './first-seen.ts'
import { asIdentifier, slug } from './names.ts'
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

type DraftVariant = NormalProduct['variants'][number]

/** One product under way: its rows, and what had to be said about them. */
class Drafting {
  readonly #rows: Row[]
  readonly #first: Row
  readonly #prices: PriceStyle
  readonly #skus: FirstSeen
  readonly #ids: FirstSeen
  readonly #problems: Problem[] = []
  #what: string

  constructor(rows: Row[], first: Row, prices: PriceStyle, skus: FirstSeen, ids: FirstSeen) {
    this.#rows = rows
    this.#first = first
    this.#prices = prices
    this.#skus = skus
    this.#ids = ids
    this.#what = first.text('handle') || first.text('id') || first.text('sku') || first.text('title')
  }

  draft(): Draft {
    const first = this.#first
    const nothing = { line: first.line, stock: [], problems: this.#problems }
    for (const row of this.#rows) if (row.odd !== undefined) this.#say('repaired', row, undefined, row.odd)
    const id = this.#id()
    if (id === undefined) return nothing
    const before = this.#ids.at(id, first.line)
    if (before !== undefined) {
      this.#say('refused', first, this.#idField(), `is the product of line ${before}; its rows must follow one another`)
      return nothing
    }
    const stock: StockLine[] = []
    const variants = this.#variants(id, stock)
    if (variants.length === 0) {
      if (!this.#problems.some(({ kind }) => kind === 'refused')) this.#say('refused', first, 'sku', 'has no variant')
      return nothing
    }
    const status = this.#status()
    if (status === undefined) return nothing
    const checked = productInput.safeParse({ id, ...this.#said(), status, media: this.#media(), variants })
    if (!checked.success) {
      for (const issue of checked.error.issues.slice(0, 5)) this.#refuseIssue(issue.path, issue.message)
      return nothing
    }
    return { ...nothing, product: normalProduct({ ...checked.data, id }), stock }
  }

  /** From the id column, the handle, the SKU or the title, the first that says something. */
  #id(): string | undefined {
    const field = this.#idField()
    const text = this.#first.text(field)
    const id = field === 'title' ? slug(text) : asIdentifier(text)
    if (id === '') {
      this.#say(
        'refused',
        this.#first,
        field,
        text === '' ? 'is missing: the product has no name' : 'has nothing to name a product by',
      )
      return undefined
    }
    if (field !== 'title' && id !== text)
      this.#say('repaired', this.#first, field, `an id can't be ${JSON.stringify(text)}: ${id} instead`)
    return id
  }

  #idField(): string {
    return ['id', 'handle', 'sku'].find((field) => this.#first.text(field) !== '') ?? 'title'
  }

  /** What concerns the whole product; a row further down may say what the first one left out. */
  #said() {
    const path =
      this.#anywhere('categoryPath')
        .split(/\s*>\s*/)
        .at(-1) ?? ''
    const attributes: Record<string, string> = {}
    for (const field of this.#first.fields('attribute.')) {
      const value = this.#anywhere(field)
      if (value !== '') attributes[field.slice('attribute.'.length)] = value
    }
    return {
      title: this.#anywhere('title'),
      description: this.#anywhere('description'),
      vendorId: this.#anywhere('vendor') || null,
      category:
        this.#anywhere('category')
          .split(/\s*>\s*/)
          .at(-1) ||
        path ||
        null,
      tags: this.#first.list('tags'),
      attributes,
    }
  }

  #anywhere(field: string): string {
    for (const row of this.#rows) {
      const text = row.text(field)
      if (text !== '') return text
    }
    return ''
  }

  #status(): 'active' | 'draft' | 'archived' | undefined {
    const text = this.#anywhere('status').toLowerCase()
    const published = this.#anywhere('published').toLowerCase()
    const hidden = no.has(published)
    if (text === '' || text === 'active' || yes.has(text)) return hidden ? 'draft' : 'active'
    if (text === 'draft' || text === 'unlisted' || no.has(text)) return 'draft'
    if (['archived', 'discontinued', 'deleted'].includes(text)) return 'archived'
    this.#say('refused', this.#first, 'status', `${JSON.stringify(text)} is none of active, draft and archived`)
    return undefined
  }

  #media(): { url: string; alt?: string }[] {
    const pictures = new Map<string, { url: string; alt?: string; position: number }>()
    for (const row of this.#rows) {
      const position = Number(row.text('imagePosition')) || pictures.size + 1
      for (const url of row.list('image')) {
        const alt = row.text('imageAlt')
        if (!/^https?:\/\//i.test(url) && !/^\/(?![/\\])/.test(url)) {
          this.#say('repaired', row, 'image', `left out: ${JSON.stringify(url.slice(0, 100))} is no http(s) address`)
        } else if (!pictures.has(url)) pictures.set(url, { url, ...(alt !== '' && { alt }), position })
      }
    }
    return [...pictures.values()]
      .sort((one, other) => one.position - other.position)
      .map(({ position, ...media }) => media)
  }

  #variants(id: string, stock: StockLine[]): DraftVariant[] {
    const names = [1, 2, 3].map((n) => this.#anywhere(`option${n}Name`))
    const variants: DraftVariant[] = []
    for (const row of this.#rows) {
      const values = [1, 2, 3].map((n) => row.text(`option${n}`))
      const hasOwn = row.text('sku') !== '' || row.text('price') !== '' || values.some((value) => value !== '')
      // A row with a picture and nothing of a variant is only there for the picture.
      if (!hasOwn && (row !== this.#first || row.list('image').length > 0) && this.#rows.length > 1) continue
      const variant = this.#variant(row, id, names, values)
      if (!variant) continue
      variants.push(variant)
      this.#stock(row, variant.sku, stock)
    }
    return variants
  }

  #variant(row: Row, id: string, names: string[], values: string[]): DraftVariant | undefined {
    const options: Record<string, string> = {}
    for (const [n, value] of values.entries()) {
      const name = names[n] || (value && `Option ${n + 1}`)
      if (name && value && !(name === 'Title' && value === 'Default Title')) options[name] = value
    }
    const price = readPrice(row.text('price'), this.#currencyOf(row), this.#prices.mark)
    if ('refused' in price) {
      const text = row.text('price')
      this.#say('refused', row, 'price', text === '' ? 'no price' : `${JSON.stringify(text)} ${price.refused}`)
      return undefined
    }
    const sku = this.#sku(row, id, Object.values(options))
    if (sku === undefined) return undefined
    const { amount, currency } = price
    const title = row.text('variantTitle') || Object.values(options).join(' / ')
    const barcode = this.#barcode(row)
    const compareAt = this.#compareAt(row, currency)
    return {
      sku,
      ...(title !== '' && { title }),
      options,
      ...(barcode !== undefined && { barcode }),
      price: { amount, currency },
      ...(compareAt !== undefined && { compareAtPrice: { amount: compareAt, currency } }),
    }
  }

  #currencyOf(row: Row): string {
    const text = row.text('currency').toUpperCase()
    return text === '' ? this.#prices.currency : text
  }

  #sku(row: Row, id: string, options: string[]): string | undefined {
    const text = row.text('sku').replace(/^'+/, '')
    let sku = asIdentifier(text)
    if (text === '')
      sku = [id, ...options.map(slug)]
        .filter((part) => part !== '')
        .join('-')
        .slice(0, 200)
    const before = this.#skus.at(sku, row.line)
    if (before !== undefined) {
      const made = text === '' ? `made up of handle and options, ${sku},` : sku
      this.#say('refused', row, 'sku', `${made} is the SKU of line ${before} already`)
      return undefined
    }
    if (text === '') this.#say('repaired', row, 'sku', `missing: made of handle and options, ${sku}`)
    else if (sku !== text) this.#say('repaired', row, 'sku', `an SKU can't be ${JSON.stringify(text)}: ${sku} instead`)
    return sku
  }

  #barcode(row: Row): string | undefined {
    const text = row.text('barcode').replace(/^'+/, '')
    if (text === '') return undefined
    if (/^\d(?:[.,]\d+)?E\+?\d+$/i.test(text)) {
      this.#say('repaired', row, 'barcode', `left out: ${text} was cut short by a spreadsheet`)
      return undefined
    }
    if (text.length <= 64) return text
    this.#say('repaired', row, 'barcode', 'left out: longer than 64 characters')
    return undefined
  }

  #compareAt(row: Row, currency: string): number | undefined {
    const text = row.text('compareAtPrice')
    if (text === '') return undefined
    const read = readPrice(text, currency, this.#prices.mark)
    if ('refused' in read)
      this.#say('repaired', row, 'compareAtPrice', `left out: ${JSON.stringify(text)} ${read.refused}`)
    else if (read.currency !== currency)
      this.#say('repaired', row, 'compareAtPrice', 'left out: in another currency than the price')
    else if (read.amount > 0) return read.amount
    return undefined
  }

  #stock(row: Row, sku: string, stock: StockLine[]): void {
    const read = readStock(row, (kind, reason) => this.#say(kind, row, 'stock', reason, sku))
    if (read !== undefined) stock.push({ line: row.line, sku, warehouse: row.text('warehouse'), quantity: read })
  }

  #refuseIssue(path: readonly PropertyKey[], message: string): void {
    const [top, at, inner] = path.map(String)
    const row = top === 'variants' && at !== undefined ? (this.#rows[Number(at)] ?? this.#first) : this.#first
    const name = (top === 'variants' ? inner : undefined) ?? top ?? ''
    this.#say('refused', row, { vendorId: 'vendor', media: 'image', options: 'option1' }[name] ?? name, message)
  }

  #say(kind: Problem['kind'], row: Row, field: string | undefined, reason: string, what = this.#what): void {
    const column = field === undefined ? undefined : row.column(field)
    this.#problems.push({ line: row.line, ...(column !== undefined && { column }), kind, what, reason })
  }
}

const yes = new Set(['true', 'yes', '1', 'enabled', 'published', 'y'])
const no = new Set(['false', 'no', '0', '-1', 'disabled', 'unpublished', 'n', 'inactive'])

/** The quantity a row states; undefined without one, or when it can't be read, which is then said. */
export function readStock(row: Row, say: (kind: Problem['kind'], reason: string) => void): number | undefined {
  const text = row.text('stock').replace(/^'+/, '')
  if (text === '') return undefined
  const read = readQuantity(text)
  if ('refused' in read) {
    say('refused', `${JSON.stringify(text)} ${read.refused}`)
    return undefined
  }
  if (read.value >= 0) return read.value
  say('repaired', `${read.value} on hand: 0 instead`)
  return 0
}
