/** The rows of one product become a product as the catalog takes it, or are refused. */
import { normalProduct, productInput } from '../../services/catalog/product.ts'
import type { FirstSeen } from './first-seen.ts'
import { asIdentifier, slug } from './names.ts'
import type { Draft, PriceStyle, StockLine } from './products.ts'
import type { Problem } from './report.ts'
import type { Row } from './rows.ts'
import { type DraftVariant, optionsOf, readStock, VariantReader } from './variants.ts'

/** One product under way: its rows, and what had to be said about them. */
export class Drafting {
  readonly #rows: Row[]
  readonly #first: Row
  readonly #ids: FirstSeen
  readonly #problems: Problem[] = []
  readonly #what: string
  readonly #reader: VariantReader
  /** The row of each variant taken. */
  readonly #rowsTaken: Row[] = []

  constructor(rows: Row[], first: Row, prices: PriceStyle, skus: FirstSeen, ids: FirstSeen) {
    this.#rows = rows
    this.#first = first
    this.#ids = ids
    this.#reader = new VariantReader(prices, skus, (...said) => this.#say(...said))
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
      const reason = text === '' ? 'is missing: the product has no name' : 'has nothing to name a product by'
      this.#say('refused', this.#first, field, reason)
      return undefined
    }
    if (field !== 'title' && id !== text)
      this.#say('repaired', this.#first, field, `an id can't be ${JSON.stringify(text)}: ${JSON.stringify(id)} instead`)
    return id
  }

  #idField(): string {
    return ['id', 'handle', 'sku'].find((field) => this.#first.text(field) !== '') ?? 'title'
  }

  /** What concerns the whole product; a row further down may say what the first one left out. */
  #said() {
    const attributes: Record<string, string> = {}
    for (const field of this.#first.fields('attribute.')) {
      const value = this.#anywhere(field)
      if (value !== '') attributes[field.slice('attribute.'.length)] = value
    }
    return {
      title: this.#anywhere('title'),
      description: this.#anywhere('description'),
      vendorId: this.#anywhere('vendor') || null,
      category: narrowest(this.#anywhere('category')) || narrowest(this.#anywhere('categoryPath')) || null,
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
      for (const url of row.list('image', betweenAddresses)) {
        const alt = row.text('imageAlt')
        if (!isAddress(url)) {
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
      const hasOwn = row.text('sku') !== '' || row.text('price') !== '' || optionsOf(row).some((value) => value !== '')
      // A row with a picture and nothing of a variant is only there for the picture.
      if (!hasOwn && (row !== this.#first || row.list('image').length > 0) && this.#rows.length > 1) continue
      const variant = this.#reader.read(row, id, names)
      if (!variant) continue
      variants.push(variant)
      this.#rowsTaken.push(row)
      const quantity = readStock(row, (kind, reason) => this.#say(kind, row, 'stock', reason, variant.sku))
      if (quantity !== undefined)
        stock.push({ line: row.line, sku: variant.sku, warehouse: row.text('warehouse'), quantity })
    }
    return variants
  }

  #refuseIssue(path: readonly PropertyKey[], message: string): void {
    const [top, at, inner] = path.map(String)
    const row = top === 'variants' && at !== undefined ? (this.#rowsTaken[Number(at)] ?? this.#first) : this.#first
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

/** `Clothing > Shirts` → `Shirts` */
const narrowest = (path: string) => path.slice(path.lastIndexOf('>') + 1).trim()

// An address may have commas of its own: `…/w_400,h_300/a.jpg`.
const betweenAddresses = /[\s,;|]+(?=https?:\/\/|\/)/

const isAddress = (url: string) =>
  url.length <= 2_000 && (/^https?:\/\//i.test(url) ? URL.canParse(url) : /^\/(?![/\\])/.test(url))
