/** Turns whatever was thrown into an RFC 9457 problem: the one place that knows which broken rule is which HTTP status. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { isConnectionLoss, isInfrastructure } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import type { FieldError, RequestPart } from '../../engine/http.ts'
import { OutcomeUnknown, Unavailable } from '../../engine/unavailable.ts'
import { catalogue } from './problem-catalogue.ts'
import { fieldsAt, unknownName } from './unknown-names.ts'

export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  instance: string
  requestId: string
  errors?: FieldError[]
  [extension: string]: unknown
}

/** A refusal before a problem is made of it. */
interface Refusal {
  code: string
  detail?: string
  extensions?: Record<string, unknown>
  /** Only where the catalogue's status is not the one. */
  status?: number
  headers?: Record<string, string>
}

/** Fastify's error handler. Answers a problem; what is our fault (500) is logged with the request's id and told as nothing but that. */
export function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = refusalOf(error, request)
  const problem = problemOf(refusal, request)
  if (problem.status === 500)
    request.log.error(
      { err: error, requestId: request.id, method: request.method, route: request.routeOptions.url },
      'request failed',
    )
  return reply
    .code(problem.status)
    .headers(refusal.headers ?? {})
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(problem)
}

export function problemOf(refusal: Refusal, request: Pick<FastifyRequest, 'id' | 'originalUrl'>): Problem {
  const entry = catalogue[refusal.code]
  const standard = {
    type: `/problems/${refusal.code}`,
    title: entry?.title ?? sentence(refusal.code),
    status: refusal.status ?? entry?.status ?? 409,
    detail: refusal.detail ?? entry?.advice ?? sentence(refusal.code),
    instance: request.originalUrl.slice(0, 500),
    requestId: request.id,
  }
  return { ...standard, ...refusal.extensions, ...standard }
}

const sentence = (code: string) => code.charAt(0).toUpperCase() + code.slice(1).replaceAll('-', ' ')

function refusalOf(error: unknown, request: FastifyRequest): Refusal {
  if (error instanceof Rejected) return rejection(error)
  if (error instanceof OutcomeUnknown) return later('outcome-unknown', error.retryAfterSeconds)
  if (error instanceof Unavailable)
    return { ...later('unavailable', error.retryAfterSeconds, error.message), extensions: error.detail }
  if (!(error instanceof Error)) return { code: 'internal' }
  const { code, validation, validationContext } = error as FastifyError & { code?: string }
  if (validation) {
    const part = partOf[validationContext ?? ''] ?? 'body'
    return part === 'body' && request.body == null
      ? one('json', '', 'is missing; send a JSON object')
      : fields(validation, part, {
          value: part === 'body' ? request.body : part === 'query' ? request.query : undefined,
          schema: part === 'body' ? request.routeOptions.schema?.body : undefined,
        })
  }
  return framework[code ?? '']?.(error, request) ?? database(error, request) ?? { code: 'internal' }
}

function rejection(error: Rejected): Refusal {
  // A message that only repeats the code says less than the catalogue does.
  const told = error.message !== error.code.replaceAll('-', ' ')
  const refusal: Refusal = { code: error.code, extensions: error.detail, ...(told && { detail: error.message }) }
  if (error.code === 'invalid-request') {
    const errors: FieldError[] = error.detail.errors ?? []
    return { ...refusal, detail: errors.length > 0 ? summary(errors) : error.message, status: statusOf(errors) }
  }
  if (error.code === 'unauthenticated') refusal.headers = { 'www-authenticate': 'Bearer realm="lockstep"' }
  if (Array.isArray(error.detail.allow)) refusal.headers = { allow: error.detail.allow.join(', ') }
  const wait = catalogue[error.code]?.retryAfterSeconds
  if (wait !== undefined) refusal.headers = { 'retry-after': String(error.detail.retryAfterSeconds ?? wait) }
  return refusal
}

const later = (code: string, seconds: number, detail?: string): Refusal => ({
  code,
  detail,
  headers: { 'retry-after': String(seconds) },
})

const partOf: Record<string, RequestPart> = { body: 'body', params: 'path', querystring: 'query', headers: 'header' }

/** A body that is JSON but not what was asked for is 422; anything else wrong with a request is 400. */
const statusOf = (errors: FieldError[]) =>
  errors.length > 0 && errors.every((error) => error.in === 'body') ? 422 : 400

