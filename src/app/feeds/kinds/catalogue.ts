/** Catalogue feeds: whole products. Of one that is there already, only what the feed has columns for is its business. */
import { Rejected } from '../../../engine/decider.ts'
import type { Product } from '../../../services/catalog/events.ts'
import { changesBetween, type NormalProduct, productEntity } from '../../../services/catalog/product.ts'
import { ownShapeDrafts, tableDrafts } from '../../import/catalogue.ts'
import { columnsByMap, columnsByName, mustHave, productFields } from '../../import/columns.ts'
import { asIdentifier } from '../../import/names.ts'
import type { Draft } from '../../import/products.ts'
import { ownersOf, patiently } from '../../import/shop.ts'
import { archivals } from './archivals.ts'
import { type Change, type Comparison, emptyPiece, type Kind, type Piece, type Statement, type Work } from './kind.ts'
import { isRepetition, productsOf, triesMax } from './products.ts'

export const catalogueFeed: Kind<NormalProduct> = {
  columns(table, { map, format }) {
    if (format !== 'csv' && !map && table.found.includes('variants')) return 'own shape'
    const columns = map ? columnsByMap(table.found, map, productFields) : columnsByName(table.found, productFields)
    mustHave(columns, ['title', 'price'], table.found, 'title=Name,sku=Code,price=Price')
    return columns
  },

  async *read(table, columns, { feed }) {
    const meter = { rows: 0 }
    const prices = { currency: feed.currency, ...(feed.decimalMark && { mark: feed.decimalMark }) }
    const drafts = columns === 'own shape' ? ownShapeDrafts(table, meter) : tableDrafts(table, columns, prices, meter)
    let before = 0
    for await (const some of drafts) {
      yield pieceOf(some, meter.rows - before)
      before = meter.rows
    }
  },

  async compare(statements, work) {
    const { db } = work.shop
    const [known, owners] = await Promise.all([
      productsOf(
        db,
        statements.map(({ key }) => key),
      ),
      ownersOf(
        db,
        statements.flatMap(({ says }) => says.variants.map(({ sku }) => sku)),
      ),
    ])
    return statements.map((statement) => comparisonOf(statement, known.get(statement.key)?.product, owners, work))
  },

  async apply(changes, work) {
    const known = await productsOf(
      work.shop.db,
      changes.map(({ key }) => key),
    )
    return Promise.all(changes.map((change) => makeSo(change, known.get(change.key), work)))
  },

  absence: archivals,
}

function pieceOf(drafts: Draft[], rows: number): Piece<NormalProduct> {
  const piece = emptyPiece<NormalProduct>(rows)
  for (const { line, product, problems } of drafts) {
    piece.problems.push(...problems)
    const refusals = problems.filter(({ kind }) => kind === 'refused')
    piece.repeated += refusals.filter(isRepetition).length
    // A product without one of its variants would lose it: what can't be read in full stays as it is.
    if (product && refusals.length === 0) piece.statements.push({ key: product.id, line, says: product })
    else {
      const names = new Set([product?.id, ...problems.map(({ what }) => asIdentifier(what ?? ''))])
      names.delete(undefined)
      names.delete('')
      piece.refused++
      piece.keys.push(...(names as Set<string>))
      if (names.size === 0) piece.nameless++
    }
  }
  return piece
}

function comparisonOf(
  { says }: Statement<NormalProduct>,
  before: Product | undefined,
  owners: Map<string, string>,
  work: Work,
): Comparison {
  const theirs = says.variants.find(({ sku }) => (owners.get(sku) ?? says.id) !== says.id)
  if (theirs) return { refused: `the SKU ${theirs.sku} belongs to product ${owners.get(theirs.sku)}` }
  const { vendor } = work.feed
  if (vendor !== null && says.vendorId !== null && says.vendorId !== vendor)
    return { refused: `is of vendor ${says.vendorId}, the feed of ${vendor}` }
  if (vendor !== null && before && before.vendorId !== vendor)
    return { refused: `is a product of ${before.vendorId ?? 'no vendor'}, the feed of ${vendor}` }
  if (!before) return { outcome: 'created', changes: [] }
  const changes = changesBetween(before, { ...before, ...wanted(says, before, work) })
  return changes.length > 0 ? { outcome: 'changed', changes } : 'unchanged'
}

