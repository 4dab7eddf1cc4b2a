/** The rules of the catalog: what a command makes of products, and whose a SKU is. */
import { type Decider, type Decision, type EntityId, Rejected, type Versioned } from '../../engine/decider.ts'
import type { FieldChange } from '../../engine/event.ts'
import type { Product, ProductData, Variant } from './events.ts'
import { changesBetween, type NormalProduct, productEntity, skuEntity } from './product.ts'

export type CatalogCommand =
  /** A new product; one that was deleted comes back, its versions going on. Answers `{ id, version }`. */
  | { type: 'create'; product: NormalProduct }
  /**
   * Some fields of one; `withSkus` are SKUs that must be its variants then. Answers `{ id, version }`; the version as it was if nothing changed.
   */
  | { type: 'update'; productId: string; fields: Partial<Omit<NormalProduct, 'id'>>; withSkus?: string[] }
  /** Exactly this, whether it was there or not. Answers `{ id, version, outcome: 'created' | 'updated' | 'unchanged' }`. */
  | { type: 'put'; product: NormalProduct }
  /** Answers `{ id, version }`. */
  | { type: 'delete'; productId: string }
  /** Any number at once, all or none (D, Bulk Operations). Answers `{ updated, unchanged }`, ids of products. */
  | { type: 'set-availability'; by: AvailabilityBy; updates: { productId: string; isAvailable: boolean }[] }

/** Stock takes a product off the shelf and may put back what it took; a vendor's word stands until the vendor says otherwise. */
export type AvailabilityBy = 'vendor' | 'stock'

export type CatalogFact =
  | { type: 'product.created'; entity: EntityId; product: Product }
  | { type: 'product.updated'; entity: EntityId; product: Product; changes: FieldChange[] }
  | { type: 'product.deleted'; entity: EntityId }
  /** No events: a product unavailable for stock or no longer for stock, and a SKU's owner. */
  | { type: 'product.held'; entity: EntityId; byStock: boolean }
  | { type: 'sku.claimed'; entity: EntityId; productId: string }
  | { type: 'sku.freed'; entity: EntityId }

export interface ProductState {
  product: Product
  deleted: boolean
  /** Unavailable because stock said so. */
  heldByStock: boolean
}
export interface SkuState {
  productId: string
}
export type CatalogState = ProductState | SkuState

type States = ReadonlyMap<EntityId, Versioned<CatalogState>>

export const catalogDecider: Decider<CatalogState, CatalogCommand, CatalogFact> = {
  // SKUs given up need no lock of their own: a row that says "this product's" is changed under this product's lock alone.
  touches(command) {
    switch (command.type) {
      case 'create':
      case 'put':
        return [productEntity(command.product.id), ...skusOf(command.product)]
      case 'update':
        return [productEntity(command.productId), ...skusOf(command.fields)]
      case 'delete':
        return [productEntity(command.productId)]
      case 'set-availability':
        return command.updates.map(({ productId }) => productEntity(productId))
    }
  },

  decide(states, command, now): Decision<CatalogFact> {
    switch (command.type) {
      case 'create': {
        const { id } = command.product
        if (existing(states, id))
          throw new Rejected('already-exists', { what: 'product', id }, `there is a product ${JSON.stringify(id)}`)
        return create(states, command.product, now)
      }
      case 'update': {
        const known = expected(states, command.productId)
        mustHave(command.fields.variants ?? known.product.variants, command.withSkus)
        return update(states, known, command.fields, now)
      }
      case 'put': {
        const known = existing(states, command.product.id)
        const { facts, answer } = known
          ? update(states, known, command.product, now)
          : create(states, command.product, now)
        const outcome = !known
          ? 'created'
          : facts.some(({ type }) => type === 'product.updated')
            ? 'updated'
            : 'unchanged'
        return { facts, answer: { ...answer, outcome } }
      }
      case 'delete': {
        const { product } = expected(states, command.productId)
        const deleted: CatalogFact = { type: 'product.deleted', entity: productEntity(product.id) }
        return { facts: [deleted, ...freed(product.variants)], answer: answerOf(states, product.id, 1) }
      }
      case 'set-availability':
        return setAvailability(states, command, now)
    }
  },

  evolve(state, fact): CatalogState | undefined {
    switch (fact.type) {
      case 'product.created':
        return { product: fact.product, deleted: false, heldByStock: false }
      case 'product.updated':
        return { ...(state as ProductState), product: fact.product }
      case 'product.deleted':
        return { ...(state as ProductState), deleted: true, heldByStock: false }
      case 'product.held':
        return { ...(state as ProductState), heldByStock: fact.byStock }
      case 'sku.claimed':
        return { productId: fact.productId }
      case 'sku.freed':
        return undefined
    }
  },

  tell(fact, state) {
    if (fact.type !== 'product.created' && fact.type !== 'product.updated' && fact.type !== 'product.deleted')
      return undefined
    const { product } = state as ProductState
    const data: ProductData = fact.type === 'product.updated' ? { product, changes: fact.changes } : { product }
    return { key: product.id, data }
  },
}

const skusOf = ({ variants = [] }: Pick<Partial<NormalProduct>, 'variants'>) =>
  variants.map(({ sku }) => skuEntity(sku))

