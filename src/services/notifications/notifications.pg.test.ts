import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { madeEvent, productEvent, stockEvent } from '../../../test/made-events.ts'
import { openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { Reaction } from '../../engine/consumer.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { App } from '../../engine/http.ts'
import { append } from '../../engine/log.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { Person, Preferences } from '../customers/events.ts'
import type { Order, OrderStatus } from '../orders/events.ts'
import { notificationsService } from './service.ts'

let engine: TestEngine
let app: App
let headers: Record<string, string>
let notifications: Reaction
let unsent: Reaction
let logged: Record<string, unknown>[] = []
const declined: [customerId: string, topic: string][] = []
const people = new Map<string, Person & { preferences: Preferences }>()
const admin = { smtpUrl: 'smtp://127.0.0.1:1', adminEmail: 'admin@example.com', gatherMs: 0 }

beforeAll(async () => {
  const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line)) })
  const { url } = await createTestDatabase()
  const made = await testEngine(
    url,
    (engine) => [
      notificationsService(engine, {
        ...admin,
        publicUrl: 'https://shop.example/',
        decline: async (...given) => declined.push(given) > 0,
        reveal: async (ids) => new Map([...people].filter(([id]) => ids.includes(id))),
      }),
    ],
    { log },
  )
  engine = made.engine
  notifications = made.services[0]?.consumers?.[0] as Reaction
  unsent = notificationsService(engine).consumers?.[0] as Reaction
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  headers = { authorization: `Bearer ${await auth.issueToken({ role: 'ADMIN', subject: 'test', ttlSeconds: 600 })}` }
  app = await buildServer({
    settings: httpDefaults,
    auth,
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    version: '0',
    services: made.services,
  })
})
beforeEach(async () => {
  logged = []
  people.clear()
  await engine.db`truncate notifications.sent, notifications.mails, notifications.rules`
})
afterAll(async () => {
  await app.close()
  await engine.close()
})

const { signal } = new AbortController()
const handle = (event: LoggedEvent, consumer = notifications) =>
  engine.db.begin((tx) => consumer.handle(event, { tx, idempotencyKey: event.id, attempt: 1, signal }))
async function call(method: 'GET' | 'POST', path: string) {
  const reply = await app.inject({ method, url: `/v1/notifications${path}`, headers })
  const json = reply.headers['content-type']?.toString().includes('json')
  return {
    status: reply.statusCode,
    headers: reply.headers,
    type: reply.headers['content-type'],
    body: json ? reply.json() : reply.body,
  }
}
const mails = async (query = '') => (await call('GET', query)).body.items as { id: string; [field: string]: unknown }[]
const setState = (id: string, state: string) =>
  engine.db`update notifications.mails set state = ${state} where id = ${id}`
const low = (id: string, version = 1, available = 3) =>
  stockEvent(id, version, available, { type: 'stock.low', trigger: 'ORDER_CONFIRMED' })
const out = (id: string, version = 2) => stockEvent(id, version, 0, { type: 'stock.out', trigger: 'ORDER_CONFIRMED' })

