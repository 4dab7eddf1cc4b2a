import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingServices } from '../../../test/selling.ts'
import { type TestServer, testServer } from '../../app/http/server-testing.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { type CartsService, cartsService } from './service.ts'

let engine: TestEngine
let carts: CartsService
let server: TestServer
let authorization: string

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(url, (to) => [...sellingServices(to), (carts = cartsService(to))])
  engine = made.engine
  server = await testServer({
    shop: false,
    routes: (app) => made.services.forEach((service) => void (service as CartsService).routes?.(app)),
  })
  authorization = `Bearer ${await server.token()}`
})
afterAll(async () => {
  expect(await carts.verify(engine.db)).toEqual([])
  await server.app.close()
  await engine.close()
})

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
async function call(method: Method, url: string, body?: object, headers: object = {}) {
  const payload = body && { payload: body }
  const reply = await server.app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization, ...headers },
    ...payload,
  })
  return { status: reply.statusCode, body: reply.body === '' ? undefined : reply.json() }
}

let made = 0
let id: string
let sku: string
const stock = (quantity: number) => call('PATCH', `/products/${id}/inventory`, { sku, quantity })
const price = (amount: number) =>
  call('PATCH', `/products/${id}`, { variants: [{ sku, price: { amount, currency: 'EUR' } }] })
const told = async () => {
  await engine.settle()
  while (await carts.tellOnce());
}
/** A product at 10.00 EUR, five on hand. */
beforeEach(async () => {
  id = `p${++made}`
  sku = `${id}-1`
  await call('POST', '/products', { id, title: 'Kit', variants: [{ sku, price: { amount: 1000, currency: 'EUR' } }] })
  await engine.settle()
  await stock(5)
  await engine.settle()
})

async function cartWith(quantity: number): Promise<string> {
  const { body } = await call('POST', '/carts', { anonymousId: `visitor-${id}` })
  expect((await call('PUT', `/carts/${body.id}/lines/${sku}`, { quantity })).status).toBe(200)
  return body.id
}
const noticesOf = async (cartId: string) => (await call('GET', `/carts/${cartId}`)).body.lines[0].notices
const eventsOf = async (cartId: string) => {
  const rows = await engine.db`select type from lockstep.events where entity = ${`cart/${cartId}`} order by version`
  return rows.map((row) => row.type)
}

test('what is in a cart is told to its owner as stock and price change, and once seen is new no more', async () => {
  const cartId = await cartWith(3)
  expect(await noticesOf(cartId)).toEqual([])
  await stock(2)
  await price(900)
  await told()
  const [from, to] = [1000, 900].map((amount) => ({ amount, currency: 'EUR' }))
  expect(await noticesOf(cartId)).toEqual([
    { kind: 'only-left', left: 2, acknowledged: false },
    { kind: 'price-changed', from, to, acknowledged: false },
  ])
  expect((await eventsOf(cartId)).at(-1)).toBe('cart.validated')
  const seen = await call('POST', `/carts/${cartId}/acknowledge`)
  expect(seen.body.lines).toMatchObject([{ price: to, notices: [{ kind: 'only-left', left: 2, acknowledged: true }] }])
  expect(seen.body.buyable).toBe(false)
  await stock(0)
  await told()
  expect(await noticesOf(cartId)).toEqual([{ kind: 'out-of-stock', acknowledged: false }])
  await stock(9)
  await told()
  expect((await call('GET', `/carts/${cartId}`)).body).toMatchObject({ buyable: true, lines: [{ notices: [] }] })
})

test.each([
  ['archived', () => call('PATCH', `/products/${id}`, { status: 'archived' })],
  ['deleted', () => call('DELETE', `/products/${id}`)],
  [
    'without this variant',
    () => call('PATCH', `/products/${id}`, { variants: [{ sku: `${sku}-b`, price: { amount: 1, currency: 'EUR' } }] }),
  ],
] as [string, () => ReturnType<typeof call>][])('a product that is %s is no longer sold', async (_, change) => {
  const cartId = await cartWith(1)
  expect((await change()).status).toBeLessThan(300)
  await told()
  expect(await noticesOf(cartId)).toEqual([{ kind: 'no-longer-sold', acknowledged: false }])
  expect((await eventsOf(cartId)).at(-1)).toBe('cart.validated')
})

test('a change that says nothing new to a cart is no event of it', async () => {
  const cartId = await cartWith(1)
  const before = await eventsOf(cartId)
  await stock(4)
  await call('PATCH', `/products/${id}`, { title: 'Other kit' })
  await told()
  expect(await eventsOf(cartId)).toEqual(before)
})

