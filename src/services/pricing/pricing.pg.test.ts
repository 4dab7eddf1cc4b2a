/** Pricing through the real log and over HTTP: following the catalog, rules, promotions that begin and end, quotes. */
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { BUSY_MS } from '../../../test/chaos/ownership.ts'
import { createTestDatabase } from '../../../test/database.ts'
import { openAuth } from '../../app/http/auth.ts'
import { buildServer, httpDefaults } from '../../app/http/server.ts'
import type { App } from '../../engine/http.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { catalogService } from '../catalog/service.ts'
import { Repricer } from './repricer.ts'
import { type PricingService, pricingService } from './service.ts'

let engine: TestEngine
let app: App
let pricing: PricingService
let token: string

beforeAll(async () => {
  const made = await testEngine((await createTestDatabase()).url, (engine) => [
    catalogService(engine),
    (pricing = pricingService(engine)),
  ])
  engine = made.engine
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  const settings = { ...httpDefaults, rateLimitMax: 100_000 }
  const parts = { settings, auth, log: pino({ level: 'silent' }), metrics: new Registry(), version: '0' }
  app = await buildServer({ ...parts, services: made.services })
  token = await auth.issueToken({ role: 'ADMIN', subject: 'tester', ttlSeconds: 600 })
})
afterAll(async () => {
  await app.close()
  await engine.close()
})
afterEach(async () => {
  expect(await pricing.verify(engine.db)).toEqual([])
})

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
async function call(method: Method, url: string, body?: object, headers: Record<string, string> = {}) {
  const reply = await app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(body && { payload: body }),
  })
  return { status: reply.statusCode, body: reply.body === '' ? undefined : reply.json(), etag: reply.headers.etag }
}

/** So many products of a category, as pricing hears of them from the catalog. */
const followed = (category: string, count: number) =>
  Promise.all(
    Array.from({ length: count }, (_, n) => `${category}-${n}`).map((productId) =>
      pricing.execute({
        type: 'follow',
        product: {
          productId,
          version: 1,
          status: 'active',
          vendorId: null,
          category,
          tags: [],
          variants: [{ sku: productId, list: eur(100) }],
        },
      }),
    ),
  )

const eur = (amount: number) => ({ amount, currency: 'EUR' })
let made = 0
/** A product of a category of its own, followed. */
async function product(fields: object = {}) {
  const id = `p${++made}`
  const category = `category ${id}`
  const variants = [{ sku: `${id}-A`, price: eur(2_000), compareAtPrice: eur(2_500) }]
  await call('POST', '/products', { id, title: 'Kit', category, variants, ...fields })
  await engine.settle()
  return { id, sku: `${id}-A`, scope: { categories: [category] } }
}
/** As anybody may. */
const pricesOf = async (id: string) => (await app.inject({ url: `/v1/products/${id}/prices` })).json()
async function reprice() {
  while (await pricing.repriceOnce());
  await engine.settle()
}
const eventsOf = (id: string) =>
  engine.db<{ type: string; version: number; data: string }>`
    select type, version, data from lockstep.events where entity = ${`price/${id}`} order by version`
const typesOf = async (id: string) => (await eventsOf(id)).map(({ type }) => type)
const failuresOf = (id: string) =>
  engine.db<{ consumer: string; error: string }>`select consumer, error from lockstep.failures where key = ${id}`
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString()
const promotion = (fields: object) => ({
  name: 'Sale',
  effect: { percentOff: 50 },
  startsAt: inSeconds(-60),
  endsAt: inSeconds(60),
  ...fields,
})