describe('of stock', () => {
  test('each crossing is told once, however often the event comes', async () => {
    const events = [low('a'), low('a'), out('a')]
    const [first, , last] = events as [LoggedEvent, LoggedEvent, LoggedEvent]
    for (const event of [first, first, last, first]) await handle(event)
    expect(logged).toMatchObject([
      { msg: 'low stock', productId: 'a', sku: 'a-1', available: 3, eventId: first.id },
      { msg: 'out of stock', available: 0, eventId: last.id },
    ])
    const alerts = (await call('GET', '/stock-alerts')).body.items
    expect(alerts).toMatchObject([
      { eventId: last.id, type: 'stock.out', mailId: first.id },
      { eventId: first.id, type: 'stock.low', mailId: first.id },
    ])
    expect(await mails()).toMatchObject([{ id: first.id, to: 'admin', template: 'stock-alert', state: 'queued' }])
    expect((await call('GET', `/${first.id}`)).body).toMatchObject({
      subject: 'Out of stock: a-1',
      address: 'admin@example.com',
    })
  })

  test('a scheduled sync tells nobody', async () => {
    await handle(stockEvent('a', 1, 0, { type: 'stock.out', trigger: 'SCHEDULED_SYNC' }))
    expect([logged, await mails(), (await call('GET', '/stock-alerts')).body.items]).toEqual([[], [], []])
  })

  test('many that cross together share a mail, each SKU once, what is out first', async () => {
    for (let n = 0; n < 120; n++) await handle(low(`p${n}`))
    await handle(out('p77'))
    const all = await mails()
    expect(all).toHaveLength(1)
    const { subject, text } = (await call('GET', `/${all[0]?.id}`)).body
    expect(subject).toBe('120 stocks are low, 1 of them out')
    expect(text.indexOf('p77-1: OUT OF STOCK')).toBeLessThan(text.indexOf('p0-1: 3 left'))
    expect(text).toContain('And 20 more')
  })

  test('what crosses while a mail is being sent, or was, is in the next one, and that waits', async () => {
    await handle(low('a'))
    const [first] = await mails()
    for (const state of ['sending', 'sent', 'unknown', 'failed']) {
      await engine.db`delete from notifications.sent where product_id <> 'a'`
      await engine.db`delete from notifications.mails where id <> ${first?.id}`
      await setState(first?.id ?? '', state)
      await handle(low('b'))
      await handle(low('c'))
      const [next, ...rest] = await mails()
      expect([next?.state, rest.map(({ id }) => id)]).toEqual(['queued', [first?.id]])
      expect(Date.parse(next?.dueAt as string)).toBeGreaterThan(Date.parse(first?.dueAt as string) + 50_000)
      expect((await call('GET', `/${next?.id}`)).body.subject).toBe('2 stocks are low')
    }
  })

  test('a stock that swings around its threshold is a mail at once and one for all that follows in a minute, with how it is', async () => {
    await handle(low('a'))
    const [first] = await mails()
    await setState(first?.id ?? '', 'sent')
    for (let n = 1; n <= 10; n++) await handle(low('a', 1 + 2 * n, n % 2 ? 2 : 3))
    await handle(out('a', 30))
    const all = await mails()
    expect(all.map(({ state }) => state)).toEqual(['queued', 'sent'])
    const { subject, text } = (await call('GET', `/${all[0]?.id}`)).body
    expect(subject).toBe('Out of stock: a-1')
    expect(text.match(/a-1: /g)).toHaveLength(1)
    expect((await call('GET', '/stock-alerts')).body.items).toHaveLength(12)
  })

  test('a mail that the server put off may be joined; one that may have arrived may not', async () => {
    await handle(low('a'))
    const [first] = await mails()
    await setState(first?.id ?? '', 'deferred')
    await handle(low('b'))
    expect(await mails()).toHaveLength(1)
    await engine.db`update notifications.mails set possibly_twice = true`
    await handle(low('c'))
    expect(await mails()).toHaveLength(2)
  })

  test('without a mail server, or somebody to tell, it is kept to be read', async () => {
    await handle(low('a'), unsent)
    expect(await mails()).toMatchObject([{ state: 'unsent', attempts: 0 }])
  })
})

