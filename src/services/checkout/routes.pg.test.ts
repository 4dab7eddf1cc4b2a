import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { caughtUp } from '../../../test/chaos/ownership.ts'
import { createTestDatabase } from '../../../test/database.ts'
import { openTestShop, type TestShop } from '../../../test/shop.ts'

let shop: TestShop
let headers: Record<string, string>

beforeAll(async () => {
  const { url } = await createTestDatabase()
  shop = await openTestShop(url, { PAYMENT_DEADLINE_MS: '3000' })
  headers = await shop.as('ADMIN')
})
afterAll(() => shop[Symbol.asyncDispose]())

async function call(method: 'GET' | 'POST' | 'PUT' | 'PATCH', url: string, body?: object, more: object = {}) {
  const payload = body && { payload: body }
  const reply = await shop.app.inject({ method, url: `/v1${url}`, headers: { ...headers, ...more }, ...payload })
  return { status: reply.statusCode, headers: reply.headers, body: reply.json() }
}
const key = (name: string) => ({ 'idempotency-key': `${name}-${id}` })

let made = 0
let id: string
let sku: string
/** A product at 10.00 EUR, five on hand, known to all. */
beforeEach(async () => {
  id = `p${++made}`
  sku = `${id}-1`
  const product = { id, title: 'Kit', variants: [{ sku, price: { amount: 1000, currency: 'EUR' } }] }
  await call('POST', '/products', product)
  await followed()
  await call('PATCH', `/products/${id}/inventory`, { sku, quantity: 5 })
  await followed()
})
/** Everything written so far has reached everybody. */
const followed = () =>
  caughtUp(
    shop.engine.db,
    shop.engine.runners.map((runner) => runner.consumer.name),
  )
const onHand = async () => {
  const [level] = await shop.engine.db`select on_hand, reserved from inventory.levels where sku = ${sku}`
  return level
}
const payment = (token = 'tok_visa') => ({ payment: { token } })

test('lines are bought: an order, paid, and the stock it took', async () => {
  const bought = await call('POST', '/checkouts', { lines: [{ sku, quantity: 2 }], customerId: 'ida', ...payment() })
  expect(bought).toMatchObject({
    status: 201,
    body: { status: 'completed', total: 2000, currency: 'EUR', customerId: 'ida' },
  })
  expect(bought.headers.location).toBe(`/v1/checkouts/${bought.body.id}`)
  expect(JSON.stringify(bought.body)).not.toContain('tok_visa')
  expect(await call('GET', `/orders/${bought.body.id}`)).toMatchObject({ status: 200, body: { status: 'paid' } })
  expect(await onHand()).toEqual({ on_hand: 3, reserved: 0 })
  expect((await call('GET', `/checkouts/${bought.body.id}`)).body).toEqual(bought.body)
  const again = await call('POST', `/checkouts/${bought.body.id}/retry`)
  expect(again).toMatchObject({
    status: 409,
    body: { type: '/problems/checkout-over', status: 409, checkoutStatus: 'completed' },
  })
})

test('the same key buys once and answers the same; with another cart it is refused', async () => {
  const body = { lines: [{ sku, quantity: 1 }], ...payment() }
  const first = await call('POST', '/checkouts', body, key('once'))
  const second = await call('POST', '/checkouts', body, key('once'))
  expect([first.status, second.status]).toEqual([201, 201])
  expect(second.body).toEqual(first.body)
  const other = await call('POST', '/checkouts', { ...body, lines: [{ sku, quantity: 2 }] }, key('once'))
  expect(other).toMatchObject({ status: 422, body: { type: '/problems/idempotency-key-reused' } })
  expect(await onHand()).toEqual({ on_hand: 4, reserved: 0 })
})

test('a key that bought answers so, also when its goods are sold no more', async () => {
  const body = { lines: [{ sku, quantity: 1 }], ...payment() }
  const first = await call('POST', '/checkouts', body, key('gone'))
  await call('PATCH', `/products/${id}`, { status: 'archived' })
  await followed()
  expect((await call('POST', '/checkouts', body, key('gone'))).body).toEqual(first.body)
  expect(await call('POST', '/checkouts', body, key('new'))).toMatchObject({
    status: 409,
    body: { type: '/problems/inactive-sku' },
  })
})

