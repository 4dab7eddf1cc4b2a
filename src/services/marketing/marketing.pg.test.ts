import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { Projection } from '../../engine/consumer.ts'
import type { App } from '../../engine/http.ts'
import { append, readAt } from '../../engine/log.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { customersService } from '../customers/service.ts'
import type { Order, OrderStatus } from '../orders/events.ts'
import { marketingService } from './service.ts'
import { askOnce, turnOnce } from './turns.ts'

let engine: TestEngine
let app: App
let headers: Record<string, string>
let logged = ''
let projection: Projection

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(
    url,
    (engine) => {
      const customers = customersService(engine)
      return [customers, marketingService(engine, { reveal: customers.reveal })]
    },
    { log: pino({ level: 'info' }, { write: (line: string) => void (logged += line) }) },
  )
  engine = made.engine
  projection = made.services[1]?.consumers?.[0] as Projection
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  headers = { authorization: `Bearer ${await auth.issueToken({ role: 'ADMIN', subject: 'mara', ttlSeconds: 600 })}` }
  app = await buildServer({
    settings: httpDefaults,
    auth,
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    version: '0',
    services: made.services,
  })
})
// Whatever a test did: what is kept is what a rebuild from the log makes of it.
afterEach(async () => {
  await engine.settle()
  const before = await everything()
  const positions = (await engine.db<{ position: number }>`select position from lockstep.events order by position`).map(
    (row) => row.position,
  )
  const events = await readAt(engine.db, positions)
  await engine.db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
  for (const event of events) await engine.db.begin((tx) => projection.apply([event], tx))
  expect(await everything()).toEqual(before)
  await engine.db`delete from marketing.lists`
})
afterAll(async () => {
  await app.close()
  await engine.close()
})

