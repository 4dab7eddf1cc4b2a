/** What documents B and C say is refused, and what a product without stock is, asked of the running shop over HTTP. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { openTestShop, type TestShop } from '../../../test/shop.ts'
import type { Role } from '../../app/http/auth.ts'

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
const opened: TestShop[] = []

async function shopOf(settings: Record<string, string> = {}) {
  const shop = await openTestShop((await createTestDatabase()).url, settings)
  opened.push(shop)
  return async (role: Role | undefined, method: Method, path: string, payload?: object) => {
    const headers = role ? await shop.as(role) : {}
    const reply = await shop.app.inject({ method, url: path, headers, ...(payload && { payload }) })
    return { status: reply.statusCode, body: reply.body === '' ? undefined : reply.json() }
  }
}
afterAll(async () => {
  for (const shop of opened) await shop[Symbol.asyncDispose]()
})

const variants = (...skus: string[]) => skus.map((sku) => ({ sku, price: { amount: 100, currency: 'EUR' } }))
const lines = [{ sku: 'cup-1', quantity: 1 }]
const count = { sku: 'cup-1', quantity: 5 }

describe('in a shop as it is installed', () => {
  let call: Awaited<ReturnType<typeof shopOf>>
  let item: string
  beforeAll(async () => {
    call = await shopOf()
    await call('ADMIN', 'POST', '/v1/products', { id: 'cup', title: 'Cup', variants: variants('cup-1') })
    await call('ADMIN', 'PATCH', '/v1/products/cup/inventory', count)
    const { body } = await call('ADMIN', 'GET', '/v1/inventory-items/by-product/cup')
    item = body.data.warehouseInventory[0].inventoryItemId
  })

  const refused: [Role | undefined, Method, string, object | undefined, number, string][] = [
    // B, Flow 2: ADMIN is required, the body is checked, and what is not there is not counted.
    [undefined, 'PATCH', '/products/cup/inventory', count, 401, 'unauthenticated'],
    ['product-service', 'PATCH', '/products/cup/inventory', count, 403, 'forbidden'],
    ['inventory-service', 'PATCH', '/products/cup/inventory', count, 403, 'forbidden'],
    ['ADMIN', 'PATCH', '/products/cup/inventory', { quantity: -1 }, 422, 'invalid-request'],
    ['ADMIN', 'PATCH', '/products/cup/inventory', { quantity: '5' }, 422, 'invalid-request'],
    ['ADMIN', 'PATCH', '/products/cup/inventory', {}, 422, 'invalid-request'],
    ['ADMIN', 'PATCH', '/products/cup/inventory', { ...count, sku: 'saucer' }, 404, 'not-found'],
    ['ADMIN', 'PATCH', '/products/cup/inventory', { ...count, warehouseId: 'atlantis' }, 404, 'not-found'],
    ['ADMIN', 'PATCH', '/products/none/inventory', count, 404, 'not-found'],
    // B, Concurrent Order Race Condition: a stock-unavailable error.
    ['ADMIN', 'POST', '/orders', { lines: [{ sku: 'cup-1', quantity: 6 }] }, 409, 'insufficient-stock'],
    ['ADMIN', 'POST', '/orders', { lines: [{ sku: 'saucer', quantity: 1 }] }, 422, 'unknown-sku'],
    // C, APIs Exposed: bad questions.
    ['product-service', 'GET', '/inventory-items/by-product/none', undefined, 404, 'not-found'],
    ['product-service', 'GET', '/inventory-items/none/availability', undefined, 404, 'not-found'],
    ['product-service', 'GET', '/inventory-items/ITEM/availability?quantity=0', undefined, 400, 'invalid-request'],
    ['product-service', 'GET', '/inventory-items/ITEM/availability?quantity=1.5', undefined, 400, 'invalid-request'],
    [
      'product-service',
      'GET',
      '/inventory-items/ITEM/availability?checkAllWarehouses=maybe',
      undefined,
      400,
      'invalid-request',
    ],
    ['product-service', 'GET', '/inventory-items/ITEM/availability?colour=red', undefined, 400, 'invalid-request'],
    // C, Authentication and Authorization: queries only, and the other way round products only.
    [undefined, 'GET', '/inventory-items/by-product/cup', undefined, 401, 'unauthenticated'],
    [undefined, 'GET', '/inventory-items/ITEM/availability', undefined, 401, 'unauthenticated'],
    ['inventory-service', 'GET', '/inventory-items/by-product/cup', undefined, 403, 'forbidden'],
    ['inventory-service', 'GET', '/inventory-items/ITEM/availability', undefined, 403, 'forbidden'],
    ['inventory-service', 'PATCH', '/products/cup', { title: 'Mug' }, 403, 'forbidden'],
    ['product-service', 'PATCH', '/inventory-items/ITEM', { safetyStock: 1 }, 403, 'forbidden'],
    ['product-service', 'POST', '/warehouses', { id: 'north' }, 403, 'forbidden'],
    ['product-service', 'POST', '/warehouses/main/receipts', { lines }, 403, 'forbidden'],
    ['product-service', 'POST', '/reservations', { lines }, 403, 'forbidden'],
    ['product-service', 'POST', '/orders', { lines }, 403, 'forbidden'],
    ['product-service', 'GET', '/products/cup/ledger', undefined, 403, 'forbidden'],
    // C, APIs Consumed.
    ['inventory-service', 'GET', '/products/none', undefined, 404, 'not-found'],
    ['inventory-service', 'GET', '/products/none/variants', undefined, 404, 'not-found'],
  ]
  test.each(
    refused,
  )('%s %s %s %j is refused with %i %s, under /v1 and without', async (role, method, path, body, status, type) => {
    for (const prefix of ['/v1', '']) {
      const answer = await call(role, method, prefix + path.replace('ITEM', item), body)
      expect([answer.status, answer.body.type]).toEqual([status, `/problems/${type}`])
    }
    const { items } = (await call('product-service', 'GET', '/v1/products/cup/inventory')).body
    expect(items).toMatchObject([{ onHand: 5, reserved: 0 }])
  })

  test('what may be asked is answered', async () => {
    for (const path of ['/inventory-items/by-product/cup', `/inventory-items/${item}/availability`])
      expect((await call('product-service', 'GET', path)).body.success).toBe(true)
    for (const path of ['/products/cup', '/products/cup/variants'])
      expect((await call('inventory-service', 'GET', path)).status).toBe(200)
  })

  test('a product that never had stock is offered and out of stock; one that is sold out is offered no more', async () => {
    const story = async () => {
      const product = (await call(undefined, 'GET', '/v1/products/jug')).body
      const shown = (await call(undefined, 'GET', '/v1/storefront/products/jug/availability')).body
      const found = (await call(undefined, 'GET', '/v1/search?q=stoneware')).body.items[0]
      const { body } = await call('product-service', 'GET', '/v1/inventory-items/by-product/jug')
      return [product.isAvailable, shown.isAvailable, found?.available, !body.data.isOutOfStock]
    }
    await call('ADMIN', 'POST', '/v1/products', { id: 'jug', title: 'Stoneware jug', variants: variants('jug-1') })
    await expect.poll(story, { timeout: 10_000 }).toEqual([true, false, false, false])
    expect((await call('ADMIN', 'POST', '/v1/orders', { lines: [{ sku: 'jug-1', quantity: 1 }] })).status).toBe(409)
    await call('ADMIN', 'PATCH', '/v1/products/jug/inventory', { quantity: 1 })
    await expect.poll(story, { timeout: 10_000 }).toEqual([true, true, true, true])
    expect((await call('ADMIN', 'POST', '/v1/orders', { lines: [{ sku: 'jug-1', quantity: 1 }] })).status).toBe(201)
    await expect.poll(story, { timeout: 10_000 }).toEqual([false, false, false, false])
  })
})

test.each<Record<string, string>>([
  { INVENTORY_AUTO_CREATE_ON_PRODUCT_CREATION: 'false' },
  { INVENTORY_DEFAULT_WAREHOUSES: 'atlantis' },
])('where no items come with products (%o), one is there with nothing in stock until it is counted', async (settings) => {
  const call = await shopOf(settings)
  await call('ADMIN', 'POST', '/v1/products', { id: 'cup', title: 'Cup', variants: variants('cup-1', 'cup-2') })
  for (const title of ['Mug', 'Beaker']) {
    const { status, body } = await call('product-service', 'GET', '/v1/inventory-items/by-product/cup')
    const none = { totalQuantityAvailable: 0, isOutOfStock: true, warehouseInventory: [] }
    expect([status, body]).toMatchObject([200, { success: true, data: none }])
    expect((await call('product-service', 'GET', '/v1/products/cup/inventory')).body).toEqual({
      productId: 'cup',
      items: [],
    })
    expect((await call('ADMIN', 'GET', '/v1/products/cup/ledger')).body).toEqual({ items: [] })
    expect((await call('ADMIN', 'POST', '/v1/orders', { lines })).body).toMatchObject({ type: '/problems/unknown-sku' })
    // A change of the product does not make it an error.
    expect((await call('ADMIN', 'PATCH', '/v1/products/cup', { title })).status).toBe(200)
  }
  const set = (body: object) => call('ADMIN', 'PATCH', '/v1/products/cup/inventory', body)
  expect((await set({ quantity: 3 })).body.errors).toMatchObject([{ field: 'sku' }])
  expect((await set({ sku: 'saucer', quantity: 3 })).status).toBe(404)
  expect((await set({ ...count, warehouseId: 'lemuria' })).body).toMatchObject({ status: 404, what: 'warehouse' })
  expect((await set({ ...count, warehouseId: 'main' })).body).toMatchObject({ newQuantity: 5, available: 5 })
  expect((await call('ADMIN', 'POST', '/v1/orders', { lines })).status).toBe(201)
  const stock = [{ sku: 'cup-2', warehouseId: 'main', quantity: 2 }]
  expect((await call('ADMIN', 'PATCH', '/v1/products/cup', { stock })).status).toBe(200)
  const { items } = (await call('ADMIN', 'GET', '/v1/products/cup/inventory')).body
  expect(items).toMatchObject([
    { sku: 'cup-1', onHand: 4 },
    { sku: 'cup-2', onHand: 2 },
  ])
  await call('ADMIN', 'DELETE', '/v1/products/cup')
  expect((await set({ ...count, warehouseId: 'main' })).status).toBe(404)
})
