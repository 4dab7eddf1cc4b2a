/** Document B's low-stock alerts and document E's order status, through to the mail server: what an admin and a customer find in their mailboxes. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MailServer, startMailServer } from '../src/services/notifications/smtp-testing.ts'
import { caughtUp, until } from './chaos/ownership.ts'
import { createTestDatabase } from './database.ts'
import { openTestShop, type TestShop } from './shop.ts'

let server: MailServer
let shop: TestShop
let headers: Record<string, string>

beforeAll(async () => {
  server = await startMailServer()
  shop = await openTestShop((await createTestDatabase()).url, {
    SMTP_URL: server.url,
    LOCKSTEP_ADMIN_EMAIL: 'admin@example.com',
    LOCKSTEP_PUBLIC_URL: 'https://shop.example',
    LOCKSTEP_ALERT_DIGEST_SECONDS: '0',
  })
  headers = await shop.as('ADMIN')
})
afterAll(async () => {
  await shop[Symbol.asyncDispose]()
  await server.close()
})

// biome-ignore lint/suspicious/noExplicitAny: whatever the API answers
async function send(method: 'POST' | 'PATCH' | 'PUT' | 'GET', url: string, payload?: object): Promise<any> {
  const response = await shop.app.inject({ method, url: `/v1${url}`, headers, ...(payload && { payload }) })
  expect(response.statusCode, response.body).toBeLessThan(400)
  return response.headers['content-type']?.toString().includes('json') ? response.json() : response.body
}
const followed = () =>
  caughtUp(
    shop.engine.db,
    shop.engine.runners.map((runner) => runner.consumer.name),
  )
const to = (address: string) => server.mails.filter((mail) => mail.to?.[0]?.address === address)
const outboxEmpty = () =>
  until(async () => {
    const { items } = await send('GET', '/notifications?limit=200')
    return items.every(({ state }: { state: string }) => state === 'sent' || state === 'dropped')
  })

async function product(id: string, quantity: number) {
  const variants = [{ sku: `${id}-1`, price: { amount: 2_000, currency: 'EUR' } }]
  await send('POST', '/products', { id, title: id, status: 'active', variants })
  await followed()
  await send('PATCH', `/products/${id}/inventory`, { quantity })
}
const order = async (sku: string, quantity: number, customerId?: string) =>
  (await send('POST', '/orders', { ...(customerId && { customerId }), lines: [{ sku, quantity }] })).orderId

test('the admin has one mail when a stock becomes low, one when it is out, and none for a count that was put right', async () => {
  await product('kit', 5)
  await order('kit-1', 1)
  await order('kit-1', 1)
  await followed()
  await outboxEmpty()
  expect(to('admin@example.com').map(({ subject }) => subject)).toEqual(['Low stock: kit (kit-1)'])

  await order('kit-1', 1)
  await order('kit-1', 2)
  await followed()
  await outboxEmpty()
  expect(to('admin@example.com').map(({ subject }) => subject)).toEqual([
    'Low stock: kit (kit-1)',
    'Out of stock: kit (kit-1)',
  ])
  expect(await send('GET', '/products/kit')).toMatchObject({ isAvailable: false })
  const { items } = await send('GET', '/events?key=kit')
  expect(items.map(({ type }: { type: string }) => type)).toContain('product.updated')

  await product('sofa', 9)
  const counted = { warehouseId: 'main', countedAt: new Date().toISOString(), dryRun: false }
  await send('POST', '/stocktakes', { ...counted, trigger: 'SCHEDULED_SYNC', lines: [{ sku: 'sofa-1', quantity: 0 }] })
  await followed()
  await outboxEmpty()
  expect(await send('GET', '/products/sofa')).toMatchObject({ isAvailable: false })
  expect(to('admin@example.com')).toHaveLength(2)
})

test('a customer has a mail for each step of an order, in order, until they decline by the link in one', async () => {
  await product('lamp', 50)
  await send('POST', '/customers', {
    id: 'ida',
    name: 'Ida Berg',
    email: 'ida@mail.example',
    preferences: { consents: { marketing: { granted: true, source: 'web', textVersion: '1' } } },
  })
  const first = await order('lamp-1', 2, 'ida')
  await send('POST', `/orders/${first}/status`, { status: 'paid' })
  await send('POST', `/orders/${first}/status`, { status: 'fulfilled' })
  await followed()
  await outboxEmpty()
  expect(to('ida@mail.example').map(({ subject }) => subject)).toEqual([
    `Your order ${first} is confirmed`,
    `Your order ${first} has been paid`,
    `Your order ${first} is on its way`,
  ])
  const [mail] = to('ida@mail.example')
  expect(mail?.text).toContain('Hello Ida Berg,')
  const link = /https:\/\/shop\.example(\/v1\/notifications\/unsubscribe\/\S+)/.exec(mail?.text ?? '')?.[1] ?? ''

  const declined = await shop.app.inject({ method: 'POST', url: link })
  expect([declined.statusCode, declined.body.includes('Done')]).toEqual([200, true])
  expect(await send('GET', '/customers/ida/preferences')).toMatchObject({ channels: { order_status: [] } })
  await followed()
  await order('lamp-1', 1, 'ida')
  await followed()
  await outboxEmpty()
  expect(to('ida@mail.example')).toHaveLength(3)

  await send('POST', '/marketing/lists', { id: 'all', title: 'Everybody' })
  expect(await send('POST', '/marketing/lists/all/export', { reason: 'test' })).toContain('ida@mail.example')
  await send('POST', '/customers/ida/erase')
  await followed()
  expect(await send('POST', '/marketing/lists/all/export', { reason: 'test' })).toBe('customerId,email,name,locale\r\n')
  expect((await shop.app.inject({ method: 'POST', url: link })).statusCode).toBe(200)
  expect(shop.logged()).not.toMatch(/Ida Berg|ida@mail/)
})