async function everything() {
  const [customers, orders, members, turns] = await Promise.all([
    engine.db`select customer_id, version, active, preferences from marketing.customers order by 1`,
    engine.db`select order_id, version, customer_id, counts, spent from marketing.orders order by 1`,
    engine.db`select list_id, customer_id from marketing.members order by 1, 2`,
    engine.db`select list_id, customer_id, at from marketing.turns order by 1, 2`,
  ])
  return { customers: [...customers], orders: [...orders], members: [...members], turns: [...turns] }
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
async function call(method: Method, path: string, payload?: object, more: object = {}) {
  const reply = await app.inject({
    method,
    url: `/v1${path}`,
    headers: { ...headers, ...more },
    ...(payload && { payload }),
  })
  const json = reply.headers['content-type']?.toString().includes('json')
  return { status: reply.statusCode, headers: reply.headers, body: json ? reply.json() : reply.body }
}
const granted = { granted: true, source: 'web', textVersion: '1' }
let made = 0
async function customer(preferences: object = { consents: { marketing: granted } }, name = 'Ida'): Promise<string> {
  const id = `c${String(++made).padStart(4, '0')}`
  const body = { id, name, email: `${id}@mail.example`, preferences }
  expect((await call('POST', '/customers', body)).status).toBe(201)
  await engine.settle()
  return id
}
async function prefer(id: string, preferences: object) {
  expect((await call('PUT', `/customers/${id}/preferences`, preferences)).status).toBe(200)
  await engine.settle()
}
const versions = new Map<string, number>()
async function order(id: string, customerId: string, status: OrderStatus, amount: number, daysAgo = 0) {
  const version = (versions.get(id) ?? 0) + 1
  versions.set(id, version)
  const at = new Date(Date.now() - daysAgo * 86_400_000).toISOString()
  const order: Order = {
    id,
    status,
    customerId,
    reservationId: null,
    lines: [
      { sku: 'A', productId: 'a', quantity: 1, returned: 0, unitPrice: { amount, currency: 'EUR' }, allocations: [] },
    ],
    totals: [{ amount, currency: 'EUR' }],
    history: [],
    createdAt: at,
    updatedAt: at,
  }
  const type = version === 1 ? 'order.created' : 'order.status.changed'
  const changed = { previousStatus: 'pending', newStatus: status, reason: null, changes: [] }
  const data = { order, ...(version > 1 && changed) }
  await engine.db.begin((tx) =>
    append(tx, [{ type, key: `order/${id}`, entity: `order/${id}`, version, source: 'orders', data }]),
  )
  await engine.settle()
}
async function list(id: string, rule: object | null = null, purpose = 'marketing') {
  expect(await call('POST', '/marketing/lists', { id, title: id, purpose, rule })).toMatchObject({ status: 201 })
}
const members = async (id: string): Promise<string[]> =>
  (await call('GET', `/marketing/lists/${id}/members`)).body.items.map(
    (item: { customerId: string }) => item.customerId,
  )
const why = async (id: string, customerId: string) =>
  (await call('GET', `/marketing/lists/${id}/members/${customerId}`)).body

test('a consent given, taken back or never asked for decides at once', async () => {
  const [yes, no] = [await customer(), await customer({})]
  await list('all')
  expect(await members('all')).toEqual([yes])
  await prefer(no, { consents: { marketing: granted } })
  await prefer(yes, { consents: { marketing: { ...granted, granted: false } } })
  expect(await members('all')).toEqual([no])
  expect(await why('all', yes)).toMatchObject({ member: false, because: { consent: false, byEmail: true } })
  await prefer(no, { consents: { marketing: granted }, channels: { marketing: 'none' } })
  expect(await members('all')).toEqual([])
  await call('POST', `/customers/${yes}/erase`)
})

test('who is erased is on no list any more, and no older event brings them back', async () => {
  const id = await customer()
  await list('all')
  await list('news', null, 'newsletter')
  expect(await members('all')).toContain(id)
  await order('late', id, 'confirmed', 100)
  expect((await call('POST', `/customers/${id}/erase`)).status).toBe(200)
  await engine.settle()
  await order('late', id, 'paid', 100)
  expect(await members('all')).not.toContain(id)
  expect(await why('all', id)).toMatchObject({ member: false, because: { active: false, consent: false } })
  const old = await readAt(engine.db, [
    (await engine.db`select position from lockstep.events where entity = ${`customer/${id}`} order by version`)[0]
      ?.position,
  ])
  await engine.db.begin((tx) => projection.apply(old, tx))
  expect(await members('all')).not.toContain(id)
})

test('orders count once they are taken, as long as they are kept, by what was kept of them', async () => {
  const id = await customer()
  const spent = (value: number) => ({ field: 'spent', name: 'EUR', operator: 'gte', value })
  await list('buyers', { field: 'orders', operator: 'gte', value: 1 })
  await list('good', { match: 'all', conditions: [spent(500), { field: 'orders', operator: 'gte', value: 2 }] })
  await order('o1', id, 'pending', 300)
  expect(await members('buyers')).toEqual([])
  await order('o1', id, 'confirmed', 300)
  expect([await members('buyers'), await members('good')]).toEqual([[id], []])
  await order('o2', id, 'confirmed', 300)
  expect(await members('good')).toEqual([id])
  expect(await call('GET', `/marketing/customers/${id}`)).toMatchObject({
    body: {
      facts: { orders: 2, spent: { EUR: 600 } },
      lists: [
        { id: 'buyers', member: true },
        { id: 'good', member: true },
      ],
    },
  })
  await order('o1', id, 'cancelled', 300)
  expect([await members('buyers'), await members('good')]).toEqual([[id], []])
  expect(await why('good', id)).toMatchObject({
    because: {
      rule: {
        holds: false,
        conditions: [
          { actual: 300, holds: false },
          { actual: 1, holds: false },
        ],
      },
    },
  })
})

test('an order may be here before its customer', async () => {
  await list('buyers', { field: 'orders', operator: 'gte', value: 1 })
  await order('early', `c${String(made + 1).padStart(4, '0')}`, 'paid', 100)
  const id = await customer()
  expect(await members('buyers')).toContain(id)
})

test('time alone moves a customer, at its moment', async () => {
  const id = await customer()
  await list('recent', { field: 'last_order', operator: 'within_days', value: 30 })
  await list('quiet', { field: 'last_order', operator: 'not_within_days', value: 30 })
  await order('o7', id, 'paid', 100, 29)
  expect([(await members('recent')).includes(id), (await members('quiet')).includes(id)]).toEqual([true, false])
  expect(await turnOnce(engine.db)).toBe(0)
  // Two days go by.
  await engine.db`update marketing.orders set placed_at = placed_at - interval '2 days' where order_id = 'o7'`
  await engine.db`update marketing.turns set at = at - interval '2 days' where customer_id = ${id}`
  expect(await turnOnce(engine.db)).toBe(1)
  expect([(await members('recent')).includes(id), (await members('quiet')).includes(id)]).toEqual([false, true])
  expect(await turnOnce(engine.db)).toBe(0)
  await engine.db`update marketing.orders set placed_at = placed_at + interval '2 days' where order_id = 'o7'`
  await engine.db.begin(async (tx) => {
    const events = await readAt(tx as never, [
      (await tx`select max(position) as position from lockstep.events where entity = 'order/o7'`)[0]?.position,
    ])
    await projection.apply(events, tx)
  })
})

test('a changed rule or purpose is asked of everybody at once, and only by who saw the last version', async () => {
  const swiss = await customer({ consents: { marketing: granted }, locale: 'de-CH' })
  const french = await customer({ consents: { newsletter: granted }, locale: 'fr-FR' })
  await list('one', { field: 'country', operator: 'equals', value: 'CH' })
  expect(await members('one')).toEqual([swiss])
  const changed = await call(
    'PATCH',
    '/marketing/lists/one',
    { rule: null, purpose: 'newsletter' },
    { 'if-match': '"1"' },
  )
  expect(changed).toMatchObject({ status: 200, body: { version: 2, members: 1 }, headers: { etag: '"2"' } })
  expect(await members('one')).toEqual([french])
  expect((await call('PATCH', '/marketing/lists/one', { title: 'x' }, { 'if-match': '"1"' })).status).toBe(412)
  expect((await call('DELETE', '/marketing/lists/one')).status).toBe(204)
  expect((await call('GET', '/marketing/lists/one/members')).status).toBe(404)
})

test('a list of many is asked a little at a time; who changes meanwhile is asked with the new rule, and nobody is left out', async () => {
  const [swiss, moved] = [await customer({ consents: { marketing: granted }, locale: 'de-CH' }), await customer()]
  await engine.db`
    insert into marketing.customers (customer_id, version, active, preferences, created_at)
    select 'many-' || n, 1, true, json_build_object('channels', json_object('{}'), 'locale', case when n % 2 = 0 then 'de-CH' end,
                                                    'consents', json_build_object('marketing', json_build_object('granted', true))), now()
      from generate_series(1, 5000) n`
  await list('swiss', { field: 'country', operator: 'equals', value: 'CH' })
  await engine.db`update marketing.lists set asked_up_to = 'many-' where id = 'swiss'`
  await engine.db`delete from marketing.members where customer_id like 'many-%'`
  expect((await call('GET', '/marketing/lists/swiss')).body).toMatchObject({ evaluating: true })
  expect(await call('POST', '/marketing/lists/swiss/export', { reason: 'x' })).toMatchObject({ status: 409 })
  await prefer(moved, { consents: { marketing: granted }, locale: 'fr-CH' })
  while (await askOnce(engine.db));
  expect((await call('GET', '/marketing/lists/swiss')).body).toMatchObject({ evaluating: false })
  const all = (
    await engine.db<{ id: string }>`select customer_id as id from marketing.members where list_id = 'swiss'`
  ).map(({ id }) => id)
  expect(all.filter((id) => id.startsWith('many-'))).toHaveLength(2_500)
  expect(all).toEqual(expect.arrayContaining([swiss, moved]))
  await engine.db`delete from marketing.customers where customer_id like 'many-%'`
  await engine.db`delete from marketing.members where customer_id like 'many-%'`
})

test('lists and members are paged', async () => {
  for (let n = 0; n < 5; n++) await customer()
  for (const id of ['a', 'b', 'c']) await list(id)
  const all = await members('a')
  expect(all.length).toBeGreaterThanOrEqual(5)
  const first = (await call('GET', '/marketing/lists/a/members?limit=2')).body
  const second = (await call('GET', `/marketing/lists/a/members?limit=1000&cursor=${first.next}`)).body
  expect([...first.items, ...second.items].map(({ customerId }) => customerId)).toEqual(all)
  const lists = (await call('GET', '/marketing/lists?limit=2')).body
  expect(lists.items.map(({ id }: { id: string }) => id)).toEqual(['a', 'b'])
  expect((await call('GET', `/marketing/lists?limit=2&cursor=${lists.next}`)).body).toMatchObject({
    items: [{ id: 'c' }],
  })
})

test('an export has the addresses of those who agree now, and is kept: who, of what, why', async () => {
  const plain = await customer({ consents: { marketing: granted }, locale: 'de' }, '=HYPERLINK("evil"), "Ida"')
  const [late, gone] = [await customer(), await customer()]
  await list('all')
  // The list has not heard of it yet; the source has.
  await call('PUT', `/customers/${late}/preferences`, {})
  await call('POST', `/customers/${gone}/erase`)
  expect(await members('all')).toEqual(expect.arrayContaining([plain, late, gone]))
  expect(await call('POST', '/marketing/lists/all/export', { reason: ' ' })).toMatchObject({
    status: 422,
    body: { errors: [{ field: 'reason' }] },
  })
  const { status, body, headers } = await call('POST', '/marketing/lists/all/export', { reason: 'spring letter' })
  expect([status, headers['content-type'], headers['cache-control']]).toEqual([
    200,
    'text/csv; charset=utf-8',
    'no-store',
  ])
  const lines = body.trim().split('\r\n')
  expect(lines[0]).toBe('customerId,email,name,locale')
  expect(body).toContain(`${plain},${plain}@mail.example,"'=HYPERLINK(""evil""), ""Ida""",de\r\n`)
  expect(body).not.toContain(`${late}@`)
  expect(body).not.toContain(`${gone},`)
  const [kept] = (await call('GET', '/marketing/exports')).body.items
  expect(kept).toMatchObject({
    id: headers['x-export-id'],
    listId: 'all',
    listVersion: 1,
    actor: 'mara',
    reason: 'spring letter',
    customers: lines.length - 1,
    finishedAt: expect.any(String),
  })
  expect(logged).toContain('the addresses of a marketing list are taken out')
  expect(logged).not.toContain('mail.example')
})

test('nothing personal is kept', async () => {
  await customer({ consents: { marketing: granted }, ui: { theme: 'dark' } }, 'Wilhelmina Oberholzer')
  expect(JSON.stringify(await everything())).not.toMatch(/Wilhelmina|mail\.example/)
})

test.each<[Method, string, object | undefined, number, string | undefined]>([
  ['POST', '/marketing/lists', { title: '' }, 422, 'title'],
  ['POST', '/marketing/lists', { title: 'x', purpose: 'two words' }, 422, 'purpose'],
  [
    'POST',
    '/marketing/lists',
    { title: 'x', rule: { field: 'orders', operator: 'gt', value: 'many' } },
    422,
    'rule.value',
  ],
  ['POST', '/marketing/lists', { title: 'x', rule: { match: 'all', conditions: [] } }, 422, 'rule.conditions'],
  ['PATCH', '/marketing/lists/none', { title: 'x' }, 404, undefined],
  ['PATCH', '/marketing/lists/none', {}, 422, ''],
  ['POST', '/marketing/lists/none/export', { reason: 'x' }, 404, undefined],
  ['GET', '/marketing/customers/nobody', undefined, 404, undefined],
  ['GET', '/marketing/lists?cursor=x', undefined, 400, 'cursor'],
])('%s %s with %j is refused with %i at %s', async (method, path, body, status, field) => {
  const answer = await call(method, path, body)
  expect(answer.status).toBe(status)
  if (field !== undefined) expect(answer.body.errors.map((error: { field: string }) => error.field)).toContain(field)
})

test('an id that is taken is refused, and so is everybody but ADMIN', async () => {
  await list('mine')
  expect(await call('POST', '/marketing/lists', { id: 'mine', title: 'x' })).toMatchObject({ status: 409 })
  for (const url of ['/v1/marketing/lists', '/v1/marketing/exports', '/v1/marketing/lists/mine/members'])
    expect((await app.inject({ url })).statusCode).toBe(401)
})
