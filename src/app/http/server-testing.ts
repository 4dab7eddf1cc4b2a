/** A server with a few routes of every kind, for the tests of the HTTP edge. */
import pino from 'pino'
import { Registry } from 'prom-client'
import { z } from 'zod'
import { Rejected } from '../../engine/decider.ts'
import { type App, commandOptions, etag, limitQuery } from '../../engine/http.ts'
import { identifier, plainText, quantity } from '../../engine/text.ts'
import { type Auth, openAuth, type Role } from './auth.ts'
import { operationRoutes } from './operations.ts'
import { buildServer, type HttpSettings, httpDefaults } from './server.ts'

export const testSecret = 'a secret of thirty-two bytes at least'

export interface TestServer {
  app: App
  auth: Auth
  token(role?: Role): Promise<string>
  /** Everything logged so far, as text. */
  logged(): string
}

export async function testServer(
  options: {
    settings?: Partial<HttpSettings>
    jwksUrl?: string
    routes?: (app: App, auth: Auth) => void
    shop?: boolean
  } = {},
): Promise<TestServer> {
  const auth = openAuth({ secret: testSecret, jwksUrl: options.jwksUrl, jwksIssuer: 'https://issuer.example' })
  const metrics = new Registry()
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  const operations = operationRoutes({ auth, metrics, version: '0.0.0', checks: { database: async () => undefined } })
  const app = await buildServer({
    settings: { ...httpDefaults, ...options.settings },
    auth,
    log,
    metrics,
    version: '0.0.0',
    services: [
      { name: 'operations', routes: operations },
      ...(options.shop === false ? [] : [{ name: 'shop', routes: shopRoutes }]),
      { name: 'more', routes: (app: App) => options.routes?.(app, auth) },
    ],
  })
  return {
    app,
    auth,
    token: (role = 'ADMIN') => auth.issueToken({ role, subject: 'tester', ttlSeconds: 60 }),
    logged: () => lines.join(''),
  }
}

const order = z.strictObject({
  orderId: identifier.optional(),
  note: plainText(200).optional(),
  lines: z
    .array(z.strictObject({ sku: identifier, quantity }))
    .min(1)
    .max(100),
})

function shopRoutes(app: App): void {
  const admin = { roles: ['ADMIN'] }
  app.get('/products', { schema: { querystring: z.strictObject(limitQuery()) } }, async (request) => request.query)
  app.get('/products/:id', { schema: { params: z.strictObject({ id: identifier }) } }, async (request, reply) => {
    reply.header('etag', etag(7))
    return { id: request.params.id }
  })
  app.get(
    '/products/:id/inventory',
    { schema: { params: z.strictObject({ id: identifier }) }, config: { roles: ['product-service'] } },
    async (request) => ({ id: request.params.id, actor: request.actor }),
  )
  app.post(
    '/orders',
    { schema: { body: order, summary: 'Take an order', tags: ['orders'] }, config: admin },
    async (request, reply) => {
      const [line] = request.body.lines
      if (line?.sku === 'SOLD-OUT')
        throw new Rejected('insufficient-stock', { lines: [{ sku: line.sku, wanted: line.quantity, available: 0 }] })
      if (line?.sku === 'BUG') throw new Error('select secret from passwords')
      return reply.code(201).send({ body: request.body, options: commandOptions(request, 'order/1') })
    },
  )
  app.post(
    '/dead-letters/:id/retry',
    { schema: { params: z.strictObject({ id: identifier }) }, config: admin },
    async (request) => ({
      id: request.params.id,
    }),
  )
}
