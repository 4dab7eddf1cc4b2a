import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { chapters } from './docs-page.ts'
import { type TestServer, testServer } from './server-testing.ts'

let server: TestServer
let admin: Record<string, string>

beforeAll(async () => {
  server = await testServer({
    settings: { headersTimeoutMs: 300, requestTimeoutMs: 600, handlerTimeoutMs: 300 },
    routes(app) {
      app.get('/never', () => new Promise(() => {}))
      app.post('/never', () => new Promise(() => {}))
    },
  })
  admin = { authorization: `Bearer ${await server.token()}`, 'content-type': 'application/json' }
  await server.app.listen({ port: 0, host: '127.0.0.1' })
})
afterAll(() => server.app.close())

const order = (body: string | Buffer, headers: Record<string, string> = {}) =>
  server.app.inject({ method: 'POST', url: '/v1/orders', headers: { ...admin, ...headers }, payload: body })
const oneLine = (quantity: unknown = 1) => JSON.stringify({ lines: [{ sku: 'KIT-1', quantity }] })

test('every path exists with and without /v1', async () => {
  for (const prefix of ['', '/v1']) {
    expect((await server.app.inject(`${prefix}/products/KIT-1`)).json()).toEqual({ id: 'KIT-1' })
    expect((await server.app.inject(`${prefix}/health/ready`)).json()).toEqual({
      status: 'ready',
      checks: { database: 'ok' },
    })
  }
  for (const other of ['/v1/v1/products', '/v2/products', '/v1products', '//products']) {
    expect((await server.app.inject(other)).json().type, other).toBe('/problems/no-such-route')
  }
})

test('an unknown path is 404, a known one with another method is 405 that says which would do', async () => {
  expect((await server.app.inject('/nothing')).json()).toMatchObject({ status: 404, type: '/problems/no-such-route' })
  for (const method of ['PUT', 'DELETE', 'OPTIONS', 'TRACE'] as const) {
    const response = await server.app.inject({ method: method as 'PUT', url: '/v1/products/1' })
    expect(response.statusCode, method).toBe(405)
    expect(response.headers.allow).toBe('GET, HEAD')
  }
})

