/** The program's own routes: health, metrics, the list of problems, log-in by a one-time link. */
import type { FastifySchema } from 'fastify'
import type { Registry } from 'prom-client'
import { z } from 'zod'
import { Rejected } from '../../engine/decider.ts'
import { type App, notFound } from '../../engine/http.ts'
import { type AsyncApi, asyncApi } from './asyncapi.ts'
import { type Auth, LOGIN_MS, SESSION_COOKIE, SESSION_SECONDS } from './auth.ts'
import { catalogue } from './problem-catalogue.ts'

/** Resolves when the thing is ready, perhaps with a note; otherwise rejects, or resolves to what is wrong and what to do. */
export type Check = () => Promise<string | { note: string } | undefined>

export interface OperationParts {
  auth: Auth
  metrics: Registry
  version: string
  /** What must hold for requests to be served: database, schema, consumers. */
  checks: Record<string, Check>
}

const CHECK_MS = 2_000

export function operationRoutes({ auth, metrics, version, checks }: OperationParts): (app: App) => void {
  return (app) => {
    health(app, checks, version)
    login(app, auth)
    app.get(
      '/metrics',
      { schema: { summary: 'Metrics for Prometheus', tags: ['operations'] } },
      async (_request, reply) => {
        return reply
          .type(metrics.contentType)
          .serializer(String)
          .send(await metrics.metrics())
      },
    )
    let events: AsyncApi | undefined
    app.get(
      '/asyncapi.json',
      { schema: { summary: 'The contracts of all events (AsyncAPI 3.0)', tags: ['operations'] } },
      async (_request, reply) => reply.header('cache-control', 'no-cache').send((events ??= asyncApi(version))),
    )
    app.get('/problems', { schema: { summary: 'Every problem by name', tags: ['operations'] } }, async () => ({
      items: Object.entries(catalogue).map(([code, entry]) => ({ type: `/problems/${code}`, code, ...entry })),
    }))
    app.get(
      '/problems/:code',
      {
        schema: {
          params: z.strictObject({ code: z.string() }),
          summary: 'What a problem means and what to do',
          tags: ['operations'],
        },
      },
      async ({ params: { code } }) => {
        const entry = Object.hasOwn(catalogue, code) ? catalogue[code] : undefined
        if (!entry) throw notFound('problem', code)
        return { type: `/problems/${code}`, code, ...entry }
      },
    )
    app.get('/', { schema: hidden }, async (_request, reply) => reply.redirect('/docs', 302))
  }
}

const hidden = { hide: true } as FastifySchema

function health(app: App, checks: Record<string, Check>, version: string): void {
  // A probe that brings a parameter of its own must not end the process.
  const config = { anyQuery: true }
  app.get('/health/live', { schema: { summary: 'Is the process alive', tags: ['operations'] }, config }, async () => ({
    status: 'live',
    version,
  }))
  app.get(
    '/health/ready',
    { schema: { summary: 'Can requests be served; if not, what is missing', tags: ['operations'] }, config },
    async () => {
      const results = await Promise.all(
        Object.entries(checks).map(async ([name, check]) => ({ name, wrong: await wrongWith(check) })),
      )
      const told = Object.fromEntries(results.map(({ name, wrong }) => [name, noted(wrong)]))
      const missing = results.filter(({ wrong }) => typeof wrong === 'string')
      if (missing.length === 0) return { status: 'ready', checks: told }
      throw new Rejected(
        'not-ready',
        { checks: told },
        missing.map(({ name, wrong }) => `${name}: ${wrong}`).join('; '),
      )
    },
  )
}

const noted = (found: Awaited<ReturnType<Check>>) => (typeof found === 'object' ? found.note : (found ?? 'ok'))

async function wrongWith(check: Check): ReturnType<Check> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, CHECK_MS, `no answer within ${CHECK_MS / 1_000} s`)
  })
  try {
    return await Promise.race([check(), late])
  } catch {
    return 'not reachable'
  } finally {
    clearTimeout(timer)
  }
}

function login(app: App, auth: Auth): void {
  const schema = { ...hidden, params: z.strictObject({ code: z.string().max(100) }) }
  // No HEAD: a link checker would use the code up.
  app.get('/login/:code', { schema, exposeHeadRoute: false }, async (request, reply) => {
    reply.header('cache-control', 'no-store')
    if (!auth.redeem(request.params.code)) {
      // Whoever it let in may open it again, as by going back.
      if (request.actor?.roles.includes('ADMIN')) return reply.redirect('/', 303)
      throw new Rejected('login-used')
    }
    const token = await auth.issueToken({ role: 'ADMIN', subject: 'admin', ttlSeconds: SESSION_SECONDS })
    return reply
      .setCookie(SESSION_COOKIE, token, {
        path: '/',
        httpOnly: true,
        sameSite: 'strict',
        secure: request.protocol === 'https',
        maxAge: SESSION_SECONDS,
      })
      .redirect('/', 303)
  })
  app.post(
    '/logins',
    {
      schema: {
        response: { 201: z.object({ path: z.string(), expiresAt: z.string() }) },
        summary: 'A new log-in link for a browser: works once, here, as ADMIN',
        tags: ['operations'],
      },
      config: { roles: ['ADMIN'] },
    },
    async (_request, reply) => {
      const expiresAt = new Date(Date.now() + LOGIN_MS).toISOString()
      reply.code(201).header('cache-control', 'no-store')
      return { path: `/login/${auth.createLogin()}`, expiresAt }
    },
  )
}