describe('following the catalog', () => {
  test('a product has prices, new ones when its own change, and none once it is deleted', async () => {
    const { id, sku } = await product()
    expect(await pricesOf(id)).toEqual({
      productId: id,
      version: 1,
      variants: [{ sku, list: 2_000, compareAt: 2_500, effective: 2_000, currency: 'EUR', applied: [] }],
      problems: [],
    })
    await call('PATCH', `/products/${id}`, { variants: [{ sku, price: eur(1_500) }] })
    await call('PATCH', `/products/${id}`, { title: 'No news for prices' })
    await engine.settle()
    expect(await typesOf(id)).toEqual(['price.updated', 'price.updated'])
    await call('DELETE', `/products/${id}`)
    await engine.settle()
    expect((await call('GET', `/products/${id}/prices`)).status).toBe(404)
    expect((await call('GET', '/products/none/prices')).body.type).toBe('/problems/not-found')
  })

  test('built anew from the log, it changes nothing', async () => {
    const { id } = await product()
    const before = await eventsOf(id)
    const changes = await engine.db<{ count: number }>`select count(*)::int as count from lockstep.events`
    await engine.db`update lockstep.consumers set position = 0, epoch = epoch + 1 where name = 'pricing'`
    await engine.settle()
    expect(await eventsOf(id)).toEqual(before)
    expect(await engine.db`select count(*)::int as count from lockstep.events`).toEqual(changes)
  })
})

describe('rules', () => {
  test('reprice what they concern when they come, change and go', async () => {
    const { id, sku, scope } = await product()
    const other = await product()
    const { status, body: rule } = await call('POST', '/pricing/rules', {
      name: 'Ten',
      scope,
      effect: { percentOff: 10 },
    })
    expect(status).toBe(201)
    await reprice()
    const applied = [
      { id: rule.id, kind: 'rule', amountOff: 200, reason: `Ten: 10 % off, for category category ${id}` },
    ]
    expect((await pricesOf(id)).variants).toMatchObject([{ sku, effective: 1_800, applied }])
    expect(await typesOf(other.id)).toEqual(['price.updated'])
    await call('PATCH', `/pricing/rules/${rule.id}`, { scope: other.scope, minPrice: eur(1_900) })
    await reprice()
    expect((await pricesOf(id)).variants).toMatchObject([{ effective: 2_000, applied: [] }])
    expect((await pricesOf(other.id)).variants).toMatchObject([{ effective: 1_900 }])
    expect((await call('DELETE', `/pricing/rules/${rule.id}`)).status).toBe(204)
    await reprice()
    expect((await pricesOf(other.id)).variants).toMatchObject([{ effective: 2_000 }])
    expect((await call('GET', `/pricing/rules/${rule.id}`)).status).toBe(404)
  })

  test('that can not be used for a product are its failure alone, with rule and reason, until they are mended', async () => {
    const { id, scope } = await product()
    const dollars = { amount: 100, currency: 'USD' }
    const bad = { id: `bad-${id}`, name: 'Bad', scope, effect: { amountOff: dollars } }
    await call('POST', '/pricing/rules', bad)
    await reprice()
    expect(await failuresOf(id)).toMatchObject([
      { consumer: 'pricing', error: `${id}-A: rule bad-${id}: is in USD, the price in EUR` },
    ])
    const { problems, variants } = await pricesOf(id)
    expect([problems.length, variants[0].effective]).toEqual([1, 2_000])
    const other = await product()
    expect(await failuresOf(other.id)).toEqual([])
    await call('PATCH', `/pricing/rules/bad-${id}`, { effect: { amountOff: eur(100) } })
    await reprice()
    expect(await failuresOf(id)).toEqual([])
    expect((await pricesOf(id)).variants).toMatchObject([{ effective: 1_900 }])
  })

  test('are refused as a whole when anything in them is wrong, and to who may not', async () => {
    const rule = { name: 'R', scope: { all: true }, effect: { fixedPrice: { amount: 1, currency: 'XYZ' } } }
    const refused = await call('POST', '/pricing/rules', rule)
    expect([refused.status, JSON.stringify(refused.body.errors)]).toEqual([422, expect.stringContaining('currency')])
    expect((await call('POST', '/pricing/rules', rule, { authorization: '' })).status).toBe(401)
    expect((await call('GET', '/pricing/rules')).body.items).not.toContainEqual(expect.objectContaining({ name: 'R' }))
  })
})