test('every answer names its request and its correlation', async () => {
  const given = await server.app.inject({
    url: '/products/1',
    headers: { 'x-request-id': 'r-1', 'x-correlation-id': 'c-1' },
  })
  expect(given.headers).toMatchObject({ 'x-request-id': 'r-1', 'x-correlation-id': 'c-1' })
  const evil = await server.app.inject({
    url: '/nothing',
    headers: { 'x-request-id': 'a b<script>', 'x-correlation-id': 'x'.repeat(5_000) },
  })
  expect(evil.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  expect(evil.headers['x-correlation-id']).toBe(evil.headers['x-request-id'])
  expect(evil.json().requestId).toBe(evil.headers['x-request-id'])
})

test('a command hears of its key, its actor, its correlation and the version its caller saw', async () => {
  const response = await order(oneLine(), { 'idempotency-key': 'k-1', 'if-match': '"4"', 'x-correlation-id': 'c-1' })
  expect(response.json().options).toEqual({
    key: 'k-1',
    fingerprint: `POST /orders ${oneLine()}`,
    actor: 'tester',
    correlationId: 'c-1',
    expect: { entity: 'order/1', version: 4 },
  })
})

test.each([
  ['If-Match', '7'],
  ['If-Match', '"x"'],
  ['If-Match', '"1", "2"'],
  ['Idempotency-Key', 'x'.repeat(256)],
  ['Idempotency-Key', 'ключ'],
  ['Idempotency-Key', ' '],
])('the header %s: %s is refused by name', async (field, value) => {
  const response = await order(oneLine(), { [field.toLowerCase()]: Buffer.from(value).toString('latin1') })
  expect(response.statusCode).toBe(400)
  expect(response.json().errors).toMatchObject([{ in: 'header', field }])
})

test.each([
  0,
  -1,
  1.5,
  1e20,
  '1',
  null,
  [1],
  { $gt: '' },
])('a quantity of %j is 422 and the problem names the field', async (quantity) => {
  const response = await order(oneLine(quantity))
  expect(response.statusCode).toBe(422)
  expect(response.json().errors[0]).toMatchObject({ in: 'body', field: 'lines.0.quantity' })
})

test.each([
  ['an unknown field', '{"lines":[{"sku":"A","quantity":1,"price":0}],"admin":true}', 422, 'lines.0.price'],
  ['no lines', '{"lines":[]}', 422, 'lines'],
  ['a SKU that is a path', '{"lines":[{"sku":"../../etc/passwd","quantity":1}]}', 422, 'lines.0.sku'],
  ['a SKU that is SQL', `{"lines":[{"sku":"'; drop table orders; --","quantity":1}]}`, 422, 'lines.0.sku'],
  ['a list', '[]', 422, ''],
  ['a key twice', '{"lines":[{"sku":"A","quantity":1,"quantity":2}]}', 400, 'lines.0.quantity'],
  ['NUL', '{"note":"a\\u0000b","lines":[{"sku":"A","quantity":1}]}', 400, 'note'],
  ['a lone surrogate', '{"note":"\\ud800","lines":[{"sku":"A","quantity":1}]}', 400, 'note'],
  ['__proto__', '{"__proto__":{"polluted":1},"lines":[{"sku":"A","quantity":1}]}', 400, '__proto__'],
  ['1e999', '{"lines":[{"sku":"A","quantity":1e999}]}', 400, 'lines.0.quantity'],
  ['a depth of 100,000', '['.repeat(100_000) + ']'.repeat(100_000), 400, '0.0.0.0'],
  ['nothing', '', 400, ''],
  ['half of it', '{"lines":', 400, ''],
])('a body with %s is refused and the problem names the field', async (_, body, status, field) => {
  const response = await order(body)
  expect(response.statusCode).toBe(status)
  expect(response.json()).toMatchObject({ type: '/problems/invalid-request', status })
  expect(response.json().errors.map((error: { field: string }) => error.field)).toContain(field)
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})

test('other content types and encodings are 415', async () => {
  const refused: Record<string, string>[] = [
    { 'content-type': 'text/plain' },
    { 'content-type': 'text/xml' },
    { 'content-type': 'nonsense' },
    { 'content-encoding': 'gzip' },
  ]
  for (const headers of refused) {
    expect((await order(oneLine(), headers)).json(), JSON.stringify(headers)).toMatchObject({
      status: 415,
      type: '/problems/unsupported-media-type',
    })
  }
  const without = await server.app.inject({
    method: 'POST',
    url: '/orders',
    headers: { authorization: admin.authorization },
    payload: Buffer.from(oneLine()),
  })
  expect(without.statusCode).toBe(415)
  expect((await order(oneLine(), { 'content-type': 'application/json; charset=utf-8' })).statusCode).toBe(201)
})

test('a body of 1 MiB is read, one byte more is 413', async () => {
  const filled = (size: number) => `${oneLine()}${' '.repeat(size - oneLine().length)}`
  expect((await order(filled(1_048_576))).statusCode).toBe(201)
  expect((await order(filled(1_048_577))).json()).toMatchObject({ status: 413, type: '/problems/too-large' })
})

test('an id in the path that is a path, has NUL, or is too long is 400, a broken escape too', async () => {
  for (const id of ['%00', 'a%2Fb', '..%2f..%2fetc', "1'%3B--", 'x'.repeat(201), '%zz', '%c0%af']) {
    const response = await server.app.inject(`/products/${id}`)
    expect(response.statusCode, id).toBe(400)
    expect(response.json().errors[0].in).toBe('path')
  }
  expect((await server.app.inject(`/products/${'x'.repeat(5_000)}`)).statusCode).toBe(400)
})

test('what a query may not hold is 400 and named', async () => {
  for (const query of [
    'limit=0',
    'limit=abc',
    'limit=1e9',
    'limit=1&limit=2',
    '__proto__=1',
    'a[__proto__][x]=1',
    'constructor[prototype][x]=1',
    'sort=x',
  ]) {
    const response = await server.app.inject(`/products?${query}`)
    expect(response.statusCode, query).toBe(400)
    expect(response.json().errors[0].in).toBe('query')
  }
  expect(({} as { x?: unknown }).x).toBeUndefined()
})

test('a route without a body schema takes an empty body of any claim', async () => {
  const response = await server.app.inject({ method: 'POST', url: '/dead-letters/1/retry', headers: admin })
  expect(response.statusCode).toBe(200)
})

test('an answer that does not come in time is 503: try again for a read, unknown for a write', async () => {
  const read = await server.app.inject('/never')
  expect(read.json()).toMatchObject({ status: 503, type: '/problems/timeout' })
  expect(read.headers['retry-after']).toBe('1')
  expect((await server.app.inject({ method: 'POST', url: '/never' })).json().type).toBe('/problems/outcome-unknown')
})

test('requests beyond the rate are 429 with Retry-After', async () => {
  const limited = await testServer({ settings: { rateLimit: 2 } })
  const answers = [
    await limited.app.inject('/v1/products/1'),
    await limited.app.inject('/products/2'),
    await limited.app.inject('/nothing'),
    await limited.app.inject('/products/1'),
  ]
  expect(answers.map((answer) => answer.statusCode)).toEqual([200, 200, 404, 429])
  expect(answers.at(-1)?.json()).toMatchObject({ type: '/problems/rate-limited' })
  expect(answers.at(-1)?.headers['retry-after']).toBe('1')
  await limited.app.close()
})

test('the API document shows /v1 alone, with who may call, and the page to try it needs nothing from elsewhere', async () => {
  const events = (await server.app.inject('/asyncapi.json')).json()
  expect(events).toMatchObject({ asyncapi: '3.0.0', info: { version: '0.0.0' } })
  expect(Object.keys(events.components.messages)).toContain('stock.updated')
  const document = (await server.app.inject('/openapi.json')).json()
  expect(document.openapi).toBe('3.1.0')
  expect(Object.keys(document.paths)).toContain('/v1/orders')
  expect(Object.keys(document.paths).every((path) => path.startsWith('/v1/'))).toBe(true)
  const post = document.paths['/v1/orders'].post
  expect(post.security).toEqual([{ bearer: [] }])
  expect(post.requestBody.content['application/json'].schema.properties.lines.items.properties.quantity).toMatchObject({
    type: 'integer',
    minimum: 1,
  })
  const page = await server.app.inject('/docs/')
  expect(page.statusCode).toBe(200)
  expect(page.body).not.toMatch(/https?:\/\//)
  expect(page.headers['content-security-policy']).toContain("script-src 'self'")
  for (const [name] of page.body.matchAll(/static\/theme\/[\w.]+/g)) {
    expect((await server.app.inject(`/docs/${name}`)).statusCode, name).toBe(200)
  }
})

test('what a path is about is a chapter of the page, with a line on it', async () => {
  const document = (await server.app.inject('/openapi.json')).json()
  const operations = Object.values<Record<string, { tags?: string[] }>>(document.paths).flatMap((path) =>
    Object.values(path),
  )
  const used = new Set(operations.flatMap(({ tags = [] }) => tags))
  expect([...used].filter((name) => !chapters.some((chapter) => chapter.name === name))).toEqual([])
})

/** Sends these over a real socket and answers what came back until the server closed. */
function raw(send: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = server.app.server.address() as { port: number }
    const socket = connect(port, '127.0.0.1', () => send(socket))
    let received = ''
    socket.on('data', (chunk) => (received += chunk))
    socket.on('close', () => resolve(received))
    socket.on('error', (error: { code?: string }) =>
      error.code === 'EPIPE' || error.code === 'ECONNRESET' ? undefined : reject(error),
    )
  })
}
const postHead = () =>
  `POST /orders HTTP/1.1\r\nhost: x\r\nauthorization: ${admin.authorization}\r\ncontent-type: application/json\r\n`