test('too little in stock is told with what there is, and a declined card with why; nothing stays behind', async () => {
  const many = await call('POST', '/checkouts', { lines: [{ sku, quantity: 9 }], ...payment() })
  expect(many).toMatchObject({
    status: 409,
    body: { type: '/problems/insufficient-stock', lines: [{ sku, requested: 9, available: 5 }] },
  })
  const declined = await call(
    'POST',
    '/checkouts',
    { lines: [{ sku, quantity: 1 }], ...payment('tok_decline') },
    key('no'),
  )
  expect(declined).toMatchObject({ status: 402, body: { type: '/problems/payment-declined', reason: 'card-declined' } })
  expect(await onHand()).toEqual({ on_hand: 5, reserved: 0 })
  const kept = await call('GET', `/checkouts/${declined.body.checkoutId}`)
  expect(kept.body).toMatchObject({ status: 'compensated', failure: { code: 'payment-declined' } })
  expect(kept.body.steps.map((step: { status: string }) => step.status)).toEqual([
    'undone',
    'undone',
    'pending',
    'pending',
  ])
  const again = await call(
    'POST',
    '/checkouts',
    { lines: [{ sku, quantity: 1 }], ...payment('tok_decline') },
    key('no'),
  )
  expect(again.body.checkoutId).toBe(declined.body.checkoutId)
})

test('one whose payment is not told yet is under way, can be read and asked again, and is completed', async () => {
  const begun = await call('POST', '/checkouts', { lines: [{ sku, quantity: 1 }], ...payment('tok_timeout_capture') })
  expect(begun).toMatchObject({ status: 202, body: { status: 'running' } })
  expect(begun.body.steps.at(-1)).toMatchObject({ name: 'capture', status: 'pending', unclear: 1 })
  const open = await call('GET', '/checkouts?status=running')
  expect(open.body.items.map((item: { id: string }) => item.id)).toContain(begun.body.id)
  const again = await call('POST', `/checkouts/${begun.body.id}/retry`)
  expect([200, 409]).toContain(again.status) // it may have been asked again by itself in between
  expect((await call('GET', `/checkouts/${begun.body.id}`)).body.status).toBe('completed')
})

test('a cart is bought as it is, once', async () => {
  const cartId = (await call('POST', '/carts', { customerId: 'ida' })).body.id
  const empty = await call('POST', '/checkouts', { cartId, ...payment() })
  expect(empty).toMatchObject({ status: 422, body: { type: '/problems/cart-empty' } })
  await call('PUT', `/carts/${cartId}/lines/${sku}`, { quantity: 2 })
  const bought = await call('POST', '/checkouts', { cartId, ...payment() })
  expect(bought).toMatchObject({ status: 201, body: { cartId, customerId: 'ida', total: 2000 } })
  const twice = await call('POST', '/checkouts', { cartId, ...payment() })
  expect(twice).toMatchObject({ status: 409, body: { type: '/problems/cart-checked-out', checkoutId: bought.body.id } })
})

test('two at once buy one cart once', async () => {
  const cartId = (await call('POST', '/carts', { anonymousId: 'v' })).body.id
  await call('PUT', `/carts/${cartId}/lines/${sku}`, { quantity: 1 })
  const both = await Promise.all(
    [1, 2, 3].map((n) => call('POST', '/checkouts', { cartId, ...payment() }, key(`race-${n}`))),
  )
  expect(both.map((one) => one.status).sort()).toEqual([201, 409, 409])
  expect(await onHand()).toEqual({ on_hand: 4, reserved: 0 })
})

const cartWith = async (quantity: number, whose: object) => {
  const cartId = (await call('POST', '/carts', whose)).body.id as string
  if (quantity > 0) await call('PUT', `/carts/${cartId}/lines/${sku}`, { quantity })
  return cartId
}

test('a guest pays, and logs in while the provider still thinks: what he is buying is not in his other cart too', async () => {
  const guest = await cartWith(2, { anonymousId: `guest-${id}` })
  const mine = await cartWith(0, { customerId: `ida-${id}` })
  const begun = await call('POST', '/checkouts', { cartId: guest, ...payment('tok_timeout_capture') })
  expect(begun).toMatchObject({ status: 202, body: { status: 'running' } })
  expect((await call('GET', `/carts/${guest}`)).body).toMatchObject({
    status: 'in-checkout',
    checkoutId: begun.body.id,
  })
  const [merged, more] = [
    await call('POST', `/carts/${mine}/merge`, { from: guest }),
    await call('PUT', `/carts/${guest}/lines/${sku}`, { quantity: 3 }),
  ]
  for (const refused of [merged, more])
    expect(refused).toMatchObject({
      status: 409,
      body: { type: '/problems/cart-checked-out', checkoutId: begun.body.id },
    })
  await call('POST', `/checkouts/${begun.body.id}/retry`)
  await expect.poll(async () => (await call('GET', `/checkouts/${begun.body.id}`)).body.status).toBe('completed')
  expect((await call('GET', `/carts/${guest}`)).body).toMatchObject({ status: 'bought', lines: [{ quantity: 2 }] })
  expect((await call('POST', `/carts/${mine}/merge`, { from: guest })).status).toBe(409)
  expect((await call('GET', `/carts/${mine}`)).body.lines).toEqual([])
  expect(await onHand()).toEqual({ on_hand: 3, reserved: 0 })
})

