import { describe, expect, test } from 'vitest'
import { specification } from '../../engine/decider-testing.ts'
import { type CatalogCommand, type CatalogFact, catalogDecider } from './decider.ts'
import type { Product } from './events.ts'
import type { NormalProduct } from './product.ts'

const before = '2026-01-01T00:00:00.000Z'
const now = new Date('2026-01-02T00:00:00.000Z')
const { given } = specification(catalogDecider, now)

const kit: NormalProduct = {
  id: 'kit',
  title: 'Kit',
  description: '',
  vendorId: 'acme',
  category: null,
  tags: ['new'],
  attributes: { color: 'red' },
  status: 'active',
  media: [],
  variants: [
    { sku: 'KIT-1', options: { size: 'S' }, price: { amount: 1000, currency: 'EUR' } },
    { sku: 'KIT-2', options: { size: 'M' }, price: { amount: 1200, currency: 'EUR' } },
  ],
}
const stored: Product = { ...kit, isAvailable: true, createdAt: before, updatedAt: before }
const small = kit.variants.slice(0, 1)

const created = (product: Product): CatalogFact => ({
  type: 'product.created',
  entity: `product/${product.id}`,
  product,
})
const claimed = (sku: string, productId = 'kit'): CatalogFact => ({
  type: 'sku.claimed',
  entity: `sku/${sku}`,
  productId,
})
const freed = (sku: string): CatalogFact => ({ type: 'sku.freed', entity: `sku/${sku}` })
const held = (byStock: boolean): CatalogFact => ({ type: 'product.held', entity: 'product/kit', byStock })
const deleted: CatalogFact = { type: 'product.deleted', entity: 'product/kit' }
const updated = (next: Partial<Product>, ...changes: [string, unknown, unknown][]): CatalogFact => ({
  type: 'product.updated',
  entity: 'product/kit',
  product: { ...stored, ...next, updatedAt: now.toISOString() },
  changes: changes.map(([field, oldValue, newValue]) => ({ field, oldValue, newValue })),
})
const availability = (by: 'vendor' | 'stock', isAvailable: boolean, productId = 'kit'): CatalogCommand => ({
  type: 'set-availability',
  by,
  updates: [{ productId, isAvailable }],
})

const theKit = [created(stored), claimed('KIT-1'), claimed('KIT-2')]
const soldOut = { ...stored, isAvailable: false }
const tookAway: CatalogFact = { ...created(soldOut), type: 'product.updated', changes: [] } as CatalogFact

describe('creating', () => {
  test('a new product is available and owns its SKUs', () => {
    const product = { ...kit, isAvailable: true, createdAt: now.toISOString(), updatedAt: now.toISOString() }
    given()
      .when({ type: 'create', product: kit })
      .then(created(product), claimed('KIT-1'), claimed('KIT-2'))
      .answers({ id: 'kit', version: 1 })
  })
  test('an id in use is refused', () => {
    given(...theKit)
      .when({ type: 'create', product: kit })
      .rejected('already-exists', { what: 'product', id: 'kit' })
  })
  test('a SKU of another product is refused, and the refusal names its owner', () => {
    given(claimed('KIT-2', 'other'))
      .when({ type: 'create', product: kit })
      .rejected('sku-taken', { sku: 'KIT-2', productId: 'other' })
  })
  test('a SKU given twice is refused', () => {
    given()
      .when({ type: 'create', product: { ...kit, variants: [...small, ...small] } })
      .rejected('sku-repeated', { sku: 'KIT-1' })
  })
  test('a deleted product comes back and its versions go on', () => {
    given(...theKit, deleted, freed('KIT-1'), freed('KIT-2'))
      .when({ type: 'create', product: kit })
      .answers({ id: 'kit', version: 3 })
      .leaves('sku/KIT-1', { productId: 'kit' })
  })
})

