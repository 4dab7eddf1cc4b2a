/** Document C's example implementation, told on the running shop: from a product made elsewhere to what the storefront says of its stock. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStory, type Story } from './scenario-a.ts'

let story: Story

beforeAll(async () => {
  story = await openStory()
}, 60_000)
afterAll(() => story[Symbol.asyncDispose](), 30_000)

const availability = async (id: string, quantity = 1) =>
  (await story.get(`/storefront/products/${id}/availability?quantity=${quantity}`)).body

test('a product created in the catalog has an item in the default warehouse, with the documents’ thresholds, and nothing in stock', async () => {
  await story.product('kettle')
  const { body } = await story.get('/inventory-items/by-product/kettle')
  expect(body).toMatchObject({ success: true, data: { totalQuantityAvailable: 0, isOutOfStock: true } })
  const { items } = (await story.get('/products/kettle/inventory')).body
  expect(items).toMatchObject([{ sku: 'kettle-1', reorderThreshold: 10, targetLevel: 50 }])
})

test.each([
  [0, 1, { isAvailable: false, displayStatus: 'OUT_OF_STOCK', message: 'Out of Stock' }],
  [2, 5, { isAvailable: true, displayStatus: 'LIMITED_AVAILABILITY', message: 'Only 2 available' }],
  [10, 1, { isAvailable: true, displayStatus: 'LOW_STOCK', message: 'Only 10 left in stock - order soon' }],
  [11, 1, { isAvailable: true, displayStatus: 'IN_STOCK', message: 'In Stock' }],
])('of %i in stock, asked for %i, the storefront says what the document says, at once after each change', async (stock, asked, said) => {
  await story.stock('kettle', stock)
  expect(await availability('kettle', asked)).toMatchObject(said)
})

test('what is announced is told as the day it is expected back', async () => {
  await story.stock('kettle', 0)
  const expectedAt = '2031-05-20T08:00:00Z'
  const announced = { reference: 'PO-1', expectedAt, lines: [{ sku: 'kettle-1', quantity: 5 }] }
  expect((await story.send('POST', '/warehouses/main/receipts', announced)).code).toBe(201)
  await story.until(async () => availability('kettle'), {
    displayStatus: 'OUT_OF_STOCK',
    leadTimeEstimate: expect.stringMatching(/^Expected back in stock .*2031/),
  })
})

test('a deleted product’s items are inactive: they are not sold, and the ledger stays', async () => {
  await story.product('teapot')
  await story.stock('teapot', 3)
  expect((await story.send('DELETE', '/products/teapot')).code).toBe(204)
  const order = { lines: [{ sku: 'teapot-1', quantity: 1 }] }
  await story.until(async () => (await story.send('POST', '/orders', order)).body, { type: '/problems/inactive-sku' })
  expect((await story.get('/products/teapot/ledger')).body.items.length).toBeGreaterThan(0)
})
