import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { applySchema, productDeleted, productEvent, stockEvent } from '../../../test/made-events.ts'
import { type Database, openDatabase } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { ProductInventory } from './availability.ts'
import { AvailabilityCache } from './availability-cache.ts'
import { Storefront, storefrontDefaults } from './storefront.ts'
import { storefrontProjection } from './storefront-projection.ts'

const projection = storefrontProjection()
let db: Database
let cache: AvailabilityCache
let storefront: Storefront
let inventory: (productId: string) => Promise<ProductInventory>
let asked: number

const holds = (available: number): ProductInventory => ({
  totalQuantityAvailable: available,
  totalQuantityReserved: 0,
  isLowStock: false,
  isOutOfStock: false,
  warehouseInventory: [],
})

beforeAll(async () => {
  db = openDatabase((await createTestDatabase()).url)
  await applySchema(db, new URL('./schema/', import.meta.url))
})
beforeEach(async () => {
  await db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
  cache = new AvailabilityCache()
  asked = 0
  inventory = async () => holds(85)
  const ask = (productId: string) => {
    asked++
    return inventory(productId)
  }
  storefront = new Storefront(db, pino({ level: 'silent' }), { ...storefrontDefaults, inventory: ask }, cache)
})
afterAll(() => db.close())

const apply = (...changes: LoggedEvent[]) => db.begin((tx) => projection.apply(changes, tx))

test('a page shows the product, which variants are there, and its availability', async () => {
  await apply(stockEvent('a', 1, 3), productEvent('a', 1, { title: 'Lamp' }))
  const page = await storefront.page('a', 100)
  expect(page).toMatchObject({ id: 'a', title: 'Lamp', version: 1, variants: [{ sku: 'a-1', inStock: true }] })
  expect(page.availability).toMatchObject({ displayStatus: 'LIMITED_AVAILABILITY', message: 'Only 85 available' })
  expect(page).not.toHaveProperty('status')
})

test('an older or repeated version changes nothing, and what is not active or deleted is not found', async () => {
  await apply(productEvent('a', 3, { title: 'Third' }), stockEvent('a', 2, 1))
  await apply(productEvent('a', 2, { title: 'Second' }), stockEvent('a', 1, 0))
  expect(await storefront.page('a', 1)).toMatchObject({ title: 'Third', version: 3, variants: [{ inStock: true }] })
  await apply(productDeleted('a', 4))
  await apply(productEvent('a', 3))
  await expect(storefront.page('a', 1)).rejects.toMatchObject({ code: 'not-found' })
  await apply(productEvent('a', 5, { title: 'Back' }), productEvent('draft', 1, { status: 'draft' }))
  expect(await storefront.page('a', 1)).toMatchObject({ title: 'Back' })
  await expect(storefront.page('draft', 1)).rejects.toMatchObject({ code: 'not-found' })
})

test('inventory is asked once until an event drops the answer', async () => {
  await storefront.availability('a', 1)
  expect(await storefront.availability('a', 1)).toMatchObject({ displayStatus: 'IN_STOCK' })
  expect(asked).toBe(1)
  inventory = async () => holds(0)
  cache.drop('a')
  expect(await storefront.availability('a', 1)).toMatchObject({ displayStatus: 'OUT_OF_STOCK' })
  expect(asked).toBe(2)
})

test('when inventory can not be asked the product is taken to be available, and it is asked again', async () => {
  inventory = () => Promise.reject(new Error('down'))
  const assumed = { isAvailable: true, displayStatus: 'IN_STOCK', message: 'In Stock', leadTimeEstimate: null }
  expect(await storefront.availability('a', 1)).toEqual(assumed)
  inventory = async () => holds(0)
  expect(await storefront.availability('a', 1)).toMatchObject({ displayStatus: 'OUT_OF_STOCK' })
})