describe('who says which version he saw', () => {
  const at = (etag: unknown) => ({ 'if-match': String(etag) })
  const faster = { status: 412, body: { type: '/problems/version-mismatch' } }

  test('changes and removes a rule only as he saw it', async () => {
    const { scope } = await product()
    const made = await call('POST', '/pricing/rules', { name: 'Seen', scope, effect: { percentOff: 10 } })
    const url = `/pricing/rules/${made.body.id}`
    expect(made.etag).toBe(`"${made.body.version}"`)
    expect(await call('GET', url)).toEqual({ ...made, status: 200 })
    const changed = await call('PATCH', url, { name: 'Mine' }, at(made.etag))
    expect([changed.status, changed.body.name]).toEqual([200, 'Mine'])
    expect(changed.body.version).toBeGreaterThan(made.body.version)
    expect(await call('PATCH', url, { name: 'Late' }, at(made.etag))).toMatchObject({
      ...faster,
      body: { ...faster.body, expected: made.body.version, actual: changed.body.version },
    })
    expect(await call('DELETE', url, undefined, at(made.etag))).toMatchObject(faster)
    expect(await call('GET', url)).toEqual(changed)
    expect((await call('GET', '/pricing/rules')).body.items).toContainEqual(changed.body)
    expect((await call('PATCH', url, { name: 'x' }, at('seven'))).status).toBe(400)
    expect((await call('DELETE', url, undefined, at(changed.etag))).status).toBe(204)
  })

  test('does not take one made anew under its id for the one he saw', async () => {
    const { id, scope } = await product()
    const rule = { id: `again-${id}`, name: 'Again', scope, effect: { percentOff: 10 } }
    const seen = await call('POST', '/pricing/rules', rule)
    await call('DELETE', `/pricing/rules/${rule.id}`)
    await call('POST', '/pricing/rules', rule)
    expect(await call('PATCH', `/pricing/rules/${rule.id}`, { name: 'x' }, at(seen.etag))).toMatchObject(faster)
    expect((await call('PATCH', `/pricing/rules/${rule.id}`, { name: 'x' }, at('*'))).status).toBe(200)
    await call('DELETE', `/pricing/rules/${rule.id}`)
  })

  test('ends a promotion only as he saw it, and the same key twice is no mismatch', async () => {
    const { scope } = await product()
    const planned = await call('POST', '/promotions', promotion({ scope }))
    const url = `/promotions/${planned.body.id}`
    await reprice()
    const running = await call('GET', url)
    expect(running.body.version).toBeGreaterThan(planned.body.version)
    expect(await call('POST', `${url}/end`, undefined, at(planned.etag))).toMatchObject(faster)
    const headers = { ...at(running.etag), 'idempotency-key': url }
    const ended = await call('POST', `${url}/end`, undefined, headers)
    expect([ended.status, ended.body.status]).toEqual([200, 'ended'])
    await reprice()
    expect((await call('POST', `${url}/end`, undefined, headers)).etag).toBe(ended.etag)
    expect(await call('POST', `${url}/end`, undefined, at(running.etag))).toMatchObject(faster)
    expect((await call('POST', `${url}/end`, undefined, at(ended.etag))).status).toBe(200)
  })
})

test('a request for a promotion that comes again makes no second one, and brings none back that ended', async () => {
  const { id, scope } = await product()
  const body = promotion({ id: `p-${id}`, scope })
  const planned = await call('POST', '/promotions', body)
  await reprice()
  const again = await call('POST', '/promotions', body)
  expect([planned.status, again.status, again.body.status]).toEqual([201, 200, 'running'])
  await call('POST', `/promotions/p-${id}/end`)
  await reprice()
  const other = { ...body, name: 'Later', startsAt: inSeconds(3_600), endsAt: inSeconds(7_200) }
  for (const late of [body, other])
    expect(await call('POST', '/promotions', late)).toMatchObject({
      status: 409,
      body: { type: '/problems/already-exists', id: `p-${id}`, detail: expect.stringContaining('has ended') },
    })
  await reprice()
  expect((await call('GET', `/promotions/p-${id}`)).body.status).toBe('ended')
  expect((await pricesOf(id)).variants[0].effective).toBe(2_000)
})

