/** Price feeds: list prices, and compare-at prices if they have a column for them, by SKU. */
import { isDeepStrictEqual } from 'node:util'
import { Rejected } from '../../../engine/decider.ts'
import type { FieldChange } from '../../../engine/event.ts'
import type { Money, Variant } from '../../../services/catalog/events.ts'
import { productEntity } from '../../../services/catalog/product.ts'
import { columnsByMap, columnsByName, mustHave, productFields } from '../../import/columns.ts'
import { readNewPrice } from '../../import/decimal.ts'
import { FirstSeen } from '../../import/first-seen.ts'
import { asIdentifier } from '../../import/names.ts'
import type { Row } from '../../import/rows.ts'
import { ownersOf, patiently } from '../../import/shop.ts'
import { type Change, type Comparison, emptyPiece, type Kind, type Refusal, refuse, type Work } from './kind.ts'
import { productsOf, triesMax } from './products.ts'

interface Says {
  sku: string
  price: Money
  /** Null: none any more; absent: the feed says nothing of it. */
  compareAtPrice?: Money | null
}

const { sku, price, compareAtPrice, currency } = productFields
const fields = { sku: [...sku, 'id', 'product id', 'handle'], price, compareAtPrice, currency }

export const priceFeed: Kind<Says> = {
  columns(table, { map }) {
    const columns = map ? columnsByMap(table.found, map, fields) : columnsByName(table.found, fields)
    mustHave(columns, ['sku', 'price'], table.found, 'sku=Code,price=Price')
    return columns
  },

  async *read(table, columns, { feed }) {
    const seen = new FirstSeen()
    for await (const rows of table.rows(columns as Map<string, string>)) {
      const piece = emptyPiece<Says>(rows.length)
      for (const row of rows) {
        const says = sayingOf(row, feed, seen, columns !== 'own shape' && columns.has('compareAtPrice'))
        if ('refused' in says) refuse(piece, row, skuOf(row), says)
        else piece.statements.push({ key: says.sku, line: row.line, says })
      }
      yield piece
    }
  },

  async compare(statements, { shop, feed }) {
    const owners = await ownersOf(
      shop.db,
      statements.map(({ key }) => key),
    )
    const products = await productsOf(shop.db, [...new Set(owners.values())])
    return statements.map(({ key, says }): Comparison => {
      const product = products.get(owners.get(key) ?? '')?.product
      const variant = product?.variants.find((one) => one.sku === key)
      if (!product || !variant) return { refused: `there is no SKU ${key}` }
      if (feed.vendor !== null && product.vendorId !== feed.vendor)
        return { refused: `is a SKU of ${product.vendorId ?? 'no vendor'}, the feed of ${feed.vendor}` }
      const changes = changesOf(variant, priced(variant, says))
      return changes.length > 0 ? { outcome: 'changed', changes } : 'unchanged'
    })
  },

  /** SKUs of one product change in one command. */
  async apply(changes, work) {
    const owners = await ownersOf(
      work.shop.db,
      changes.map(({ key }) => key),
    )
    const outcomes = new Map<number, string | undefined>()
    const byProduct = Map.groupBy(changes, ({ key }) => owners.get(key))
    await Promise.all(
      [...byProduct].map(async ([productId, some]) => {
        const error = productId === undefined ? 'the SKU is gone' : await makeSo(productId, some, work)
        for (const { n } of some) outcomes.set(n, error)
      }),
    )
    return changes.map(({ n }) => outcomes.get(n))
  },
}

function sayingOf(row: Row, feed: Work['feed'], seen: FirstSeen, compares: boolean): Says | Refusal {
  const sku = skuOf(row)
  if (row.refused !== undefined) return { refused: row.refused }
  if (sku === '') return { refused: 'names no SKU', field: 'sku' }
  const before = seen.at(sku, row.line)
  if (before !== undefined) return { refused: `has a price in line ${before} already`, field: 'sku', repeated: true }
  const currency = row.text('currency').toUpperCase() || feed.currency
  const read = (field: string) => readNewPrice(row.text(field), currency, feed.decimalMark ?? undefined)
  const price = read('price')
  if ('refused' in price) {
    const text = row.text('price')
    return { refused: text === '' ? 'no price' : `${JSON.stringify(text)} ${price.refused}`, field: 'price' }
  }
  if (!compares) return { sku, price }
  const text = row.text('compareAtPrice')
  if (text === '') return { sku, price, compareAtPrice: null }
  const compareAt = read('compareAtPrice')
  if ('refused' in compareAt)
    return { refused: `${JSON.stringify(text)} ${compareAt.refused}`, field: 'compareAtPrice' }
  if (compareAt.currency !== price.currency)
    return { refused: 'is in another currency than the price', field: 'compareAtPrice' }
  return { sku, price, compareAtPrice: compareAt.amount > 0 ? compareAt : null }
}

const skuOf = (row: Row) => asIdentifier(row.text('sku').replace(/^'+/, ''))

function priced(variant: Variant, { price, compareAtPrice }: Says): Variant {
  const { compareAtPrice: old, ...rest } = variant
  const compareAt = compareAtPrice === undefined ? old : compareAtPrice
  return { ...rest, price, ...(compareAt && { compareAtPrice: compareAt }) }
}

const changesOf = (before: Variant, after: Variant): FieldChange[] =>
  (['price', 'compareAtPrice'] as const).flatMap((field) =>
    isDeepStrictEqual(before[field], after[field])
      ? []
      : [{ field, oldValue: before[field] ?? null, newValue: after[field] ?? null }],
  )

/** On the version that was read; when somebody else changes the product meanwhile, on the next. */
async function makeSo(productId: string, changes: Change<Says>[], work: Work): Promise<string | undefined> {
  const [first] = changes
  for (let tries = 1; first; tries++) {
    const found = (await productsOf(work.shop.db, [productId])).get(productId)
    if (!found) return 'the product is gone'
    const variants = found.product.variants.map((variant) => {
      const change = changes.find(({ key }) => key === variant.sku)
      return change ? priced(variant, change.says) : variant
    })
    if (isDeepStrictEqual(variants, found.product.variants)) return undefined
    const expect = { entity: productEntity(productId), version: found.version }
    try {
      const options = { ...work.options(first as Change<never>), expect }
      await patiently(() => work.shop.catalog.execute({ type: 'update', productId, fields: { variants } }, options))
      return undefined
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      if (error.code !== 'version-mismatch' || tries === triesMax) return error.message
    }
  }
  return undefined
}
