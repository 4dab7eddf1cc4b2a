import { createHmac, generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { exportJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { roles } from './auth.ts'
import { type TestServer, testSecret, testServer } from './server-testing.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
const asked: string[] = []
const issuer = createServer(async (request, response) => {
  asked.push(request.url ?? '')
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ keys: [{ ...(await exportJWK(rsa.publicKey)), kid: 'k1', alg: 'RS256' }] }))
})
let server: TestServer
let base: string

beforeAll(async () => {
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(issuer.address() as { port: number }).port}`
  server = await testServer({ jwksUrl: `${base}/jwks` })
})
afterAll(async () => {
  await server.app.close()
  issuer.close()
})

const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
const now = () => Math.floor(Date.now() / 1_000)
const good = () => ({ sub: 'me', role: 'ADMIN', iss: 'lockstep', aud: 'lockstep', iat: now(), exp: now() + 60 })

/** A token signed with a secret, whatever its header and claims say. */
function hmac(header: object, claims: unknown, secret: string | Buffer = testSecret): string {
  const body = `${encode(header)}.${encode(claims)}`
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
}

const rs256 = (claims: object, key = rsa.privateKey, header: object = {}) =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: 'RS256', kid: 'k1', ...header }).sign(key)

async function call(token: string) {
  const response = await server.app.inject({
    url: '/products/1/inventory',
    headers: { authorization: `Bearer ${token}` },
  })
  return { status: response.statusCode, body: response.json(), headers: response.headers }
}

test('a token of ours and one of the issuer with known keys are taken, with a role or a list of roles', async () => {
  expect((await call(hmac({ alg: 'HS256' }, good()))).body.actor).toEqual({ subject: 'me', roles: ['ADMIN'] })
  expect(
    (await call(hmac({ alg: 'HS256' }, { ...good(), role: undefined, roles: ['x', 'product-service'] }))).status,
  ).toBe(200)
  expect((await call(await rs256({ ...good(), iss: 'https://issuer.example' }))).status).toBe(200)
})

const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
const hostile: [string, () => string | Promise<string>][] = [
  ['of no algorithm', () => `${encode({ alg: 'none' })}.${encode(good())}.`],
  ['of no algorithm, oddly spelled', () => `${encode({ alg: 'nOnE' })}.${encode(good())}.`],
  ['with a public RSA key as HMAC secret', () => hmac({ alg: 'HS256', kid: 'k1' }, good(), pem.toString())],
  ['signed with another secret', () => hmac({ alg: 'HS256' }, good(), 'x'.repeat(40))],
  ['signed HS512', () => hmac({ alg: 'HS512' }, good())],
  ['whose signature was cut off', () => hmac({ alg: 'HS256' }, good()).replace(/\.[^.]*$/, '.')],
  [
    'whose claims were changed',
    () => hmac({ alg: 'HS256' }, { ...good(), role: 'none' }).replace(/\.[^.]*\./, `.${encode(good())}.`),
  ],
  ['that expired', () => hmac({ alg: 'HS256' }, { ...good(), exp: now() - 10 })],
  ['without an expiry', () => hmac({ alg: 'HS256' }, { ...good(), exp: undefined })],
  ['whose expiry is text', () => hmac({ alg: 'HS256' }, { ...good(), exp: 'never' })],
  ['not yet valid', () => hmac({ alg: 'HS256' }, { ...good(), nbf: now() + 60 })],
  ['issued in the future', () => hmac({ alg: 'HS256' }, { ...good(), iat: now() + 3_600 })],
  ['of another issuer', () => hmac({ alg: 'HS256' }, { ...good(), iss: 'somebody' })],
  ['for another audience', () => hmac({ alg: 'HS256' }, { ...good(), aud: 'elsewhere' })],
  ['with a claim twice', () => hmac({ alg: 'HS256' }, JSON.stringify(good()).replace('{', '{"role":"guest",'))],
  [
    'with roles that are no text',
    () => hmac({ alg: 'HS256' }, { ...good(), role: undefined, roles: [{ name: 'ADMIN' }] }),
  ],
  ['that names nobody', () => hmac({ alg: 'HS256' }, { ...good(), sub: undefined })],
  ['with a kid that is a path', () => hmac({ alg: 'HS256', kid: '../../dev/null' }, good(), '')],
  [
    'with a jku',
    () =>
      rs256({ ...good(), iss: 'https://issuer.example' }, stranger.privateKey, { jku: `${base}/evil`, kid: 'evil' }),
  ],
  [
    'with an x5u',
    () => rs256({ ...good(), iss: 'https://issuer.example' }, stranger.privateKey, { x5u: `${base}/evil` }),
  ],
  [
    'that brings its own key',
    async () =>
      rs256({ ...good(), iss: 'https://issuer.example' }, stranger.privateKey, {
        jwk: await exportJWK(stranger.publicKey),
      }),
  ],
  ['of the issuer, but for another issuer', () => rs256({ ...good(), iss: 'https://other.example' })],
  ['that is no token', () => 'nonsense'],
  ['of four parts', () => `${hmac({ alg: 'HS256' }, good())}.x`],
  ['of 100 kB', () => hmac({ alg: 'HS256' }, { ...good(), filler: 'x'.repeat(10_000) })],
]

test.each(hostile)('a token %s is 401, and nobody but the configured issuer is asked', async (_, make) => {
  const { status, body, headers } = await call(await make())
  expect(status).toBe(401)
  expect(body.type).toBe('/problems/unauthenticated')
  expect(headers['www-authenticate']).toContain('Bearer')
  expect(asked.filter((url) => url !== '/jwks')).toEqual([])
})

test('a token that was good is refused once it has expired, cached or not', async () => {
  const token = hmac({ alg: 'HS256' }, { ...good(), exp: now() })
  expect((await call(token)).status).toBe(200)
  await expect.poll(async () => (await call(token)).status).toBe(401)
})

test('keys that can not be fetched are 503, not 401', async () => {
  const lonely = await testServer({ jwksUrl: 'http://127.0.0.1:9/jwks' })
  const token = await rs256({ ...good(), iss: 'https://issuer.example' })
  const response = await lonely.app.inject({
    url: '/products/1/inventory',
    headers: { authorization: `Bearer ${token}` },
  })
  expect(response.statusCode).toBe(503)
  await lonely.app.close()
})

test('each route lets in exactly its roles and ADMIN', async () => {
  for (const { method, url, roles: allowed } of server.app.routeTable) {
    if (allowed === undefined || method === 'HEAD') continue
    const path = url.replace(':id', '1')
    const inject = (headers: Record<string, string>) =>
      server.app.inject({ method: method as 'GET', url: path, headers })
    expect((await inject({})).statusCode, `${method} ${url} without a token`).toBe(401)
    for (const role of roles) {
      const { statusCode } = await inject({ authorization: `Bearer ${await server.token(role)}` })
      const may = role === 'ADMIN' || allowed.includes(role)
      expect(statusCode === 403, `${method} ${url} as ${role}: ${statusCode}`).toBe(!may)
    }
  }
})

test('HEAD is guarded like GET', async () => {
  expect((await server.app.inject({ method: 'HEAD', url: '/products/1/inventory' })).statusCode).toBe(401)
})

test('a log-in link works once, and its cookie is the session', async () => {
  const code = server.auth.createLogin()
  expect((await server.app.inject({ method: 'HEAD', url: `/login/${code}` })).statusCode).toBe(405)
  const first = await server.app.inject(`/login/${code}`)
  expect(first.statusCode).toBe(303)
  const [session] = first.cookies
  expect(session).toMatchObject({ name: 'lockstep_session', httpOnly: true, sameSite: 'Strict', path: '/' })
  expect((await server.app.inject(`/login/${code}`)).json().type).toBe('/problems/login-used')
  expect((await server.app.inject('/login/made-up')).statusCode).toBe(410)

  const cookies = { lockstep_session: session?.value ?? '' }
  const again = await server.app.inject({ url: `/login/${code}`, cookies })
  expect([again.statusCode, again.headers.location, again.cookies]).toEqual([303, '/', []])
  expect((await server.app.inject({ url: '/products/1/inventory', cookies })).statusCode).toBe(200)
  const post = { method: 'POST', url: '/dead-letters/1/retry', cookies } as const
  expect(
    (await server.app.inject({ ...post, headers: { host: 'here:4000', origin: 'http://here:4000' } })).statusCode,
  ).toBe(200)
  expect(
    (await server.app.inject({ ...post, headers: { host: 'here:4000', origin: 'http://here:3000' } })).statusCode,
  ).toBe(401)
})

test('what is public stays so with an old cookie, but a bad bearer token is always refused', async () => {
  const cookies = { lockstep_session: 'old' }
  expect((await server.app.inject({ url: '/products/1', cookies })).statusCode).toBe(200)
  expect((await server.app.inject({ url: '/products/1/inventory', cookies })).statusCode).toBe(401)
  expect((await server.app.inject({ url: '/products/1', headers: { authorization: 'Bearer old' } })).statusCode).toBe(
    401,
  )
})
