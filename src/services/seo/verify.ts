/** Proves that addresses are as they should be: the sitemap names the active pages, no redirect hides one, and none leads nowhere. */
import type { Sql } from '../../engine/database.ts'
import { type Finding, type Found, findingsOf, MOST_FINDINGS } from '../../engine/finding.ts'

export function verifySeo(sql: Sql): Promise<Finding[]> {
  return findingsOf([
    ['seo: the sitemap names the active pages', sitemapAgainstPages(sql)],
    ['seo: a redirect leads to a product, and never from a live page', redirectsAgainstPages(sql)],
  ])
}

const sitemapAgainstPages = (sql: Sql) => sql<Found>`
  select 'product ' || coalesce(p.product_id, s.product_id) as what,
         'the page is at ' || coalesce(p.slug, 'no address') || ', the sitemap says ' || coalesce(s.slug, 'nothing') as detail
    from (select product_id, slug from seo.pages where slug is not null and product ->> 'status' = 'active') p
    full join seo.sitemap s using (product_id)
   where p.slug is distinct from s.slug
   limit ${MOST_FINDINGS}`

const redirectsAgainstPages = (sql: Sql) => sql<Found>`
  select 'slug ' || r.slug as what,
         case when p.product_id is null then 'leads to product ' || r.product_id || ', which has never been'
              else 'is the live address of product ' || p.product_id end as detail
    from seo.redirects r
    left join seo.pages p on p.slug = r.slug or p.product_id = r.product_id
   where p.product_id is null or p.slug = r.slug
   limit ${MOST_FINDINGS}`