const preferences = (channels: Record<string, string[]> = {}, locale: string | null = null): Preferences => ({
  channels,
  locale,
  ui: {},
  consents: {},
})
let version = 0
/** `customer.created`, `.preferences.updated` or `.erased`, with what the source would reveal afterwards. */
function customerEvent(type: string, id: string, wanted: Preferences): LoggedEvent {
  version += 1
  const erased = type === 'erased'
  if (erased) people.delete(id)
  else
    people.set(id, {
      name: `Name of ${id}`,
      email: `${id}@mail.example`,
      phone: null,
      addresses: [],
      preferences: wanted,
    })
  const at = '2026-01-01T00:00:00.000Z'
  const customer = {
    id,
    status: erased ? 'erased' : 'active',
    sealed: erased ? null : 'x',
    preferences: wanted,
    createdAt: at,
    updatedAt: at,
    erasedAt: erased ? at : null,
  }
  return madeEvent(`customer.${type}`, `customer/${id}`, `customer/${id}`, version, { customer, changes: [] })
}
function orderEvent(type: string, id: string, status: OrderStatus, customerId: string | null): LoggedEvent {
  version += 1
  const at = '2026-01-01T00:00:00.000Z'
  const order: Order = {
    id,
    status,
    customerId,
    reservationId: null,
    totals: [{ amount: 1999, currency: 'EUR' }],
    history: [],
    createdAt: at,
    updatedAt: at,
    lines: [
      {
        sku: 'LAMP',
        productId: 'lamp',
        quantity: 2,
        returned: 0,
        unitPrice: { amount: 999, currency: 'EUR' },
        allocations: [],
      },
    ],
  }
  return madeEvent(type, `order/${id}`, `order/${id}`, version, {
    order,
    ...(type === 'order.status.changed' && {
      previousStatus: 'pending',
      newStatus: status,
      reason: 'internal',
      changes: [],
    }),
  })
}
const created = (id: string, status: OrderStatus, customerId: string | null) =>
  orderEvent('order.created', id, status, customerId)
const changed = (id: string, status: OrderStatus, customerId: string | null) =>
  orderEvent('order.status.changed', id, status, customerId)

describe('of orders', () => {
  test('a customer is told of each status once, in their language and by name, with nothing personal in the outbox', async () => {
    await handle(customerEvent('created', 'ida', preferences({}, 'en-GB')))
    const events = [
      created('o1', 'pending', 'ida'),
      changed('o1', 'confirmed', 'ida'),
      changed('o1', 'fulfilled', 'ida'),
    ]
    for (const event of [...events, ...events]) await handle(event)
    const all = await mails('?customerId=ida')
    expect(all).toMatchObject([
      { template: 'order-status', state: 'queued', topic: 'order_status' },
      { template: 'order-confirmed', state: 'queued' },
    ])
    const whole = (await call('GET', `/${all[0]?.id}`)).body
    expect(whole).toMatchObject({ subject: 'Your order o1 is on its way', address: 'ida@mail.example', locale: 'en' })
    expect(whole.text).toContain('Hello Name of ida,')
    expect(whole.text).toContain('2 × LAMP, €9.99 each')
    expect(whole.text).not.toContain('internal')
    const rows = JSON.stringify(await engine.db`select m::text from notifications.mails m`)
    expect(rows).not.toMatch(/Name of|mail\.example/)
  })

  test('what is sold, and what runs out, is called by its name of that moment', async () => {
    const options = { size: 'Small' }
    const variants = [{ sku: 'LAMP', options, price: { amount: 999, currency: 'EUR' } }]
    const told = async (title: string, version: number) => {
      const { type, key, entity, source, data } = productEvent('lamp', version, { title, variants })
      await engine.db.begin((tx) => append(tx, [{ type, key, entity, version, source, data }]))
    }
    await told('Lamp', 1)
    await told('Oak <Lamp>', 2)
    await handle(created('o1', 'confirmed', 'ida'))
    await handle(low('lamp'))
    await told('Something else', 3)
    const [[order], [alert]] = [await mails('?template=order-confirmed'), await mails('?template=stock-alert')]
    const ordered = (await call('GET', `/${order?.id}`)).body
    expect(ordered.text).toContain('2 × Oak <Lamp>, Small (LAMP), €9.99 each')
    expect(ordered.html).toContain('2 × Oak &lt;Lamp&gt;, Small')
    const alerted = (await call('GET', `/${alert?.id}`)).body
    expect(alerted.subject).toBe('Low stock: Oak <Lamp> (lamp-1)')
    expect(alerted.text).toContain('Oak <Lamp> (lamp)\n  lamp-1: 3 left')
    expect((await call('GET', '/stock-alerts')).body.items).toMatchObject([{ productId: 'lamp', title: 'Oak <Lamp>' }])
  })

  test.each<[string, Record<string, string[]>, number]>([
    ['nothing', {}, 1],
    ['by e-mail', { order_status: ['email', 'push'] }, 1],
    ['by push alone', { order_status: ['push'] }, 0],
    ['not at all', { order_status: [] }, 0],
    ['something else not at all', { marketing: [] }, 1],
  ])('who said %s gets their mails accordingly', async (_what, channels, count) => {
    await handle(customerEvent('created', 'ida', preferences()))
    await handle(customerEvent('preferences.updated', 'ida', preferences(channels)))
    await handle(created('o1', 'confirmed', 'ida'))
    expect(await mails()).toHaveLength(count)
  })

  test('an order of nobody, one that is pending, and one of somebody erased tell nobody', async () => {
    await handle(customerEvent('erased', 'gone', preferences()))
    for (const event of [
      created('o1', 'confirmed', null),
      created('o2', 'pending', 'ida'),
      created('o3', 'paid', 'gone'),
    ])
      await handle(event)
    expect(await mails()).toEqual([])
  })

  test('a preference takes back what has not gone out, an older one nothing', async () => {
    const before = customerEvent('created', 'ida', preferences())
    await handle(before)
    await handle(created('o1', 'confirmed', 'ida'))
    await handle(created('o2', 'confirmed', 'other'))
    await handle(customerEvent('preferences.updated', 'ida', preferences({ order_status: [] })))
    await handle(before)
    await handle(created('o3', 'confirmed', 'ida'))
    expect(await mails()).toMatchObject([
      { customerId: 'other', state: 'queued' },
      { customerId: 'ida', state: 'dropped', error: 'the customer does not want order_status by e-mail' },
    ])
  })

  test('who is erased is taken out of the outbox, and shown no more', async () => {
    await handle(customerEvent('created', 'ida', preferences()))
    await handle(created('o1', 'confirmed', 'ida'))
    await handle(customerEvent('erased', 'ida', preferences()))
    const [mail] = await mails()
    expect(mail).toMatchObject({ state: 'dropped', error: 'the customer was erased' })
    const { body } = await call('GET', `/${mail?.id}`)
    expect(body.address).toBeNull()
    expect(body.text + body.html).not.toContain('Name of ida')
  })
})