/** What the product shall be: what the feed has columns for, and the rest as it is. */
function wanted(says: NormalProduct, before: Product | undefined, { feed, columns }: Work): NormalProduct {
  const vendorId = feed.vendor ?? says.vendorId
  if (!before) return { ...says, vendorId }
  const { isAvailable, createdAt, updatedAt, ...now } = before
  const whole = Object.keys(columns).length === 0
  const covers = (...fields: string[]) => whole || fields.some((field) => field in columns)
  const attributed = whole || Object.keys(columns).some((field) => field.startsWith('attribute.'))
  // One that the feed archived because it was absent comes back with it.
  const back = feed.absent === 'archive' && before.status === 'archived'
  return {
    ...now,
    ...(covers('title') && { title: says.title }),
    ...(covers('description') && { description: says.description }),
    ...((covers('vendor') || feed.vendor !== null) && { vendorId }),
    ...(covers('category', 'categoryPath') && { category: says.category }),
    ...(covers('tags') && { tags: says.tags }),
    ...(attributed && { attributes: whole ? says.attributes : { ...now.attributes, ...says.attributes } }),
    ...((covers('status', 'published') || back) && { status: says.status }),
    ...(covers('image') && { media: says.media }),
    variants: says.variants.map((variant) => {
      const old = now.variants.find(({ sku }) => sku === variant.sku)
      if (!old || whole) return variant
      const { title, barcode, compareAtPrice } = old
      return {
        ...variant,
        ...(!covers('option1') && { options: old.options }),
        ...(!covers('option1', 'variantTitle') && title !== undefined && { title }),
        ...(!covers('barcode') && barcode !== undefined && { barcode }),
        ...(!covers('compareAtPrice') && compareAtPrice && { compareAtPrice }),
      }
    }),
    ...(says.isAvailable !== undefined && { isAvailable: says.isAvailable }),
  }
}

/** Only fields that differ are commanded, on the version they were compared with; somebody else's change in between has it compared again. */
async function makeSo(
  change: Change<NormalProduct>,
  found: { version: number; product: Product } | undefined,
  work: Work,
): Promise<string | undefined> {
  const { catalog, db } = work.shop
  const { key, outcome, says } = change
  for (let tries = 1; ; tries++) {
    try {
      const options = work.options(change as Change<never>)
      if (outcome === 'removed') {
        if (!found || found.product.status === 'archived') return undefined
        const expect = { entity: productEntity(key), version: found.version }
        const archived = { status: 'archived' as const }
        await patiently(() =>
          catalog.execute({ type: 'update', productId: key, fields: archived }, { ...options, expect }),
        )
      } else if (!found) {
        await patiently(() => catalog.execute({ type: 'create', product: wanted(says, undefined, work) }, options))
      } else {
        const fields = differing(found.product, wanted(says, found.product, work))
        if (Object.keys(fields).length === 0) return undefined
        const expect = { entity: productEntity(key), version: found.version }
        await patiently(() => catalog.execute({ type: 'update', productId: key, fields }, { ...options, expect }))
      }
      return undefined
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      const raced = error.code === 'version-mismatch' || (!found && error.code === 'already-exists')
      if (!raced || tries === triesMax) return error.message
      found = (await productsOf(db, [key])).get(key)
    }
  }
}

function differing(before: Product, after: NormalProduct): Partial<Omit<NormalProduct, 'id'>> {
  const { id, ...rest } = after
  return Object.fromEntries(
    Object.entries(rest).filter(
      ([field, value]) => changesBetween(before, { ...before, [field]: value } as Product).length > 0,
    ),
  )
}
