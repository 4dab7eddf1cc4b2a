/** Pages of products, what a path leads to, and what ADMIN chooses for them. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import { syncToken } from '../../engine/event.ts'
import type { Executor } from '../../engine/executor.ts'
import { type App, commandOptions, notFound } from '../../engine/http.ts'
import { identifier, plainText } from '../../engine/text.ts'
import { type Choice, type SeoCommand, seoEntity } from './choices.ts'
import type { Shop } from './page.ts'
import { conflictOf, formerly, pageAt, pageOfProduct, resolvePath } from './read.ts'
import { slugMax, slugPattern } from './slug.ts'

const meta = z.union([
  z.object({ name: z.string(), content: z.string() }),
  z.object({ property: z.string(), content: z.string() }),
])
const page = z.object({
  productId: z.string(),
  slug: z.string(),
  canonical: z.string(),
  robots: z.enum(['index, follow', 'noindex']),
  metaTitle: z.string(),
  metaDescription: z.string(),
  meta: z.array(meta),
  jsonLd: z.record(z.string(), z.unknown()),
  head: z.string(),
  version: z.int(),
})
const params = z.strictObject({ id: identifier })
const chosen = z.object({
  productId: z.string(),
  slug: z.string().nullable(),
  redirectTo: z.string().nullable(),
  syncToken: z.string(),
})

export function seoRoutes(app: App, db: Database, execute: Executor<SeoCommand>['execute'], shop: Shop): void {
  const tags = ['seo']
  const config = { roles: ['ADMIN'] }

  const choose = async (request: Parameters<typeof commandOptions>[0], productId: string, choice: Partial<Choice>) => {
    const { answer } = await execute(
      { type: 'choose', productId, choice },
      commandOptions(request, seoEntity(productId)),
    )
    const [row] = await db<Choice>`
      select slug, redirect_to as "redirectTo" from seo.choices where product_id = ${productId}`
    const { slug = null, redirectTo = null } = row ?? {}
    return { productId, slug, redirectTo, syncToken: syncToken(seoEntity(productId), answer.version) }
  }

  app.get(
    '/products/:id/seo',
    {
      schema: {
        params,
        response: { 200: page },
        summary: 'Slug, meta tags, Open Graph and JSON-LD of a product',
        tags,
      },
    },
    async (request) => {
      const { id } = request.params
      const found = await pageOfProduct(db, id, shop)
      if (found) return found
      throw (await isThere(db, id)) ? pageless(id, await conflictOf(db, id)) : notFound('product', id)
    },
  )

  app.put(
    '/products/:id/slug',
    {
      schema: {
        params,
        body: z.strictObject({
          slug: z
            .string({ error: 'must be text, or null for the one made from the title' })
            .max(slugMax, `must have at most ${slugMax} characters`)
            .regex(slugPattern, 'must be lower-case letters a-z and digits, with single hyphens between')
            .nullable(),
        }),
        response: { 200: chosen },
        summary: 'Choose a slug by hand; the old one leads to it. null goes back to the one made from the title',
        tags,
      },
      config,
    },
    async (request) => {
      const { id } = request.params
      const { slug } = request.body
      const [holder] = await db<{ id: string }>`
        select product_id as id from seo.pages where slug = ${slug} and product_id <> ${id}`
      if (!(await isThere(db, id))) throw notFound('product', id)
      if (holder && slug !== null) throw slugTaken(slug, holder.id)
      return choose(request, id, { slug })
    },
  )

  app.put(
    '/products/:id/redirect',
    {
      schema: {
        params,
        body: z.strictObject({ redirectTo: identifier.nullable() }),
        response: { 200: chosen },
        summary:
          'Where the addresses of this product lead once it is deleted: to another product, or with null nowhere (410)',
        tags,
      },
      config,
    },
    async (request) => {
      const { id } = request.params
      const { redirectTo } = request.body
      // A deleted one may still be told where to lead.
      if ((await lastEventOf(db, id)) === undefined) throw notFound('product', id)
      if (redirectTo !== null && !(await isThere(db, redirectTo))) throw notFound('product', redirectTo)
      return choose(request, id, { redirectTo })
    },
  )

  app.get(
    '/seo/slugs/:slug',
    {
      schema: {
        params: z.strictObject({
          slug: z.string().regex(/^[a-z0-9-]{1,100}$/, 'must be lower-case letters, digits and hyphens'),
        }),
        response: { 200: z.union([page, z.object({ productId: z.string(), redirectTo: z.string() })]) },
        summary: 'The product behind a slug, or where an old slug leads (answer 301 with it)',
        tags,
      },
    },
    async (request) => {
      const { slug } = request.params
      const [live, former] = await Promise.all([pageAt(db, slug, shop), formerly(db, slug)])
      if (live) return live
      if (former?.slug) return { productId: former.productId, redirectTo: former.slug }
      throw notFound('slug', slug)
    },
  )

  app.get(
    '/seo/resolve',
    {
      schema: {
        querystring: z.strictObject({ path: plainText(2_000).regex(/^\//, 'must begin with /') }),
        response: {
          200: z.object({
            status: z.union([z.literal(200), z.literal(301), z.literal(410)]),
            productId: z.string(),
            slug: z.string().optional(),
            canonical: z.string().optional(),
            robots: z.string().optional(),
            location: z.string().optional(),
          }),
        },
        summary: 'What a shop should answer under a path: 200, 301 to where, or 410. Unknown paths are not found',
        tags,
      },
    },
    async ({ query: { path } }) => {
      const found = await resolvePath(db, path, shop)
      if (!found) throw notFound('page', path)
      return found
    },
  )
}

/** By the log, which knows it before any page: a product whose slug is taken has none. */
async function isThere(db: Database, productId: string): Promise<boolean> {
  const last = await lastEventOf(db, productId)
  return last !== undefined && last !== 'product.deleted'
}

async function lastEventOf(db: Database, productId: string): Promise<string | undefined> {
  const [last] = await db<{ type: string }>`
    select type from lockstep.events where entity = ${`product/${productId}`} order by version desc limit 1`
  return last?.type
}

/** The product is there; what it lacks is the page. */
const pageless = (productId: string, reason = 'it is not made yet: see its sync status') =>
  new Rejected(
    'not-found',
    { what: 'page', id: productId },
    `product ${JSON.stringify(productId)} has no page: ${reason}`,
  )

const slugTaken = (slug: string, productId: string) =>
  new Rejected('slug-taken', { slug, productId }, `the slug ${JSON.stringify(slug)} belongs to product ${productId}`)