test('a product that is new while a rule comes from another process is priced by it', async () => {
  const other = await testEngine(engine.db.url, (engine) => [pricingService(engine)] as const)
  await using _ = other.engine
  const [theirs] = other.services
  const category = 'racing'
  const follow = (n: number) =>
    pricing.execute({
      type: 'follow',
      product: {
        productId: `racing-${n}`,
        version: 1,
        status: 'active',
        vendorId: null,
        category,
        tags: [],
        variants: [{ sku: `racing-${n}`, list: eur(1_000) }],
      },
    })
  const rule = { name: 'R', priority: 0, scope: { categories: [category] }, effect: { percentOff: 10 } }
  let made = 0
  const coming = async () => {
    while (made < 400) await follow(made++)
  }
  const ruled = (async () => {
    for (let n = 0; n < 10; n++) {
      await theirs.execute({ type: 'create-rule', rule: { ...rule, id: `racing-${n}` } })
      while (await theirs.repriceOnce());
    }
  })()
  await Promise.all([coming(), coming(), coming(), coming(), ruled])
  while (await theirs.repriceOnce());
  const rows = await engine.db<{ rules: number; count: number }>`
    select json_array_length(state -> 'prices' -> product_id -> 'applied') as rules, count(*)::int as count
      from pricing.prices
     where category = ${category}
     group by 1`
  expect(rows).toEqual([{ rules: 10, count: 400 }])
})