test('a product in many carts costs its consumer one row; its carts are told in pages, and others do not wait for them', async () => {
  const cartIds = Array.from({ length: 1_200 }, (_, n) => `many-${String(n).padStart(4, '0')}`)
  const goods = { sku, live: true, available: 5, price: { amount: 1000, currency: 'EUR' } }
  await Promise.all(
    cartIds.map(async (cartId) => {
      await carts.execute({ type: 'create', cartId, customerId: 'everybody', anonymousId: null })
      await carts.execute({ type: 'put', cartId, sku, quantity: 1, goods })
    }),
  )
  await price(800)
  await engine.settle()
  const status = async () => {
    const [row] =
      await engine.db`select count(*)::int as n from lockstep.unfinished where consumer = 'carts' and key = ${id}`
    return row?.n
  }
  expect(await status()).toBe(1)
  expect(await noticesOf('many-0777')).toMatchObject([{ kind: 'price-changed' }]) // told by looking, before it is told by event
  const validated = async () => {
    const [row] = await engine.db`
      select count(*)::int as n from lockstep.events where type = 'cart.validated' and entity like 'cart/many-%'`
    return row?.n
  }
  await carts.tellOnce()
  expect(await validated()).toBe(500)
  await told()
  expect(await validated()).toBe(1_200)
  expect(await status()).toBe(0)
})

test('a change while carts are being told begins anew: in the end every cart was told the last word', async () => {
  const cartIds = Array.from({ length: 600 }, (_, n) => `twice-${String(n).padStart(4, '0')}`)
  const goods = { sku, live: true, available: 5, price: { amount: 1000, currency: 'EUR' } }
  await Promise.all(
    cartIds.map(async (cartId) => {
      await carts.execute({ type: 'create', cartId, customerId: 'everybody', anonymousId: null })
      await carts.execute({ type: 'put', cartId, sku, quantity: 1, goods })
    }),
  )
  await price(800)
  await engine.settle()
  await carts.tellOnce()
  await price(700)
  await told()
  const wrong = await engine.db`
    select id from carts.carts
    where  id like 'twice-%' and (cart -> 'lines' -> 0 -> 'notices' -> 0 -> 'to' ->> 'amount')::int is distinct from 700`
  expect(wrong).toEqual([])
})

test('older and repeated events change nothing', async () => {
  const cartId = await cartWith(3)
  await stock(1)
  await told()
  const before = await call('GET', `/carts/${cartId}`)
  await engine.db`update lockstep.consumers set position = 0, epoch = epoch + 1 where name = 'carts'`
  await told()
  expect(await call('GET', `/carts/${cartId}`)).toEqual(before)
})

test('a cart that was bought stays as it was', async () => {
  const cartId = await cartWith(2)
  await carts.execute({ type: 'check-out', cartId, checkoutId: 'k', lines: [{ sku, quantity: 2 }] })
  await stock(0)
  await told()
  // Its own checkout took them: nobody tells it that they are gone.
  const meanwhile = (await call('GET', `/carts/${cartId}`)).body
  expect(meanwhile).toMatchObject({ status: 'in-checkout', checkoutId: 'k', buyable: false, lines: [{ notices: [] }] })
  await carts.execute({ type: 'settle', cartId, checkoutId: 'k', outcome: { status: 'completed', failure: null } })
  await told()
  const { body } = await call('GET', `/carts/${cartId}`)
  expect(body).toMatchObject({ status: 'bought', checkoutId: 'k', buyable: false, lines: [{ notices: [] }] })
  const late = await call('PUT', `/carts/${cartId}/lines/${sku}`, { quantity: 1 })
  expect(late).toMatchObject({ status: 409, body: { type: '/problems/cart-checked-out', checkoutId: 'k' } })
  expect((await eventsOf(cartId)).slice(-2)).toEqual(['cart.checkout.started', 'cart.bought'])
})

test('a cart that was not bought is its owner’s again, and is told what became of its lines meanwhile', async () => {
  const cartId = await cartWith(2)
  await carts.execute({ type: 'check-out', cartId, checkoutId: 'k' })
  await stock(1)
  await told()
  const failure = { code: 'payment-declined', message: 'the payment was declined', detail: {} }
  await carts.execute({ type: 'settle', cartId, checkoutId: 'k', outcome: { status: 'compensated', failure } })
  await told()
  expect((await eventsOf(cartId)).slice(-2)).toEqual(['cart.checkout.failed', 'cart.validated'])
  expect(await noticesOf(cartId)).toEqual([{ kind: 'only-left', left: 1, acknowledged: false }])
  expect((await call('PUT', `/carts/${cartId}/lines/${sku}`, { quantity: 1 })).body).toMatchObject({
    status: 'open',
    checkoutId: null,
    buyable: true,
  })
})

