/** A row as a variant: its SKU, price, options, barcode and stock, with everything that had to be repaired said aloud. */
import type { NormalProduct } from '../../services/catalog/product.ts'
import { readNewPrice, readQuantity } from './decimal.ts'
import type { FirstSeen } from './first-seen.ts'
import { asIdentifier, slug } from './names.ts'
import type { PriceStyle } from './products.ts'
import type { Problem } from './report.ts'
import type { Row } from './rows.ts'

export type DraftVariant = NormalProduct['variants'][number]

/** Says of a row's field what was repaired or refused. */
export type Say = (kind: Problem['kind'], row: Row, field: string | undefined, reason: string) => void

export const optionsOf = (row: Row) => [1, 2, 3].map((n) => row.text(`option${n}`))

export class VariantReader {
  readonly #prices: PriceStyle
  readonly #skus: FirstSeen
  readonly #say: Say

  constructor(prices: PriceStyle, skus: FirstSeen, say: Say) {
    this.#prices = prices
    this.#skus = skus
    this.#say = say
  }

  /** Undefined when the row can't be one; why was then said. `names` are those of the product's options. */
  read(row: Row, id: string, names: string[]): DraftVariant | undefined {
    const values = optionsOf(row)
    const options: Record<string, string> = {}
    for (const [n, value] of values.entries()) {
      const name = names[n] || (value && `Option ${n + 1}`)
      if (name && value && !(name === 'Title' && value === 'Default Title')) options[name] = value
    }
    const price = readNewPrice(row.text('price'), this.#currencyOf(row), this.#prices.mark)
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
    const given = asIdentifier(text)
    const made = [id, ...options.map(slug)].filter((part) => part !== '').join('-')
    const sku = given || made.slice(0, 200)
    const before = this.#skus.at(sku, row.line)
    if (before !== undefined) {
      this.#say(
        'refused',
        row,
        'sku',
        `${given ? '' : 'made of handle and options, '}${JSON.stringify(sku)} is the SKU of line ${before} already`,
      )
      return undefined
    }
    if (given === '') this.#say('repaired', row, 'sku', `missing: made of handle and options, ${JSON.stringify(sku)}`)
    else if (sku !== text)
      this.#say('repaired', row, 'sku', `an SKU can't be ${JSON.stringify(text)}: ${JSON.stringify(sku)} instead`)
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
    const read = readNewPrice(text, currency, this.#prices.mark)
    if ('refused' in read)
      this.#say('repaired', row, 'compareAtPrice', `left out: ${JSON.stringify(text)} ${read.refused}`)
    else if (read.currency !== currency)
      this.#say('repaired', row, 'compareAtPrice', 'left out: in another currency than the price')
    else if (read.amount > 0) return read.amount
    return undefined
  }
}

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
