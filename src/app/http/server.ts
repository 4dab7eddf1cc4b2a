/** The HTTP server: limits and time-outs, JSON in, problems out, who may call what, and every service's routes. */
import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import cookie from '@fastify/cookie'
import rateLimit from '@fastify/rate-limit'
import Fastify, { errorCodes, type FastifyReply, type FastifyRequest, LogController, type RouteOptions } from 'fastify'
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Logger } from 'pino'
import { Histogram, type Registry } from 'prom-client'
import { z } from 'zod'
import { Rejected } from '../../engine/decider.ts'
import { type App, correlationOf, invalidRequest } from '../../engine/http.ts'
import type { Service } from '../../engine/service.ts'
import { wording } from '../../engine/wording.ts'
import type { Auth } from './auth.ts'
import { readJson } from './json.ts'
import { openApi } from './openapi.ts'
import { anyQuery, queryCheck } from './parameters.ts'
import { catalogue } from './problem-catalogue.ts'
import { answerProblem, problemOf } from './problems.ts'

z.config({ localeError: wording })

export interface HttpSettings {
  /** Requests a second and address; 0 for no limit. */
  rateLimit: number
  /** Addresses or networks of proxies whose X-Forwarded-For is believed. */
  trustedProxies?: string[]
  /** A whole request must have arrived by then. */
  requestTimeoutMs: number
  /** A request's headers must have arrived by then. */
  headersTimeoutMs: number
  /** A connection on which nothing moves is closed. */
  connectionTimeoutMs: number
  keepAliveTimeoutMs: number
  /** An answer must have been given by then. */
  handlerTimeoutMs: number
}

export const httpDefaults: HttpSettings = {
  rateLimit: 0,
  requestTimeoutMs: 15_000,
  headersTimeoutMs: 10_000,
  connectionTimeoutMs: 30_000,
  keepAliveTimeoutMs: 72_000,
  handlerTimeoutMs: 10_000,
}

export interface ServerParts {
  settings: HttpSettings
  auth: Auth
  log: Logger
  metrics: Registry
  version: string
  /** Whose `routes` are mounted; the program's own (operations, log-in) come as one more. */
  services: readonly Pick<Service<App>, 'name' | 'routes'>[]
}

/** A route as it was registered; `roles` undefined means anybody. */
export interface RouteEntry {
  method: string
  url: string
  roles: readonly string[] | undefined
  /** Whether parameters that it does not know are passed over. */
  anyQuery: boolean
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route, for the Allow header and for tests of who may call what. */
    routeTable: RouteEntry[]
  }
}

const SLOW_MS = 1_000

/** Builds the server; it listens when the caller says so. Every path exists with and without /v1. */
export async function buildServer(parts: ServerParts): Promise<App> {
  const { settings, auth, log } = parts
  const app = Fastify({
    loggerInstance: log as Logger<never>,
    logController: new LogController({ disableRequestLogging: true }),
    // The log lines name the request themselves; a child logger a request is time spent for nothing.
    childLoggerFactory: (logger) => logger,
    bodyLimit: 1_048_576,
    requestTimeout: settings.requestTimeoutMs,
    connectionTimeout: settings.connectionTimeoutMs,
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    http: { headersTimeout: settings.headersTimeoutMs, connectionsCheckingInterval: 1_000, maxHeaderSize: 16_384 },
    trustProxy: settings.trustedProxies?.length ? settings.trustedProxies : false,
    routerOptions: { maxParamLength: 2_000 },
    rewriteUrl: (request) => withoutVersion(request.url ?? '/'),
    genReqId: (request) => requestId(request.headers['x-request-id']),
    frameworkErrors: (error, request, reply) => void answerProblem(error, request, reply),
    clientErrorHandler: answerBrokenRequest,
  }).withTypeProvider<ZodTypeProvider>() as unknown as App

  app.setValidatorCompiler(validatorCompiler)
  // What a handler returns has its schema's type; checking it once more at run time could only turn an answer into an error.
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler(answerProblem)
  app.setNotFoundHandler((request) => {
    throw noSuchRoute(app.routeTable, request)
  })
  readJsonBodies(app)

  app.decorateRequest('actor', undefined)
  app.decorateRequest('correlationId', '')
  app.decorate('routeTable', [])
  app.addHook('onRequest', (request, reply, done) => {
    request.correlationId = correlationOf(request.headers, request.id)
    reply.raw.setHeader('x-request-id', request.id)
    reply.raw.setHeader('x-correlation-id', request.correlationId)
    // All that an answer of data needs; pages have helmet's whole set (openapi.ts), which costs 8 % of a request.
    reply.raw.setHeader('x-content-type-options', 'nosniff')
    reply.raw.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
    done()
  })
  await app.register(cookie)
  if (settings.rateLimit > 0) {
    await app.register(rateLimit, {
      max: settings.rateLimit,
      timeWindow: 1_000,
      errorResponseBuilder: (_, { ttl }) =>
        new Rejected('rate-limited', { retryAfterSeconds: Math.ceil(ttl / 1_000) }, catalogue['rate-limited']?.advice),
    })
  }
  const duration = requestDuration(parts.metrics)
  app.addHook('onRoute', (route) => {
    guard(route, auth)
    hurry(route, settings.handlerTimeoutMs)
    observe(route, duration, log)
    for (const method of [route.method].flat())
      app.routeTable.push({ method, url: route.url, roles: route.config?.roles, anyQuery: anyQuery(route) })
  })
  await openApi(app, { version: parts.version })
  for (const service of parts.services) {
    await app.register(async (scope) => service.routes?.(scope.withTypeProvider<ZodTypeProvider>() as unknown as App))
  }
  return app
}

