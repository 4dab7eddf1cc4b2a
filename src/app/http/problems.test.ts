import { expect, test } from 'vitest'
import { Rejected } from '../../engine/decider.ts'
import { OutcomeUnknown, Unavailable } from '../../engine/unavailable.ts'
import { catalogue } from './problem-catalogue.ts'
import { testServer } from './server-testing.ts'

/** What the server answers when a route throws this. */
async function answer(error: unknown, method: 'GET' | 'POST' = 'GET') {
  const server = await testServer({
    routes(app) {
      app.route({ method, url: '/throws', handler: async () => Promise.reject(error) })
    },
  })
  const response = await server.app.inject({ method, url: '/throws' })
  await server.app.close()
  return { ...response.json(), headers: response.headers, statusCode: response.statusCode, logged: server.logged() }
}

const coded = (code: string, message = 'select secret from passwords') => Object.assign(new Error(message), { code })

test.each([
  ['57P01', 'GET', 'unavailable'],
  ['57P03', 'POST', 'outcome-unknown'],
  ['53300', 'POST', 'outcome-unknown'],
  ['53300', 'GET', 'unavailable'],
  ['53100', 'POST', 'unavailable'],
  ['55P03', 'POST', 'unavailable'],
  ['40P01', 'POST', 'unavailable'],
  ['25006', 'POST', 'unavailable'],
  ['ECONNREFUSED', 'POST', 'outcome-unknown'],
  ['ECONNREFUSED', 'GET', 'unavailable'],
  ['ECONNRESET', 'GET', 'unavailable'],
  ['ECONNRESET', 'POST', 'outcome-unknown'],
  ['57P01', 'POST', 'outcome-unknown'],
] as const)('Postgres saying %s to a %s is 503 %s with Retry-After, and tells nothing of the statement', async (code, method, type) => {
  const told = await answer(coded(code), method)
  expect(told).toMatchObject({ statusCode: 503, status: 503, type: `/problems/${type}` })
  expect(Number(told.headers['retry-after'])).toBeGreaterThan(0)
  expect(JSON.stringify(told)).not.toContain('secret')
})

test('a connection that broke under a read is 503, under a write an unknown outcome', async () => {
  const error = new Error('Connection terminated unexpectedly')
  expect((await answer(error)).type).toBe('/problems/unavailable')
  expect((await answer(error, 'POST')).type).toBe('/problems/outcome-unknown')
  const noConnection = new Error('timeout exceeded when trying to connect')
  expect((await answer(noConnection)).type).toBe('/problems/unavailable')
  expect((await answer(noConnection, 'POST')).type).toBe('/problems/outcome-unknown') // perhaps to read what was just written
})

test.each(['22021', '22P05'])("text that Postgres refuses (%s) is the caller's fault", async (code) => {
  expect(await answer(coded(code), 'POST')).toMatchObject({ statusCode: 400, type: '/problems/invalid-request' })
})

test.each([
  coded('42601'),
  new TypeError('x is undefined'),
  'a string',
  undefined,
])('anything else (%s) is 500 that tells only the request id', async (error) => {
  const told = await answer(error, 'POST')
  expect(told).toMatchObject({ statusCode: 500, type: '/problems/internal' })
  const { headers, logged, ...body } = told
  expect(Object.keys(body).sort()).toEqual(['detail', 'instance', 'requestId', 'status', 'statusCode', 'title', 'type'])
  expect(JSON.stringify(body)).not.toMatch(/secret|undefined|at /)
  expect(logged).toContain(body.requestId)
})

test('a broken rule carries its detail, but can not replace what every problem has', async () => {
  const told = await answer(new Rejected('reservation-expired', { status: 'held', type: 'x', reservationId: 'r-1' }))
  expect(told).toMatchObject({
    statusCode: 409,
    status: 409,
    type: '/problems/reservation-expired',
    reservationId: 'r-1',
  })
})

test('a rule that the catalogue does not know is 409 by its own name', async () => {
  expect(await answer(new Rejected('too-heavy', { kilograms: 40 }))).toMatchObject({
    statusCode: 409,
    type: '/problems/too-heavy',
    title: 'Too heavy',
    kilograms: 40,
  })
})

test('not done and not known are two answers, each with its Retry-After', async () => {
  const busy = await answer(new Unavailable('the rows are held by pid 7', { pid: 7 }, 3))
  expect(busy).toMatchObject({
    statusCode: 503,
    type: '/problems/unavailable',
    detail: 'the rows are held by pid 7',
    pid: 7,
  })
  expect(busy.headers['retry-after']).toBe('3')
  const unknown = await answer(new OutcomeUnknown('the commit got no answer'), 'POST')
  expect(unknown).toMatchObject({ statusCode: 503, type: '/problems/outcome-unknown' })
  expect(unknown.detail).toContain('same Idempotency-Key')
})

test('every name of the catalogue has a page of its own, and no other name has', async () => {
  const { app } = await testServer()
  const { items } = (await app.inject('/problems')).json()
  expect(items.map((item: { code: string }) => item.code)).toEqual(Object.keys(catalogue))
  for (const { type, status } of items) expect((await app.inject(type)).json()).toMatchObject({ type, status })
  for (const other of ['nothing', 'constructor', '__proto__'])
    expect((await app.inject(`/problems/${other}`)).statusCode).toBe(404)
  await app.close()
})
