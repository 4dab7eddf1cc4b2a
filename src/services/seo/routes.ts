/** `GET /products/:id/seo` and `GET /seo/slugs/:slug`. */
import { z } from 'zod'
import type { Database } from '../../engine/database.ts'
import { type App, notFound } from '../../engine/http.ts'
import { identifier } from '../../engine/text.ts'

const page = z.object({
  productId: z.string(),
  slug: z.string(),
  metaTitle: z.string(),
  metaDescription: z.string(),
  jsonLd: z.record(z.string(), z.unknown()),
  version: z.int(),
})

export function seoRoutes(app: App, db: Database): void {
  app.get(
    '/products/:id/seo',
    {
      schema: {
        params: z.strictObject({ id: identifier }),
        response: { 200: page },
        summary: 'Slug, meta tags and JSON-LD of a product',
        tags: ['seo'],
      },
    },
    async (request) => {
      const [row] =
        await db`select page, version from seo.pages where product_id = ${request.params.id} and slug is not null`
      if (!row) throw notFound('product', request.params.id)
      return { ...JSON.parse(row.page), version: row.version }
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
        tags: ['seo'],
      },
    },
    async (request) => {
      const { slug } = request.params
      const [[live], [old]] = await Promise.all([
        db`select page, version from seo.pages where slug = ${slug}`,
        db`select p.product_id, p.slug from seo.redirects r join seo.pages p using (product_id) where r.slug = ${slug} and p.slug is not null`,
      ])
      if (live) return { ...JSON.parse(live.page), version: live.version }
      if (old) return { productId: old.product_id, redirectTo: old.slug }
      throw notFound('slug', slug)
    },
  )
}