test('an anonymous cart is merged into the customer’s when he logs in, once, told what there was too little of', async () => {
  const anonymous = await cartWith(4)
  const mine = (await call('POST', '/carts', { customerId: `c-${id}` })).body.id
  const { version } = (await call('PUT', `/carts/${mine}/lines/${sku}`, { quantity: 2 })).body
  const stale = await call('POST', `/carts/${mine}/merge`, { from: anonymous }, { 'if-match': '"1"' })
  expect(stale).toMatchObject({ status: 412, body: { type: '/problems/version-mismatch', actual: version } })
  const headers = { 'idempotency-key': `login-${id}`, 'if-match': `"${version}"` }
  const merged = await call('POST', `/carts/${mine}/merge`, { from: anonymous }, headers)
  expect(merged).toMatchObject({
    status: 200,
    body: {
      id: mine,
      lines: [{ sku, quantity: 5 }],
      merged: { from: anonymous, lines: [{ sku, asked: 6, quantity: 5 }] },
    },
  })
  expect(await call('POST', `/carts/${mine}/merge`, { from: anonymous }, headers)).toEqual(merged)
  const again = await call('POST', `/carts/${mine}/merge`, { from: anonymous })
  expect(again).toMatchObject({ status: 200, body: { version: merged.body.version, merged: { lines: [] } } })
  const over = (await call('GET', `/carts/${anonymous}`)).body
  expect(over).toMatchObject({ status: 'merged', mergedInto: mine, lines: [], buyable: false })
  const late = await call('PUT', `/carts/${anonymous}/lines/${sku}`, { quantity: 1 })
  expect(late).toMatchObject({ status: 409, body: { type: '/problems/cart-merged', mergedInto: mine } })
  await stock(1)
  await told()
  expect(await noticesOf(mine)).toEqual([{ kind: 'only-left', left: 1, acknowledged: false }])
  expect((await eventsOf(anonymous)).at(-1)).toBe('cart.merged')
})

test('two at once that merge one cart into two put its lines into one of them', async () => {
  const anonymous = await cartWith(1)
  const ids = await Promise.all(
    [1, 2].map(async () => (await call('POST', '/carts', { customerId: `c-${id}` })).body.id as string),
  )
  const both = await Promise.all(ids.map((mine) => call('POST', `/carts/${mine}/merge`, { from: anonymous })))
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
  const found = await Promise.all(ids.map(async (mine) => (await call('GET', `/carts/${mine}`)).body.lines.length))
  expect(found.sort()).toEqual([0, 1])
})

test('a cart is not merged into itself, nor with one that is not there', async () => {
  const cartId = await cartWith(1)
  const itself = await call('POST', `/carts/${cartId}/merge`, { from: cartId })
  expect(itself).toMatchObject({ status: 422, body: { errors: [{ field: 'from' }] } })
  expect((await call('POST', `/carts/${cartId}/merge`, { from: 'none' })).status).toBe(404)
  expect((await call('POST', `/carts/${cartId}/merge`, {})).status).toBe(422)
})

test('a cart belongs to somebody, and is found by whose it is', async () => {
  const nobody = await call('POST', '/carts', {})
  expect(nobody).toMatchObject({ status: 422, body: { errors: [{ field: 'customerId' }] } })
  const mine = (await call('POST', '/carts', { customerId: `c-${id}` })).body
  const found = await call('GET', `/carts?customerId=c-${id}`)
  expect(found.body.items).toEqual([mine])
  expect((await call('GET', '/carts')).status).toBe(400)
})

test('the same key begins one cart; lines of what is not there or not for sale are refused', async () => {
  const headers = { 'idempotency-key': `k-${id}` }
  const first = await call('POST', '/carts', { anonymousId: 'v' }, headers)
  expect(await call('POST', '/carts', { anonymousId: 'v' }, headers)).toEqual(first)
  const cartId = first.body.id
  expect(await call('PUT', `/carts/${cartId}/lines/NONE`, { quantity: 1 })).toMatchObject({ status: 422 })
  expect(await call('PUT', `/carts/${cartId}/lines/${sku}`, { quantity: 0 })).toMatchObject({ status: 422 })
  expect(await call('PUT', `/carts/nowhere/lines/${sku}`, { quantity: 1 })).toMatchObject({ status: 404 })
  await call('PUT', `/carts/${cartId}/lines/${sku}`, { quantity: 1 })
  expect((await call('DELETE', `/carts/${cartId}/lines/${sku}`)).body.lines).toEqual([])
})