test('a guest whose card was declined logs in: his cart comes along, and is bought from there', async () => {
  const guest = await cartWith(2, { anonymousId: `guest-${id}` })
  const mine = await cartWith(0, { customerId: `ida-${id}` })
  expect((await call('POST', '/checkouts', { cartId: guest, ...payment('tok_decline') })).status).toBe(402)
  expect((await call('POST', `/carts/${mine}/merge`, { from: guest })).body.lines).toMatchObject([{ quantity: 2 }])
  const late = await call('POST', '/checkouts', { cartId: guest, ...payment() })
  expect(late).toMatchObject({ status: 409, body: { type: '/problems/cart-merged', mergedInto: mine } })
  expect((await call('POST', '/checkouts', { cartId: mine, ...payment() })).status).toBe(201)
  expect(await onHand()).toEqual({ on_hand: 3, reserved: 0 })
})

test('who buys, logs in and puts more in at the same moment pays once, for what he was shown', async () => {
  for (let n = 0; n < 5; n++) {
    const guest = await cartWith(1, { anonymousId: `guest-${id}-${n}` })
    const mine = await cartWith(0, { customerId: `ida-${id}-${n}` })
    const [bought, merged] = await Promise.all([
      call('POST', '/checkouts', { cartId: guest, ...payment() }),
      call('POST', `/carts/${mine}/merge`, { from: guest }),
      call('PUT', `/carts/${guest}/lines/${sku}`, { quantity: 2 }),
    ])
    const { lines } = (await call('GET', `/carts/${mine}`)).body
    if (bought.status === 201) {
      expect([merged.status, lines]).toEqual([409, []])
      const asItWas = (await call('GET', `/carts/${guest}`)).body.lines[0].quantity
      expect(bought.body.total).toBe(1000 * asItWas)
      await call('POST', `/orders/${bought.body.id}/cancel`)
    } else {
      expect(bought.status).toBe(409)
      expect(['cart-merged', 'cart-changed', 'cart-checked-out', 'cart-empty']).toContain(
        bought.body.type.split('/').pop(),
      )
    }
  }
  expect(await onHand()).toEqual({ on_hand: 5, reserved: 0 })
})

test.each([
  ['neither cart nor lines', payment(), 'cartId'],
  ['both', { cartId: 'c', lines: [{ sku: 's', quantity: 1 }], ...payment() }, 'cartId'],
  ['no lines', { lines: [], ...payment() }, 'lines'],
  ['nothing to pay with', { lines: [{ sku: 's', quantity: 1 }] }, 'payment'],
  ['a token that is none', { lines: [{ sku: 's', quantity: 1 }], ...payment('a b') }, 'payment.token'],
  ['a fraction of a unit', { lines: [{ sku: 's', quantity: 0.5 }], ...payment() }, 'lines.0.quantity'],
])('%s is refused, and the field is named', async (_, body, field) => {
  const refused = await call('POST', '/checkouts', body)
  expect(refused).toMatchObject({ status: 422, body: { type: '/problems/invalid-request', errors: [{ field }] } })
})

test('what nobody knows can not be bought', async () => {
  expect(await call('POST', '/checkouts', { cartId: 'none', ...payment() })).toMatchObject({ status: 404 })
  const unknown = await call('POST', '/checkouts', { lines: [{ sku: 'NONE', quantity: 1 }], ...payment() })
  expect(unknown).toMatchObject({ status: 422, body: { type: '/problems/unknown-sku' } })
  expect(await call('GET', '/checkouts/none')).toMatchObject({ status: 404 })
  expect(await call('POST', '/checkouts/none/retry')).toMatchObject({ status: 404 })
})