/** `/v1/products` is `/products`: one route, both names. */
function withoutVersion(url: string): string {
  if (!url.startsWith('/v1')) return url
  const rest = url.slice(3)
  return rest === '' || rest[0] === '?' ? `/${rest}` : rest[0] === '/' ? rest : url
}

const requestId = (given: string | string[] | undefined) =>
  typeof given === 'string' && /^[\w.:+=/-]{1,128}$/.test(given) ? given : randomUUID()

function readJsonBodies(app: App): void {
  app.removeAllContentTypeParsers()
  const types = ['application/json', 'application/merge-patch+json']
  app.addContentTypeParser(types, { parseAs: 'buffer' }, (request: FastifyRequest, body: Buffer, done) => {
    try {
      done(null, bodyOf(request, body))
    } catch (error) {
      done(error as Error)
    }
  })
}

function bodyOf(request: FastifyRequest, body: Buffer): unknown {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    throw new Rejected(
      'unsupported-media-type',
      {},
      `Content-Encoding ${encoding.slice(0, 40)} is not taken: send the body as it is.`,
    )
  if (body.length > 0) return readJson(body)
  const schema = request.routeOptions.schema?.body as z.ZodType | undefined
  if (schema === undefined || schema.safeParse(null).success) return null
  throw invalidRequest({ in: 'json', field: '', message: 'is empty; send a JSON object' })
}

/** Puts the checks of who may call a route, and with which parameters, in front of it, before its body is read. */
function guard(route: RouteOptions, auth: Auth): void {
  const roles = route.config?.roles
  const checkQuery = queryCheck(route)
  const check = async (request: FastifyRequest) => {
    request.actor = await auth.identify(request, { required: roles !== undefined })
    if (roles) auth.permit(request.actor, roles)
    checkQuery?.(request.query)
  }
  route.onRequest = [...[route.onRequest ?? []].flat(), check]
}

/** Fastify's own limit makes and aborts an AbortController a request: a tenth of it. Routes that ask for a signal have that. */
function hurry(route: RouteOptions, ms: number): void {
  if (route.handlerTimeout) return
  const { handler } = route
  route.handler = function (request, reply) {
    const answer = handler.call(this, request, reply)
    if (!(answer instanceof Promise)) return answer
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new errorCodes.FST_ERR_HANDLER_TIMEOUT(ms, route.url)), ms)
      answer.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }
}

function requestDuration(metrics: Registry) {
  return new Histogram({
    name: 'lockstep_http_request_duration_seconds',
    help: "Time from the request's headers to the end of the answer, in seconds.",
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [metrics],
  })
}

function observe(route: RouteOptions, duration: Histogram<'method' | 'route' | 'status'>, log: Logger): void {
  const { url } = route
  const hook = (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    const ms = reply.elapsedTime
    duration.observe({ method: request.method, route: url, status: reply.statusCode }, ms / 1_000)
    // A stream lasts as long as its reader stays.
    if (ms > SLOW_MS && !String(reply.raw.getHeader('content-type')).startsWith('text/event-stream'))
      log.warn({ requestId: request.id, method: request.method, route: url, ms: Math.round(ms) }, 'slow request')
    done()
  }
  route.onResponse = [...[route.onResponse ?? []].flat(), hook]
}

/** 405 with what would be allowed when the path is one of ours, else 404. */
function noSuchRoute(routes: readonly RouteEntry[], request: FastifyRequest): Rejected {
  const path = request.url.split('?', 1)[0] ?? ''
  const allow = [...new Set(routes.filter((route) => fits(route.url, path)).map((route) => route.method))].sort()
  const shown = JSON.stringify(request.originalUrl.split('?', 1)[0]?.slice(0, 200))
  if (allow.length === 0) return new Rejected('no-such-route', {}, `There is no path ${shown}.`)
  return new Rejected('method-not-allowed', { allow }, `${shown} takes ${allow.join(', ')}, not ${request.method}.`)
}

function fits(pattern: string, path: string): boolean {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.at(-1) === '*') return false
  return (
    wanted.length === given.length &&
    wanted.every((part, n) => part === given[n] || (part.startsWith(':') && given[n] !== ''))
  )
}

/** Answers what never became a request: broken HTTP, headers too large or too slow. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const code =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers-too-large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request-timeout'
        : 'invalid-request'
  const problem = problemOf(
    { code, ...(code === 'invalid-request' && { detail: 'This is not HTTP we understand.' }) },
    { id: randomUUID(), originalUrl: '' },
  )
  const body = JSON.stringify(problem)
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
