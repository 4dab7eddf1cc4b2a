import { once } from 'node:events'
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { type TestServer, testServer } from '../../app/http/server-testing.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { CheckoutOutcome } from './decider.ts'
import { type CartsService, cartsService } from './service.ts'
import type { Goods } from './validation.ts'

let engine: TestEngine
let carts: CartsService
let server: TestServer
let url: string
let authorization: string
const open: ClientRequest[] = []

beforeAll(async () => {
  const made = await testEngine((await createTestDatabase()).url, (to) => [cartsService(to, { liveConnections: 3 })])
  engine = made.engine
  carts = made.services[0] as CartsService
  server = await testServer({ shop: false, routes: (app) => carts.routes?.(app) })
  await server.app.listen({ port: 0, host: '127.0.0.1' })
  url = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}`
  authorization = `Bearer ${await server.token()}`
})
afterEach(async () => {
  for (const request of open.splice(0)) request.destroy()
  await expect.poll(() => carts.liveFollowers()).toBe(0)
})
afterAll(async () => {
  await server.app.close()
  await engine.close()
})

const goods: Goods = { sku: 'KIT', live: true, available: 9, price: { amount: 1000, currency: 'EUR' } }
const put = (cartId: string, quantity: number) => carts.execute({ type: 'put', cartId, sku: 'KIT', quantity, goods })
const stock = async (cartId: string, available: number) => {
  await carts.execute({ type: 'validate', cartId, goods: [{ ...goods, available }] })
  await engine.settle()
}
let made = 0
async function cartWith(quantity: number): Promise<string> {
  const cartId = `live-${++made}`
  await carts.execute({ type: 'create', cartId, customerId: 'ida', anonymousId: null })
  await put(cartId, quantity)
  await engine.settle()
  return cartId
}

/** Reads a stream event by event. */
async function follow(cartId: string, headers: Record<string, string> = {}) {
  const request = get(`${url}/carts/${cartId}/live`, { headers: { connection: 'close', authorization, ...headers } })
  open.push(request)
  request.on('error', () => {})
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const events = (async function* () {
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, id, event, data] = /^id: (\d+)\nevent: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? []
        text = text.slice(end + 2)
        if (id !== undefined) yield { id: Number(id), event, data: JSON.parse(data ?? '') }
      }
    }
  })()
  return { response, next: async () => (await events.next()).value as { id: number; event: string; data: object } }
}

test('its owner is told how the cart stands, and what becomes of its lines when stock changes', async () => {
  const cartId = await cartWith(3)
  const { response, next } = await follow(cartId)
  expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8')
  expect(await next()).toMatchObject({
    id: 2,
    event: 'cart',
    data: { id: cartId, version: 2, lines: [{ sku: 'KIT' }] },
  })
  await stock(cartId, 2)
  expect(await next()).toMatchObject({
    id: 3,
    event: 'cart.validated',
    data: {
      id: cartId,
      version: 3,
      status: 'open',
      buyable: false,
      skus: ['KIT'],
      lines: [{ sku: 'KIT', quantity: 3, notices: [{ kind: 'only-left', left: 2, acknowledged: false }] }],
    },
  })
  await put(cartId, 1)
  await engine.settle()
  expect(await next()).toMatchObject({ id: 4, event: 'cart.updated', data: { buyable: true } })
})

test('who comes again with what he saw last is told what happened since, each once', async () => {
  const cartId = await cartWith(3)
  const first = await follow(cartId)
  const { id } = await first.next()
  open.pop()?.destroy()
  await stock(cartId, 2)
  await stock(cartId, 0)
  const { next } = await follow(cartId, { 'last-event-id': String(id) })
  expect(await next()).toMatchObject({ id: id + 1, data: { lines: [{ notices: [{ kind: 'only-left' }] }] } })
  expect(await next()).toMatchObject({ id: id + 2, data: { lines: [{ notices: [{ kind: 'out-of-stock' }] }] } })
  await stock(cartId, 9)
  expect(await next()).toMatchObject({ id: id + 3, data: { buyable: true } })
})

test('an anonymous cart’s follower is told which cart has its lines, and that one’s what came', async () => {
  const [mine, anonymous] = [await cartWith(1), 'visitors']
  await carts.execute({ type: 'create', cartId: anonymous, customerId: null, anonymousId: 'visitor' })
  await put(anonymous, 2)
  await engine.settle()
  const [his, theirs] = await Promise.all([follow(mine), follow(anonymous)])
  await Promise.all([his.next(), theirs.next()])
  await carts.execute({ type: 'merge', cartId: mine, from: anonymous, goods: [goods] })
  await engine.settle()
  expect(await theirs.next()).toMatchObject({ event: 'cart.merged', data: { status: 'merged', mergedInto: mine } })
  expect(await his.next()).toMatchObject({
    event: 'cart.updated',
    data: { merged: { from: anonymous, lines: [{ sku: 'KIT', asked: 3, quantity: 3 }] } },
  })
})

test('the shopper’s page hears that his cart is being bought, that it was not, why, and at last that it was', async () => {
  const cartId = await cartWith(2)
  const { next } = await follow(cartId)
  const { id } = await next()
  const failure = { code: 'payment-declined', message: 'the payment was declined', detail: {} }
  const buy = async (checkoutId: string, outcome: CheckoutOutcome) => {
    await carts.execute({ type: 'check-out', cartId, checkoutId })
    await carts.execute({ type: 'settle', cartId, checkoutId, outcome })
    await engine.settle()
  }
  await buy('k1', { status: 'compensated', failure })
  await buy('k2', { status: 'completed', failure: null })
  const held = { buyable: false, status: 'in-checkout' }
  const told = [
    { event: 'cart.checkout.started', data: { ...held, checkoutId: 'k1' } },
    { event: 'cart.checkout.failed', data: { status: 'open', checkoutId: null, buyable: true, failure } },
    { event: 'cart.checkout.started', data: { ...held, checkoutId: 'k2' } },
    { event: 'cart.bought', data: { status: 'bought', checkoutId: 'k2', boughtBy: 'k2', buyable: false } },
  ]
  for (const [n, one] of told.entries()) expect(await next()).toMatchObject({ id: id + 1 + n, ...one })
  const again = await follow(cartId, { 'last-event-id': String(id + 3) })
  expect(await again.next()).toMatchObject({ id: id + 4, event: 'cart.bought', data: { lines: [{ quantity: 2 }] } })
})

test('what the process did not hear of is told at the next beat', async () => {
  const cartId = await cartWith(3)
  const { next } = await follow(cartId)
  await next()
  // As another process would, while this one does not follow the log.
  const other = await testEngine(engine.db.url, (to) => [cartsService(to)])
  await (other.services[0] as CartsService).execute({ type: 'validate', cartId, goods: [{ ...goods, available: 1 }] })
  await other.engine.close()
  await carts.beat()
  expect(await next()).toMatchObject({ id: 3, event: 'cart.validated' })
})

test('a version that the cart never had counts for nothing, one that is no number is refused', async () => {
  const cartId = await cartWith(1)
  const { next } = await follow(cartId, { 'last-event-id': '999' })
  expect(await next()).toMatchObject({ event: 'cart' })
  const headers = { authorization, 'last-event-id': 'x' }
  const refused = await server.app.inject({ url: `/carts/${cartId}/live`, headers })
  expect(refused.json()).toMatchObject({ status: 400, errors: [{ field: 'Last-Event-ID' }] })
})

test('only those who may read a cart follow it, only one that is there, and only so many at once', async () => {
  const cartId = await cartWith(1)
  expect((await server.app.inject(`/carts/${cartId}/live`)).statusCode).toBe(401)
  expect((await follow('none')).response.statusCode).toBe(404)
  const three = [await follow(cartId), await follow(cartId), await follow(cartId)]
  expect(three.map(({ response }) => response.statusCode)).toEqual([200, 200, 200])
  const refused = await follow(cartId)
  expect([refused.response.statusCode, refused.response.headers['retry-after']]).toEqual([503, '5'])
})

test('a server that stops ends its followers', async () => {
  const { next } = await follow(await cartWith(1))
  await next()
  await server.app.close()
  expect(await next()).toBeUndefined()
})