describe('updating', () => {
  test('each changed field is told with its old and new value', () => {
    given(...theKit)
      .when({ type: 'update', productId: 'kit', fields: { title: 'Case', tags: [], attributes: { color: 'blue' } } })
      .then(
        updated(
          { title: 'Case', tags: [], attributes: { color: 'blue' } },
          ['title', 'Kit', 'Case'],
          ['tags', ['new'], []],
          ['attributes.color', 'red', 'blue'],
        ),
      )
      .answers({ id: 'kit', version: 2 })
  })
  test('what changes nothing is no event and no version', () => {
    given(...theKit)
      .when({ type: 'update', productId: 'kit', fields: { title: 'Kit', variants: structuredClone(kit.variants) } })
      .then()
      .answers({ id: 'kit', version: 1 })
  })
  test('a variant left out gives its SKU up, a new one claims its own', () => {
    const third = { sku: 'KIT-3', options: {}, price: { amount: 1, currency: 'EUR' } }
    given(...theKit)
      .when({ type: 'update', productId: 'kit', fields: { variants: [...small, third] } })
      .then(
        updated(
          { variants: [...small, third] },
          ['variants.KIT-2', kit.variants[1], null],
          ['variants.KIT-3', null, third],
        ),
        freed('KIT-2'),
        claimed('KIT-3'),
      )
  })
  test('a SKU that was given up can be claimed by another product', () => {
    const other = { ...kit, id: 'other', variants: kit.variants.slice(1) }
    given(...theKit)
      .when({ type: 'update', productId: 'kit', fields: { variants: small } })
      .when({ type: 'create', product: other })
      .leaves('sku/KIT-2', { productId: 'other' })
  })
  test('an unknown product and a deleted one are not there', () => {
    const update: CatalogCommand = { type: 'update', productId: 'kit', fields: { title: 'Case' } }
    given().when(update).rejected('not-found', { what: 'product', id: 'kit' })
    given(...theKit, deleted)
      .when(update)
      .rejected('not-found', { id: 'kit' })
  })
})

describe('putting', () => {
  test('tells what it did: created, updated, unchanged', () => {
    given()
      .when({ type: 'put', product: kit })
      .answers({ id: 'kit', version: 1, outcome: 'created' })
      .when({ type: 'put', product: { ...kit, title: 'Case' } })
      .answers({ id: 'kit', version: 2, outcome: 'updated' })
      .when({ type: 'put', product: { ...kit, title: 'Case' } })
      .then()
      .answers({ id: 'kit', version: 2, outcome: 'unchanged' })
  })
  test('leaves the availability alone unless it names it', () => {
    given(...theKit, tookAway, held(true))
      .when({ type: 'put', product: kit })
      .then()
      .when({ type: 'put', product: { ...kit, isAvailable: false } })
      .then(held(false))
  })
})

describe('deleting', () => {
  test('frees the SKUs, and the event carries the last state', () => {
    const { events } = given(...theKit)
      .when({ type: 'delete', productId: 'kit' })
      .then(deleted, freed('KIT-1'), freed('KIT-2'))
      .answers({ id: 'kit', version: 2 })
      .leaves('sku/KIT-1', undefined)
    expect(events).toEqual([
      { type: 'product.deleted', entity: 'product/kit', version: 2, key: 'kit', data: { product: stored } },
    ])
  })
  test('twice is refused', () => {
    given(...theKit, deleted)
      .when({ type: 'delete', productId: 'kit' })
      .rejected('not-found')
  })
})

describe('availability', () => {
  const off = updated({ isAvailable: false }, ['isAvailable', true, false])
  const on = updated({}, ['isAvailable', false, true])

  test('stock takes a product away and brings it back', () => {
    given(...theKit)
      .when(availability('stock', false))
      .then(off, held(true))
      .when(availability('stock', true))
      .then(on, held(false))
  })
  test('stock does not bring back what a vendor took away', () => {
    given(...theKit)
      .when(availability('vendor', false))
      .then(off)
      .when(availability('stock', true))
      .then()
      .answers({ updated: [], unchanged: ['kit'] })
  })
  test('a vendor may take over what stock had taken away', () => {
    given(...theKit, tookAway, held(true))
      .when(availability('vendor', false))
      .then(held(false))
      .when(availability('stock', true))
      .then()
    given(...theKit, tookAway, held(true))
      .when({ type: 'update', productId: 'kit', fields: { isAvailable: true } })
      .then(on, held(false))
  })
  test('of many products the changed ones get an event each', () => {
    const second = { ...stored, id: 'second', isAvailable: false, variants: [] }
    const { events } = given(...theKit, created(second))
      .when({
        type: 'set-availability',
        by: 'vendor',
        updates: ['kit', 'second'].map((productId) => ({ productId, isAvailable: false })),
      })
      .answers({ updated: ['kit'], unchanged: ['second'] })
    expect(events.map(({ type, entity, version }) => [type, entity, version])).toEqual([
      ['product.updated', 'product/kit', 2],
    ])
  })
  test('one that is not there stops them all', () => {
    given(...theKit)
      .when({
        type: 'set-availability',
        by: 'vendor',
        updates: ['kit', 'nobody'].map((productId) => ({ productId, isAvailable: false })),
      })
      .rejected('not-found', { ids: ['nobody'] })
  })
})