const summary = (errors: FieldError[]) => {
  const shown = errors
    .slice(0, 3)
    .map((error) => `${error.field || `the ${error.in === 'json' ? 'body' : error.in}`}: ${error.message}`)
  return errors.length > 3 ? `${shown.join('; ')}; and ${errors.length - 3} more` : shown.join('; ')
}

/** Zod's issues as fields: `lines.0.quantity`. An unknown field is named itself, not the object it was found in; what is not given is missing. */
function fields(
  validation: NonNullable<FastifyError['validation']>,
  part: RequestPart,
  { value: given, schema }: { value: unknown; schema: unknown },
): Refusal {
  const errors = validation.flatMap((issue): FieldError[] => {
    const field = issue.instancePath.slice(1).replaceAll('/', '.')
    const unknown = issue.keyword === 'unrecognized_keys' ? issue.params?.keys : undefined
    if (Array.isArray(unknown)) {
      const known = fieldsAt(schema, field === '' ? [] : field.split('.'))
      return unknown.slice(0, 20).map((key) => ({
        in: part,
        field: clip(field === '' ? String(key) : `${field}.${key}`),
        message: known ? unknownName(String(key), 'field', known) : 'is not a field of this',
      }))
    }
    const missing =
      issue.keyword === 'invalid_type' && given !== undefined && field !== '' && at(given, field) === undefined
    // Such a parameter may come more than once only where its schema says so.
    const twice = part === 'query' && /^invalid_(type|value)$/.test(issue.keyword) && Array.isArray(at(given, field))
    if (twice) return [{ in: part, field: clip(field), message: 'is given more than once' }]
    return [{ in: part, field: clip(field), message: missing ? 'is missing' : (issue.message ?? 'is not valid') }]
  })
  const some = errors.slice(0, 50)
  return { code: 'invalid-request', detail: summary(errors), extensions: { errors: some }, status: statusOf(errors) }
}

/** What stands at `lines.0.quantity`. */
const at = (value: unknown, field: string): unknown =>
  field
    .split('.')
    .reduce<unknown>((within, name) => (within as Record<string, unknown> | null | undefined)?.[name], value)

const clip = (text: string) => (text.length > 200 ? `${text.slice(0, 200).toWellFormed()}…` : text)

/** What Fastify itself refuses, by its error code. */
const framework: Record<string, (error: Error, request: FastifyRequest) => Refusal> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => ({ code: 'too-large' }),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => ({ code: 'unsupported-media-type' }),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => one('header', 'Content-Length', 'does not match the body'),
  FST_ERR_MAX_PARAM_LENGTH: () => one('path', '', 'has a part that is too long'),
  FST_ERR_BAD_URL: () => one('path', '', 'is not a valid percent-encoded path'),
  FST_ERR_HANDLER_TIMEOUT: (_, request) => (safe(request) ? later('timeout', 1) : later('outcome-unknown', 1)),
}

const one = (part: RequestPart, field: string, message: string): Refusal => ({
  code: 'invalid-request',
  detail: summary([{ in: part, field, message }]),
  extensions: { errors: [{ in: part, field, message }] },
  status: 400,
})

const safe = (request: FastifyRequest) => request.method === 'GET' || request.method === 'HEAD'

/** What Postgres or the way to it says. */
function database(error: Error, request: FastifyRequest): Refusal | undefined {
  const code = String((error as { code?: unknown }).code ?? '')
  if (code === '22021' || code === '22P05') return one('json', '', 'contains text that the database can not keep')
  if (code === '53100') return later('unavailable', 5, 'The database has no disk space left.')
  // 25006: a write on a primary of the past.
  if (!isInfrastructure(error) && code !== '25006') return undefined
  // Only an executor knows that nothing was done. Whatever else finds no connection may be the reading of what was just written; a read is simply repeated.
  const unknown = (isConnectionLoss(error) || neverConnected(code, error.message)) && !safe(request)
  return later(unknown ? 'outcome-unknown' : 'unavailable', 1)
}

const neverConnected = (code: string, message: string) =>
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOST|ENET|57P03|08001|08004|53300)/.test(code) ||
  /timeout exceeded when trying to connect/.test(message)
