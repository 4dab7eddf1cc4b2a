/** What must always hold of what is counted: each product adds what catalog and inventory say, and the sums are sums. */
import type { Sql } from '../../engine/database.ts'
import { type Finding, MOST_FINDINGS } from '../../engine/finding.ts'
import { contributions } from './counting.ts'

export async function verifyVendors(sql: Sql): Promise<Finding[]> {
  const [[all], totals] = await Promise.all([
    // Of a product with events that are not counted yet, nothing can be said.
    sql<{ ids: string | null }>`
      select string_agg(id, chr(30)) as ids
      from   catalog.products p
      where  not exists (select from lockstep.events e, vendors.counted c where e.key = p.id and e.position > c.position)`,
    sql<{ what: string; detail: string }>`
      select coalesce(t.vendor_id, s.vendor_id) || ', ' || coalesce(t.category, s.category) as what, format('the sum says %s, its products %s', t, s) as detail
      from   (select * from vendors.totals where products > 0) t
      full   join (select vendor_id, category, count(*) as products, sum(gone)::bigint as gone, sum(limited)::bigint as limited,
                          sum(on_hand)::bigint as on_hand, sum(reserved)::bigint as reserved, sum(available)::bigint as available
                   from   vendors.products group by vendor_id, category) s on s.vendor_id = t.vendor_id and s.category = t.category
      where  t::text is distinct from s::text
      limit  ${MOST_FINDINGS}`,
  ])
  const products = await sql.text<{ what: string; detail: string }>(
    `select coalesce(k.product_id, n.product_id) as what, format('counted as %s, it is %s', k, n) as detail
     from   (${contributions(false)}) n
     full   join (select * from vendors.products where product_id = any(string_to_array($1, chr(30)))) k on k.product_id = n.product_id
     where  k::text is distinct from n::text
     limit  ${MOST_FINDINGS}`,
    [all?.ids ?? ''],
  )
  return [
    ...products.map((row) => ({ rule: 'vendors: a product counts as what it is', ...row })),
    ...totals.map((row) => ({ rule: 'vendors: sums are those of their products', ...row })),
  ]
}
