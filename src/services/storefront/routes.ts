/** `GET /storefront/products`, one or many, and `…/availability`. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { type App, limitQuery, pageOf, pageSchema, placeIn } from '../../engine/http.ts'
import { identifier } from '../../engine/text.ts'
import { money, product, variant } from '../catalog/events.ts'
import type { Storefront } from './storefront.ts'

const availability = z.object({
  isAvailable: z.boolean(),
  displayStatus: z.enum(['IN_STOCK', 'LOW_STOCK', 'OUT_OF_STOCK', 'LIMITED_AVAILABILITY']),
  message: z.string(),
  label: z.string(),
  leadTimeEstimate: z.string().nullable(),
})

const image = z.object({
  url: z.string(),
  alt: z.string().optional(),
  width: z.int().optional(),
  height: z.int().optional(),
  sizes: z.array(z.object({ url: z.string(), width: z.int() })).optional(),
})

const page = product.omit({ status: true, createdAt: true, updatedAt: true, variants: true }).extend({
  version: z.int(),
  variants: z.array(
    variant.extend({
      inStock: z.boolean(),
      effectivePrice: money,
      promotion: z.string().nullable(),
      reasons: z.array(z.string()),
    }),
  ),
  image: image.nullable(),
  availability,
})

const quantity = z.coerce
  .number({ error: 'must be a whole number' })
  .int('must be a whole number')
  .min(1, 'must be at least 1')
  .max(1_000_000_000, 'must be at most 1000000000')

const MOST = 100

/** One language, instead of what the browser asks for. */
export const localeQuery = {
  locale: z
    .string()
    .regex(/^[a-z]{2,3}(-[a-z0-9]{2,8})*$/i, 'must be a language such as en or pt-BR')
    .max(35, 'is too long')
    .optional(),
}

/** Ids separated by commas, or repeated. */
export const idsQuery = {
  products: z
    .union([z.string(), z.array(z.string())], { error: 'must name products: products=lamp,chair' })
    .transform((given) => [...new Set([given].flat().flatMap((part) => part.split(',')))])
    .pipe(z.array(identifier).min(1).max(MOST, `must name at most ${MOST} products`)),
}

const tags = ['storefront']

export function storefrontRoutes(app: App, storefront: Storefront): void {
  const languageOf = (request: FastifyRequest, reply: FastifyReply) => {
    const { locale } = request.query as { locale?: string }
    const language = storefront.language(locale ?? request.headers['accept-language'])
    reply.header('content-language', language.locale).header('vary', 'Accept-Language')
    return language
  }

  app.get(
    '/storefront/products',
    {
      schema: {
        querystring: z.strictObject({
          ...limitQuery(24, MOST),
          products: idsQuery.products.optional(),
          ...localeQuery,
        }),
        response: { 200: pageSchema(page) },
        summary: 'Products as a shop shows them: all by id, or those named',
        tags,
      },
    },
    async (request, reply) => {
      const { limit, cursor, products } = request.query
      const language = languageOf(request, reply)
      if (products) return { items: await storefront.pages(products, language) }
      const { items, next } = pageOf(await storefront.list(placeIn(cursor, identifier) ?? '', limit + 1), limit, String)
      return { items: await storefront.pages(items, language), ...(next !== undefined && { next }) }
    },
  )
  app.get(
    '/storefront/products/:id',
    {
      schema: {
        params: z.strictObject({ id: identifier }),
        querystring: z.strictObject({ quantity: quantity.default(1), ...localeQuery }),
        response: { 200: page },
        summary: 'A product as a shop shows it, with its availability',
        tags,
      },
    },
    (request, reply) => storefront.page(request.params.id, request.query.quantity, languageOf(request, reply)),
  )
  app.get(
    '/storefront/products/:id/availability',
    {
      schema: {
        params: z.strictObject({ id: identifier }),
        querystring: z.strictObject({ quantity: quantity.default(1), ...localeQuery }),
        response: { 200: availability },
        summary: 'What a shop says about a product’s stock',
        description:
          'From inventory, kept for a while. Also while the database is away: then as STOREFRONT_WITHOUT_INVENTORY says.',
        tags,
      },
    },
    (request, reply) => storefront.availability(request.params.id, request.query.quantity, languageOf(request, reply)),
  )
}
