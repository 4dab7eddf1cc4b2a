/** What a service's routes share with the HTTP server that carries them: types, the headers of a command, entity tags, pages. */
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { Rejected } from './decider.ts'
import type { CommandOptions } from './executor.ts'

/**
 * The server, as `Service.routes(app)` gets it: schemas are Zod objects, and `request.params` and so on have their types. A response's
 * schema is for the types and the API document: it is not checked again at run time, and nothing is stripped.
 */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** Who acts: the verified token's subject and roles. */
export interface Actor {
  subject: string
  roles: readonly string[]
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined on a public route without a token. */
    actor: Actor | undefined
    /** One id from this request to every consequence; echoed as `x-correlation-id`. */
    correlationId: string
  }
  interface FastifyContextConfig {
    /** Who may call the route, besides ADMIN who may call all. Absent: anybody. */
    roles?: readonly string[]
    /** Parameters it does not know are passed over: it is opened by links and probes that add their own. Absent: they are refused. */
    anyQuery?: boolean
  }
}

/** Which part of a request a field is in. `json` is the body's text (400), `body` what it says (422); the others are 400. */
export type RequestPart = 'json' | 'body' | 'path' | 'query' | 'header'

/** One field that can't be taken. */
export interface FieldError {
  in: RequestPart
  field: string
  message: string
}

/** The refusal of a request for the fields named. */
export const invalidRequest = (...errors: FieldError[]) =>
  new Rejected('invalid-request', { errors }, errors.map((error) => `${error.field}: ${error.message}`).join('; '))

/** The refusal of a request for something that is not there: `notFound('product', id)`. */
export const notFound = (what: string, id: string) =>
  new Rejected('not-found', { what, id }, `there is no ${what} ${JSON.stringify(id)}`)

/**
 * How a command is to be executed: `executor.execute(command, commandOptions(request, 'product/1'))`. Reads Idempotency-Key (1–255 printable
 * ASCII characters), the actor, the correlation id and, for the entity named, the version of If-Match. What tells a repetition from another
 * request under the same key is the request itself, since a command may hold what was made up on the way. Throws `invalid-request` naming the header.
 */
export function commandOptions(request: FastifyRequest, entity?: string): CommandOptions {
  const options: CommandOptions = { correlationId: request.correlationId, actor: request.actor?.subject }
  const key = request.headers['idempotency-key']
  if (key !== undefined) {
    options.key = idempotencyKey(String(key))
    options.fingerprint = `${request.method} ${request.url} ${JSON.stringify(request.body)}`
  }
  const { traceparent } = request.headers
  if (typeof traceparent === 'string' && traceId(traceparent) !== undefined)
    options.traceparent = traceparent.slice(0, 55)
  if (entity !== undefined) {
    const version = ifMatch(request)
    if (version !== undefined) options.expect = { entity, version }
  }
  return options
}

function idempotencyKey(key: string): string {
  if (/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(key)) return key
  throw invalidRequest({
    in: 'header',
    field: 'Idempotency-Key',
    message: 'must have 1 to 255 printable ASCII characters',
  })
}

/** The version the caller saw: `If-Match: "7"`. Undefined without the header or for `*`, which any version satisfies. */
export function ifMatch(request: FastifyRequest): number | undefined {
  const header = request.headers['if-match']
  if (header === undefined || header === '*') return undefined
  const version = /^(?:W\/)?"(\d{1,15})"$/.exec(header)?.[1]
  if (version !== undefined) return Number(version)
  throw invalidRequest({
    in: 'header',
    field: 'If-Match',
    message: 'must be one version as the ETag gave it, like "7", or *',
  })
}

/** A version as an entity tag: `"7"`. */
export const etag = (version: number) => `"${version}"`

/**
 * The correlation id of a request: `x-correlation-id` when it is 1–128 plain characters, else the trace id of a valid `traceparent`,
 * else the request's own id. Junk in either header is passed over, as W3C Trace Context asks.
 */
export function correlationOf(headers: FastifyRequest['headers'], requestId: string): string {
  const given = headers['x-correlation-id']
  if (typeof given === 'string' && /^[\w.:+=/-]{1,128}$/.test(given)) return given
  return (typeof headers.traceparent === 'string' && traceId(headers.traceparent)) || requestId
}

/** The trace id of a W3C traceparent; undefined for junk, which is to be passed over. */
function traceId(traceparent: string): string | undefined {
  const id = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent)?.[1]
  return id === undefined || /^0+$/.test(id) ? undefined : id
}

/** The query fields of a paged list, to spread into a strict object: `z.strictObject({ ...limitQuery(50, 200), q: … })`. */
export const limitQuery = (usual = 50, max = 200) => ({
  limit: z.coerce
    .number({ error: 'must be a whole number' })
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(max, `must be at most ${max}`)
    .default(usual),
  cursor: z.string().max(2_000, 'is too long').optional(),
})

/** A yes or no in a query: `true`, `1`, `false` or `0`. (Coercing would call "false" true.) */
export const flagQuery = z
  .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
  .transform((text) => text === 'true' || text === '1')

/** One page of a list; `next` is the cursor of the following one and absent on the last. */
export interface Page<Item> {
  items: Item[]
  next?: string
}

/** A page out of up to `limit + 1` rows read; `placeOf` says where the following page goes on after its last item. */
export function pageOf<Item>(rows: Item[], limit: number, placeOf: (last: Item) => unknown): Page<Item> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  if (rows.length <= limit || last === undefined) return { items }
  return { items, next: Buffer.from(JSON.stringify(placeOf(last))).toString('base64url') }
}

/** The place a cursor of `pageOf` holds, checked against its schema; undefined without a cursor. Throws `invalid-request`. */
export function placeIn<Place>(cursor: string | undefined, schema: z.ZodType<Place>): Place | undefined {
  if (cursor === undefined) return undefined
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
  } catch {
    throw invalidRequest({
      in: 'query',
      field: 'cursor',
      message: 'is not a cursor of this list; take it from `next` of the page before',
    })
  }
}

/** The schema of a page, for `response`. */
export const pageSchema = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next: z.string().optional() })
