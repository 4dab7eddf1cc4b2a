/** Proves that addresses are as they should be: the sitemap names the active pages, no redirect hides one, and none leads nowhere. */
import type { Sql } from '../../engine/database.ts'

export interface Finding {
  rule: string
  what: string
  detail: string
}

type Row = Omit<Finding, 'rule'>

/** Findings a rule reports at most. */
const most = 1_000

export async function verifySeo(sql: Sql): Promise<Finding[]> {
  const rules: [string, Promise<Row[]>][] = [
    ['seo: the sitemap names the active pages', sitemapAgainstPages(sql)],
    ['seo: a redirect leads to a product, and never from a live page', redirectsAgainstPages(sql)],
  ]
  const found = await Promise.all(rules.map(async ([rule, rows]) => (await rows).map((row) => ({ rule, ...row }))))
  return found.flat()
}

const sitemapAgainstPages = (sql: Sql) => sql<Row>`
  select 'product ' || coalesce(p.product_id, s.product_id) as what,
         'the page is at ' || coalesce(p.slug, 'no address') || ', the sitemap says ' || coalesce(s.slug, 'nothing') as detail
    from (select product_id, slug from seo.pages where slug is not null and product ->> 'status' = 'active') p
    full join seo.sitemap s using (product_id)
   where p.slug is distinct from s.slug
   limit ${most}`

const redirectsAgainstPages = (sql: Sql) => sql<Row>`
  select 'slug ' || r.slug as what,
         case when p.product_id is null then 'leads to product ' || r.product_id || ', which has never been'
              else 'is the live address of product ' || p.product_id end as detail
    from seo.redirects r
    left join seo.pages p on p.slug = r.slug or p.product_id = r.product_id
   where p.product_id is null or p.slug = r.slug
   limit ${most}`