describe('promotions', () => {
  test('begin and end by themselves, each product told by name', async () => {
    const { id, scope } = await product()
    const { body: planned } = await call('POST', '/promotions', promotion({ scope }))
    expect(planned).toMatchObject({ status: 'scheduled', name: 'Sale' })
    await reprice()
    expect((await pricesOf(id)).variants).toMatchObject([
      { effective: 1_000, applied: [{ id: planned.id, kind: 'promotion' }] },
    ])
    expect((await call('GET', `/promotions/${planned.id}`)).body).toMatchObject({ status: 'running', underWay: false })
    await engine.db`update pricing.promotions set ends_at = clock_timestamp() where id = ${planned.id}`
    await reprice()
    expect((await call('GET', `/promotions/${planned.id}`)).body).toMatchObject({ status: 'ended', underWay: false })
    expect((await pricesOf(id)).variants).toMatchObject([{ effective: 2_000, applied: [] }])
    expect(await typesOf(id)).toEqual(['price.updated', 'price.promotion.applied', 'price.promotion.ended'])
  })

  test('count for who asks from their first moment on, before anything was priced anew', async () => {
    const { id, sku, scope } = await product()
    await call('POST', '/promotions', promotion({ scope }))
    expect((await pricesOf(id)).variants).toMatchObject([{ effective: 1_000 }])
    expect((await call('POST', '/pricing/quote', { lines: [{ sku, quantity: 3 }] })).body).toMatchObject({
      total: 3_000,
    })
    await reprice()
  })

  test('begin at their start to the second, by themselves', async () => {
    const { id, scope } = await product()
    await call('POST', '/promotions', promotion({ scope, startsAt: inSeconds(0.3) }))
    const stop = new AbortController()
    const running = pricing.run?.(stop.signal)
    await expect.poll(() => typesOf(id), { interval: 20 }).toContain('price.promotion.applied')
    const [row] = await engine.db<{ late: number }>`
      select (extract(epoch from e.at - p.starts_at) * 1000)::float8 as late
        from lockstep.events e, pricing.promotions p
       where e.entity = ${`price/${id}`} and e.type = 'price.promotion.applied' and p.id = e.data -> 'promotion' ->> 'id'`
    expect(row?.late).toBeGreaterThanOrEqual(0)
    expect(row?.late).toBeLessThan(1_000 + BUSY_MS)
    stop.abort()
    await running
  })

  test('are applied in pieces, so that who changes something else waits for one of them at most', async () => {
    await followed('pieces', 600)
    await call('POST', '/promotions', promotion({ scope: { categories: ['pieces'] } }))
    let priced = 0
    let underWay = 0
    let most = 0
    const counted: PricingService['execute'] = async (command, options) => {
      if (command.type === 'reprice') most = Math.max(most, ++underWay)
      const executed = await pricing.execute(command, options)
      if (command.type === 'reprice') {
        underWay--
        priced++
      }
      return executed
    }
    const repricer = new Repricer(engine.db, counted, pino({ level: 'silent' }))
    while (await repricer.runOnce());
    expect(priced).toBe(600)
    expect(most).toBeLessThanOrEqual(125)
  })

  test('are ended while they are still being applied, and leave no product behind', async () => {
    await followed('many', 1_200)
    const { body } = await call('POST', '/promotions', promotion({ id: 'flash', scope: { categories: ['many'] } }))
    expect(await pricing.repriceOnce()).toBe(true)
    expect((await call('GET', '/promotions/flash')).body).toMatchObject({ status: 'running', underWay: true })
    const ended = await call('POST', `/promotions/${body.id}/end`)
    expect(ended.body).toMatchObject({ status: 'ended', underWay: true })
    await reprice()
    expect((await call('GET', '/promotions/flash')).body).toMatchObject({ status: 'ended', underWay: false })
    const counts = await engine.db<{ type: string; count: number }>`
      select type, count(*)::int as count
        from lockstep.events
       where entity like 'price/many-%' and type like 'price.promotion.%'
       group by type order by type`
    expect(counts).toEqual([
      { type: 'price.promotion.applied', count: 1_000 },
      { type: 'price.promotion.ended', count: 1_000 },
    ])
    expect(
      await engine.db`select from pricing.prices where product_id like 'many-%' and state::text like '%flash%'`,
    ).toHaveLength(0)
    expect((await call('POST', '/promotions/flash/end')).status).toBe(200)
  })

  test('must end after they start, and not be over', async () => {
    const { scope } = await product()
    expect((await call('POST', '/promotions', promotion({ scope, endsAt: inSeconds(-120) }))).status).toBe(422)
    expect((await call('POST', '/promotions', promotion({ scope, endsAt: inSeconds(-1) }))).body.type).toBe(
      '/problems/promotion-over',
    )
    expect((await call('POST', '/promotions/none/end')).status).toBe(404)
  })
})

describe('a quote', () => {
  test('adds up what so many cost, in one currency', async () => {
    const [a, b] = [await product(), await product()]
    const yen = await product({ variants: [{ sku: 'YEN', price: { amount: 5, currency: 'JPY' } }] })
    const lines = [
      { sku: a.sku, quantity: 2 },
      { sku: b.sku, quantity: 1 },
    ]
    expect((await call('POST', '/pricing/quote', { lines })).body).toMatchObject({
      currency: 'EUR',
      lines: [{ sku: a.sku, quantity: 2, unitPrice: 2_000, total: 4_000 }, { total: 2_000 }],
      total: 6_000,
    })
    const mixed = await call('POST', '/pricing/quote', { lines: [...lines, { sku: 'YEN', quantity: 1 }] })
    expect(mixed.body).toMatchObject({ type: '/problems/mixed-currencies', currencies: ['EUR', 'JPY'] })
    await call('PATCH', `/products/${yen.id}`, { status: 'draft' })
    await engine.settle()
    const quoteOf = (sku: string) => call('POST', '/pricing/quote', { lines: [{ sku, quantity: 1 }] })
    expect((await quoteOf('YEN')).body).toMatchObject({ type: '/problems/inactive-sku', lines: [{ sku: 'YEN' }] })
    expect((await quoteOf('NONE')).body).toMatchObject({ type: '/problems/unknown-sku', lines: [{ sku: 'NONE' }] })
  })
})