test('headers that drip, a body that drips and a silent connection are closed, and others are served meanwhile', async () => {
  const drip = (head: string) =>
    raw((socket) => {
      socket.write(head)
      const timer = setInterval(() => socket.write('x'), 50)
      socket.on('close', () => clearInterval(timer))
    })
  const slow = Promise.all([
    drip('GET /products/1 HTTP/1.1\r\nx-slow: '),
    drip(`${postHead()}content-length: 1000\r\n\r\n{`),
    raw(() => {}),
  ])
  expect(
    (await fetch(`http://127.0.0.1:${(server.app.server.address() as { port: number }).port}/products/1`)).status,
  ).toBe(200)
  for (const answer of await slow) expect(answer === '' || answer.includes('408')).toBe(true)
})

test('an endless body without a length is cut off at 1 MiB', async () => {
  const answer = await raw((socket) => {
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`
    socket.write(`${postHead()}transfer-encoding: chunked\r\n\r\n`)
    let sent = 0
    const more = () => {
      while (!socket.destroyed && sent++ < 2_000 && socket.write(chunk));
    }
    socket.on('drain', more)
    more()
  })
  expect(answer).toMatch(/^HTTP\/1.1 413 /)
  expect(answer).toContain('/problems/too-large')
})

test('headers beyond 16 KiB and what is no HTTP get a problem too', async () => {
  expect(
    await raw((socket) => socket.write(`GET / HTTP/1.1\r\nhost: x\r\ncookie: ${'x'.repeat(20_000)}\r\n\r\n`)),
  ).toMatch(/^HTTP\/1.1 431 .*headers-too-large/s)
  expect(await raw((socket) => socket.write('hello\r\n\r\n'))).toMatch(/^HTTP\/1.1 400 .*invalid-request/s)
  const smuggled = await raw((socket) =>
    socket.write(`${postHead()}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
  )
  expect(smuggled).toMatch(/^HTTP\/1.1 400 /)
})

test('a path that climbs out stays what it is', async () => {
  const answer = await raw((socket) =>
    socket.write('GET /docs/static/..%2f..%2f..%2fpackage.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
  )
  expect(answer).toMatch(/^HTTP\/1.1 40[034] /)
  const dots = await raw((socket) =>
    socket.write('GET /products/%2e%2e HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
  )
  expect(dots).toMatch(/^HTTP\/1.1 400 /)
})

test('what is wrong with a field is said in words: what is missing, of another kind, out of bounds', async () => {
  const send = async (payload: object) =>
    (await server.app.inject({ method: 'POST', url: '/orders', headers: admin, payload })).json().detail
  expect(await send({})).toBe('lines: is missing')
  expect(await send({ lines: 'many' })).toBe('lines: must be a list')
  expect(await send({ lines: [{ quantity: 1 }] })).toBe('lines.0.sku: is missing')
})