describe('over HTTP', () => {
  test('the outbox is paged, the newest first, and filtered', async () => {
    for (let n = 0; n < 5; n++) await handle(created(`o${n}`, 'confirmed', 'ida'))
    await handle(low('a'))
    const first = (await call('GET', '?limit=4')).body
    const second = (await call('GET', `?limit=4&cursor=${first.next}`)).body
    expect([first.items.length, second.items.length, second.next]).toEqual([4, 2, undefined])
    expect(new Set([...first.items, ...second.items].map(({ id }) => id)).size).toBe(6)
    expect(await mails('?template=stock-alert')).toHaveLength(1)
    expect(await mails('?state=sent')).toHaveLength(0)
    expect((await call('GET', '?state=lost')).body).toMatchObject({
      type: '/problems/invalid-request',
      errors: [{ field: 'state' }],
    })
    expect((await call('GET', '/7')).body).toMatchObject({ errors: [{ field: 'id' }] })
    expect((await call('GET', '/0197a000-0000-7000-8000-999999999999')).status).toBe(404)
  })

  test.each<[string, string, string, number]>([
    ['unsent', 'retry', 'queued', 200],
    ['failed', 'retry', 'queued', 200],
    ['dropped', 'retry', 'queued', 200],
    ['discarded', 'retry', 'queued', 200],
    ['sent', 'retry', 'sent', 409],
    ['sending', 'retry', 'sending', 409],
    ['failed', 'discard', 'discarded', 200],
    ['queued', 'discard', 'discarded', 200],
    ['discarded', 'discard', 'discarded', 200],
    ['sent', 'discard', 'sent', 409],
    ['sending', 'discard', 'sending', 409],
  ])('of one that is %s, %s makes it %s (%i)', async (before, what, after, status) => {
    await handle(low('a'))
    const [mail] = await mails()
    await setState(mail?.id ?? '', before)
    const answer = await call('POST', `/${mail?.id}/${what}`)
    expect(answer.status).toBe(status)
    expect(answer.body.state).toBe(after)
    if (status === 409)
      expect(answer.body.type).toBe(`/problems/not-to-be-${what === 'retry' ? 'retried' : 'discarded'}`)
    expect((await mails())[0]?.state).toBe(after)
  })

  test('one that may have arrived says so once it is retried', async () => {
    await handle(low('a'))
    const [mail] = await mails()
    await setState(mail?.id ?? '', 'unknown')
    expect((await call('POST', `/${mail?.id}/retry`)).body).toMatchObject({ state: 'queued', possiblyTwice: true })
  })

  test('templates are listed and previewed, as page, text or both', async () => {
    const { items } = (await call('GET', '/templates')).body
    expect(items).toContainEqual({ name: 'order-status', languages: expect.arrayContaining(['en']) })
    const page = await call('GET', '/templates/order-status/preview')
    expect([page.status, page.type]).toEqual([200, 'text/html; charset=utf-8'])
    expect(page.body).toContain('<!doctype html>')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'; style-src 'unsafe-inline'")
    expect((await call('GET', '/templates/stock-alert/preview?format=text')).body).toContain('OUT OF STOCK')
    const both = await call('GET', '/templates/stock-alert/preview?format=json&locale=xx')
    expect(both.body).toMatchObject({ locale: 'en', subject: '3 stocks are low, 1 of them out' })
    for (const name of ['nothing', '..%2Fen%2Forder-status', 'constructor', 'layout'])
      expect((await call('GET', `/templates/${name}/preview`)).status).toBe(404)
  })

  test('the link in a mail asks first, and then takes the customer’s word, as often as it is said', async () => {
    await handle(customerEvent('created', 'ida', preferences()))
    await handle(created('o1', 'confirmed', 'ida'))
    const [mail] = await mails()
    const { text, html } = (await call('GET', `/${mail?.id}`)).body
    const link = /https:\/\/shop\.example(\/v1\/notifications\/unsubscribe\/[0-9a-f-]{36})/.exec(text)
    expect(html).toContain(link?.[0])
    const url = link?.[1] ?? ''
    const asked = await app.inject({ url })
    expect([asked.statusCode, asked.headers['content-type'], declined]).toEqual([200, 'text/html; charset=utf-8', []])
    expect(asked.body).toContain('<form method="post">')
    expect(asked.body).not.toContain('ida')
    for (const [type, payload] of [
      ['application/x-www-form-urlencoded', 'List-Unsubscribe=One-Click'],
      ['multipart/form-data; boundary=x', '--x\r\n\r\n--x--'],
    ] as const) {
      const done = await app.inject({ method: 'POST', url, headers: { 'content-type': type }, payload })
      expect([done.statusCode, done.body.includes('Done')]).toEqual([200, true])
    }
    expect((await app.inject({ method: 'POST', url })).statusCode).toBe(200)
    expect(declined).toEqual(Array(3).fill(['ida', 'order_status']))
    const other = '/v1/notifications/unsubscribe/0197a000-0000-4000-8000-999999999999'
    expect((await app.inject({ method: 'POST', url: other })).statusCode).toBe(404)
    expect((await app.inject({ url: `${other}x` })).statusCode).toBe(400)
    expect(JSON.stringify(await mails())).not.toContain('token')
  })

  test('is for ADMIN alone', async () => {
    for (const url of ['/v1/notifications', '/v1/notifications/templates', '/v1/notifications/stock-alerts'])
      expect((await app.inject({ url })).statusCode).toBe(401)
  })
})