function existing(states: States, productId: string): ProductState | undefined {
  const state = states.get(productEntity(productId))?.state as ProductState | undefined
  return state?.deleted ? undefined : state
}

function expected(states: States, productId: string): ProductState {
  const state = existing(states, productId)
  if (!state) throw notThere([productId])
  return state
}

function mustHave(variants: Pick<Variant, 'sku'>[], skus: string[] = []): void {
  const unknown = skus.filter((sku) => !variants.some((variant) => variant.sku === sku))
  if (unknown.length === 0) return
  const lines = unknown.map((sku) => ({ sku }))
  throw new Rejected('unknown-sku', { lines }, `the product has no variant ${unknown.join(', ')}`)
}

const notThere = (ids: string[]) =>
  new Rejected(
    'not-found',
    { what: 'product', id: ids[0], ids },
    `there is no product ${JSON.stringify(ids.join(', '))}`,
  )

interface Done {
  facts: CatalogFact[]
  answer: { id: string; version: number }
}

/** The product's version after `events` more. */
const answerOf = (states: States, id: string, events: number) => ({
  id,
  version: (states.get(productEntity(id))?.version ?? 0) + events,
})

function create(states: States, given: NormalProduct, now: Date): Done {
  const at = now.toISOString()
  const product: Product = { ...given, isAvailable: given.isAvailable ?? true, createdAt: at, updatedAt: at }
  const created: CatalogFact = { type: 'product.created', entity: productEntity(product.id), product }
  return { facts: [created, ...claimed(states, product, [])], answer: answerOf(states, product.id, 1) }
}

/** Whoever names `isAvailable` here is the vendor: stock no longer decides it. */
function update(states: States, known: ProductState, given: Partial<NormalProduct>, now: Date): Done {
  const isAvailable = given.isAvailable ?? known.product.isAvailable
  const facts = updated(states, known.product, { ...known.product, ...given, isAvailable }, now)
  const answer = answerOf(states, known.product.id, Math.min(facts.length, 1))
  if (given.isAvailable !== undefined && known.heldByStock) facts.push(held(known.product.id, false))
  return { facts, answer }
}

/** Nothing, or an update first and then what it means for SKUs. */
function updated(states: States, before: Product, after: Product, now: Date): CatalogFact[] {
  const changes = changesBetween(before, after)
  if (changes.length === 0) return []
  const product = { ...after, updatedAt: now.toISOString() }
  const kept = new Set(after.variants.map(({ sku }) => sku))
  return [
    { type: 'product.updated', entity: productEntity(before.id), product, changes },
    ...freed(before.variants.filter(({ sku }) => !kept.has(sku))),
    ...claimed(states, product, before.variants),
  ]
}

const freed = (variants: Variant[]) =>
  variants.map(({ sku }): CatalogFact => ({ type: 'sku.freed', entity: skuEntity(sku) }))

const held = (productId: string, byStock: boolean): CatalogFact => ({
  type: 'product.held',
  entity: productEntity(productId),
  byStock,
})

/** Claims the SKUs that the product hasn't yet. Throws `sku-taken` for another product's and `sku-repeated` for one given twice. */
function claimed(states: States, product: Product, before: Variant[]): CatalogFact[] {
  const had = new Set(before.map(({ sku }) => sku))
  const seen = new Set<string>()
  const facts: CatalogFact[] = []
  for (const { sku } of product.variants) {
    if (seen.has(sku)) throw new Rejected('sku-repeated', { sku }, `the SKU ${sku} is given twice`)
    seen.add(sku)
    if (had.has(sku)) continue
    const owner = states.get(skuEntity(sku))?.state as SkuState | undefined
    if (owner) {
      const { productId } = owner
      throw new Rejected('sku-taken', { sku, productId }, `the SKU ${sku} belongs to product ${productId}`)
    }
    facts.push({ type: 'sku.claimed', entity: skuEntity(sku), productId: product.id })
  }
  return facts
}

type SetAvailability = Extract<CatalogCommand, { type: 'set-availability' }>

function setAvailability(states: States, { by, updates }: SetAvailability, now: Date): Decision<CatalogFact> {
  // Said twice of one product, the last word counts.
  const wanted = new Map(updates.map(({ productId, isAvailable }) => [productId, isAvailable]))
  const missing = [...wanted.keys()].filter((productId) => !existing(states, productId))
  if (missing.length > 0) throw notThere(missing)

  const facts: CatalogFact[] = []
  const answer: { updated: string[]; unchanged: string[] } = { updated: [], unchanged: [] }
  for (const [productId, isAvailable] of wanted) {
    const { product, heldByStock } = expected(states, productId)
    const mayDecide = by === 'vendor' || !isAvailable || heldByStock
    const changed = mayDecide ? updated(states, product, { ...product, isAvailable }, now) : []
    const holds = by === 'stock' && !isAvailable && (heldByStock || changed.length > 0)
    facts.push(...changed)
    if (holds !== heldByStock) facts.push(held(productId, holds))
    answer[changed.length > 0 ? 'updated' : 'unchanged'].push(productId)
  }
  return { facts, answer }
}
