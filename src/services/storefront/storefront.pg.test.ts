import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openWire } from '../../../test/chaos/network.ts'
import { createTestDatabase } from '../../../test/database.ts'
import { applySchema, madeEvent, productDeleted, productEvent, stockEvent } from '../../../test/made-events.ts'
import { openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { Cache } from '../../engine/cache/cache.ts'
import { Caches } from '../../engine/cache/caches.ts'
import { type Database, openDatabase } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { testEngine } from '../../testing.ts'
import { type InventoryService, inventoryService } from '../inventory/service.ts'
import type { ProductInventory } from './availability.ts'
import { storefrontService } from './service.ts'
import { Storefront, type StorefrontSettings, storefrontDefaults, tagOf } from './storefront.ts'
import { storefrontProjection } from './storefront-projection.ts'

const projection = storefrontProjection()
let db: Database
let cache: Cache
let storefront: Storefront
let inventory: (productId: string) => Promise<ProductInventory>
let asked: number
let settings: StorefrontSettings
const log = pino({ level: 'silent' })

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
  cache = new Caches(log).open('availability')
  asked = 0
  inventory = async () => holds(85)
  const ask = (productId: string) => {
    asked++
    return inventory(productId)
  }
  settings = { ...storefrontDefaults, inventory: ask }
  storefront = new Storefront(db, log, settings, cache)
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

test('who does not hear of changes asks inventory each time; without it, what was known comes before what is assumed', async () => {
  let hears = true
  storefront = new Storefront(db, log, settings, cache, () => hears)
  const message = async () => (await storefront.availability('a', 1)).message
  inventory = async () => holds(3)
  expect(await message()).toBe('Only 3 left in stock - order soon')
  inventory = async () => holds(2)
  expect(await message()).toBe('Only 3 left in stock - order soon')
  hears = false
  expect([await message(), asked]).toEqual(['Only 2 left in stock - order soon', 2])
  inventory = () => Promise.reject(new Error('away'))
  expect(await message()).toBe('Only 3 left in stock - order soon')
  expect(await storefront.availability('b', 1)).toMatchObject({ message: 'In Stock' })
  settings.withoutInventory = 'refuse'
  await expect(message()).rejects.toMatchObject({ name: 'Unavailable' })
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

const prices = (version: number, list: number, effective: number, kind = 'promotion') => {
  const applied =
    list === effective ? [] : [{ id: 'x', kind, amountOff: list - effective, reason: 'Gift week: 10 % off, for lamps' }]
  const price = { list, effective, currency: 'EUR', applied }
  const data = { productId: 'a', prices: { 'a-1': price }, problems: [], changes: [] }
  return madeEvent('price.updated', 'a', 'price/a', version, data)
}

test('a product costs what pricing says, and why; its list price until pricing knows of it', async () => {
  await apply(productEvent('a', 1))
  const variant = async () => (await storefront.page('a', 1)).variants[0]
  expect(await variant()).toMatchObject({
    effectivePrice: { amount: 1000, currency: 'EUR' },
    promotion: null,
    reasons: [],
  })
  await apply(prices(2, 1000, 900))
  expect(await variant()).toMatchObject({
    effectivePrice: { amount: 900 },
    promotion: 'Gift week',
    reasons: ['Gift week: 10 % off, for lamps'],
  })
  await apply(prices(1, 1000, 1000))
  expect(await variant()).toMatchObject({ effectivePrice: { amount: 900 } })
  const dearer = { sku: 'a-1', options: {}, price: { amount: 2000, currency: 'EUR' } }
  await apply(productEvent('a', 2, { variants: [dearer] }))
  expect(await variant()).toMatchObject({ effectivePrice: { amount: 2000 }, promotion: null })
  await apply(prices(3, 2000, 1990, 'rule'))
  expect(await variant()).toMatchObject({ effectivePrice: { amount: 1990 }, promotion: null })
})

test('a picture of ours takes the place of the catalog’s link', async () => {
  const image = async () => (await storefront.page('a', 1)).image
  await apply(productEvent('a', 1))
  expect(await image()).toBeNull()
  await apply(productEvent('a', 2, { media: [{ url: 'https://shop.example/a.jpg', alt: 'A lamp' }] }))
  expect(await image()).toEqual({ url: 'https://shop.example/a.jpg', alt: 'A lamp' })
  const sizes = [
    { name: 'thumb', url: '/media/thumb', width: 160 },
    { name: 'medium', url: '/media/medium', width: 800 },
  ]
  const asset = { hash: 'h', kind: 'image', url: '/media/h', width: 900, height: 600, renditions: sizes }
  const media = [
    { source: 'x', failure: 'broken' },
    { source: 'y', alt: 'Ours', asset },
  ]
  await apply(madeEvent('media.updated', 'a', 'media/a', 1, { productId: 'a', media, changes: [] }))
  expect(await image()).toMatchObject({
    url: '/media/medium',
    alt: 'Ours',
    width: 900,
    sizes: [{ width: 160 }, { width: 800 }],
  })
})

test('inventory is asked once until an event drops the answer', async () => {
  await storefront.availability('a', 1)
  expect(await storefront.availability('a', 1)).toMatchObject({ displayStatus: 'IN_STOCK' })
  expect(asked).toBe(1)
  inventory = async () => holds(0)
  await cache.drop([tagOf('a')])
  expect(await storefront.availability('a', 1)).toMatchObject({ displayStatus: 'OUT_OF_STOCK' })
  expect(asked).toBe(2)
})

test('a slow answer from before a change is not given after it', async () => {
  let answer: (inventory: ProductInventory) => void = () => {}
  inventory = () => new Promise((resolve) => (answer = resolve))
  const slow = storefront.availability('a', 1)
  await expect.poll(() => asked).toBe(1)
  await cache.drop([tagOf('a')])
  answer(holds(85))
  await slow
  inventory = async () => holds(0)
  expect(await storefront.availability('a', 1)).toMatchObject({ displayStatus: 'OUT_OF_STOCK' })
})

test('when inventory can not be asked the product is taken to be available, and it is asked again', async () => {
  inventory = () => Promise.reject(new Error('down'))
  const assumed = {
    isAvailable: true,
    displayStatus: 'IN_STOCK',
    message: 'In Stock',
    label: 'In Stock',
    leadTimeEstimate: null,
  }
  expect(await storefront.availability('a', 1)).toEqual(assumed)
  inventory = async () => holds(0)
  expect(await storefront.availability('a', 1)).toMatchObject({ displayStatus: 'OUT_OF_STOCK' })
})

test('unless nothing is to be assumed: then it is refused for the moment', async () => {
  inventory = () => Promise.reject(new Error('down'))
  const strict = new Storefront(db, log, { ...settings, withoutInventory: 'refuse' }, cache)
  await expect(strict.availability('a', 1)).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
})

test('an inventory whose database is gone can not be asked; what was asked before is still known', async () => {
  const elsewhere = await createTestDatabase()
  const { engine, services } = await testEngine(elsewhere.url, (engine) => [inventoryService(engine)])
  const [its] = services
  inventory = (productId) => (its as InventoryService).ofProduct(productId)
  expect(await storefront.availability('a', 1)).toMatchObject({ displayStatus: 'OUT_OF_STOCK' })
  await elsewhere.drop()
  expect(await storefront.availability('a', 1)).toMatchObject({ displayStatus: 'OUT_OF_STOCK' })
  await cache.drop([tagOf('a')])
  const assumed = {
    isAvailable: true,
    displayStatus: 'IN_STOCK',
    message: 'In Stock',
    label: 'In Stock',
    leadTimeEstimate: null,
  }
  expect(await storefront.availability('a', 1)).toEqual(assumed)
  await engine.close()
})

test('with Postgres away it answers availability all the same, and a problem for the rest', async () => {
  const wire = await openWire((await createTestDatabase()).url)
  const { engine, services } = await testEngine(wire.url, (engine) => {
    const inventory = inventoryService(engine)
    return [inventory, storefrontService(engine, { inventory: inventory.ofProduct })]
  })
  const app = await buildServer({
    settings: httpDefaults,
    auth: openAuth({ secret: 'a secret of thirty-two bytes at least' }),
    log,
    metrics: new Registry(),
    version: '0',
    services,
  })
  wire.down()
  expect((await app.inject('/storefront/products/a/availability')).json()).toMatchObject({ message: 'In Stock' })
  for (const path of ['products/a', 'products', 'live?products=a']) {
    const response = await app.inject(`/storefront/${path}`)
    expect([path, response.statusCode, response.headers['retry-after']]).toEqual([path, 503, '1'])
  }
  await app.close()
  await engine.close()
})

test('the shop’s page speaks the visitor’s language and takes nothing from elsewhere', async () => {
  const { url } = await createTestDatabase()
  const { engine, services } = await testEngine(url, (engine) => [storefrontService(engine, { inventory })])
  const app = await buildServer({
    settings: httpDefaults,
    auth: openAuth({ secret: 'a secret of thirty-two bytes at least' }),
    log,
    metrics: new Registry(),
    version: '0',
    services,
  })
  const page = await app.inject({ url: '/shop', headers: { 'accept-language': 'de-CH, en;q=0.5' } })
  expect(page.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'content-language': 'de' })
  expect(page.headers['content-security-policy']).toContain("script-src 'self'")
  expect(page.body).toContain('<html lang="de"')
  expect(page.body).toContain('placeholder="Produkte suchen"')
  const linked = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path as string)
  for (const path of linked) expect([path, (await app.inject(path)).statusCode]).toEqual([path, 200])

  const [, words = ''] = /data-words="([^"]*)"/.exec(page.body) ?? []
  const told = JSON.parse(words.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code))))
  const { body: script } = await app.inject('/shop/shop.js')
  for (const [, file] of script.matchAll(/ from '\.([^']+)'/g)) expect(linked).toContain(`/shop${file}`)
  for (const [, word = ''] of script.matchAll(/\bwords\.(\w+)/g)) expect(told).toHaveProperty(word)
  await app.close()
  await engine.close()
})
