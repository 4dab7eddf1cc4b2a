/** The OpenAPI 3.1 document, made from the routes' own schemas, and the page to try it. */
import swagger from '@fastify/swagger'
import type { FastifySchema, RouteOptions } from 'fastify'
import { createJsonSchemaTransform } from 'fastify-type-provider-zod'
import type { App } from '../../engine/http.ts'
import { chapters, docsPage } from './docs-page.ts'
import { withMeanings } from './meanings.ts'
import { headersOf } from './request-headers.ts'

const toJsonSchema = createJsonSchemaTransform({})

/** Registers `/openapi.json` and `/docs`. Call it before the routes that are to be in the document. */
export async function openApi(app: App, { version }: { version: string }): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Lockstep',
        version,
        description:
          'Every path also exists without /v1. Who has followed the log-in link may do everything; else `npx lockstep token --role ADMIN` prints a ' +
          'token to authorize with. What could not be done is a [problem](/problems) by RFC 9457; what events carry is in [AsyncAPI](/asyncapi.json).',
      },
      tags: chapters,
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
        schemas: { Problem: problemSchema },
      },
    },
    transform(document) {
      const { route } = document
      if (!route.schema || hidden(route)) return { schema: { hide: true }, url: document.url }
      const { params, querystring, ...schema } = toJsonSchema(document).schema as FastifySchema
      const headers = headersOf(String(route.method), document.url)
      const described = {
        ...schema,
        ...(headers && { headers }),
        ...(params !== undefined && { params: withMeanings(params, document.url) }),
        ...(querystring !== undefined && { querystring: withMeanings(querystring, document.url) }),
      }
      return { schema: withProblems(described, route, headers), url: `/v1${document.url}` }
    },
  })
  await docsPage(app)
  app.get('/openapi.json', { schema: { hide: true } as FastifySchema }, async (_request, reply) => {
    reply.header('cache-control', 'no-cache')
    return app.swagger()
  })
}

const hidden = (route: RouteOptions) => (route.schema as { hide?: boolean } | undefined)?.hide === true

/** Who may call it, and that anything else is a problem. */
function withProblems(
  schema: FastifySchema,
  route: RouteOptions,
  headers: ReturnType<typeof headersOf>,
): FastifySchema {
  const roles = route.config?.roles
  const given = (schema.response ?? { 200: { description: 'OK' } }) as Record<string, unknown>
  return {
    ...schema,
    ...(roles && {
      security: [{ bearer: [] }],
      description: [schema.description, `Roles: ${[...new Set(['ADMIN', ...roles])].join(', ')}.`]
        .filter(Boolean)
        .join('\n\n'),
    }),
    response: {
      ...given,
      ...(headers?.properties['If-None-Match'] && { 304: { description: 'You have it already' } }),
      default: {
        description: 'A problem',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  }
}

const problemSchema = {
  type: 'object' as const,
  required: ['type', 'title', 'status', 'detail', 'instance', 'requestId'],
  properties: {
    type: { type: 'string' as const, description: '/problems/<code>; the codes are stable' },
    title: { type: 'string' as const },
    status: { type: 'integer' as const },
    detail: { type: 'string' as const },
    instance: { type: 'string' as const },
    requestId: { type: 'string' as const },
    errors: {
      type: 'array' as const,
      items: {
        type: 'object' as const,
        properties: {
          in: { type: 'string' as const, enum: ['json', 'body', 'path', 'query', 'header'] },
          field: { type: 'string' as const, description: 'lines.0.quantity' },
          message: { type: 'string' as const },
        },
      },
    },
  },
  additionalProperties: true,
}
