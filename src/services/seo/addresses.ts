/** Writes pages: who is where, where former addresses lead, and which the sitemap names. One statement a table. */
import { hash } from 'node:crypto'
import { texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Product } from '../catalog/events.ts'
import type { Page } from './seo-projection.ts'

/** `left` are the slugs that pages of this batch had until now: they lead to their product from here on, unless somebody lives there. */
export async function saveAddresses(
  pages: Page[],
  left: { slug: string; productId: string }[],
  tx: Sql,
): Promise<void> {
  const known = pages.flatMap((page) => {
    const { productId, slug, product } = page
    return slug !== null && product?.status === 'active' ? [{ productId, slug, product, at: page.at }] : []
  })
  const listed = new Set(known.map(({ productId }) => productId))
  const unlisted = pages.flatMap(({ productId }) => (listed.has(productId) ? [] : productId))
  await Promise.all([
    tx`
      insert into seo.pages as p (product_id, version, slug, made, made_of, product)
      select product_id, version, slug, made, made_of, product::json
        from unnest(${pages.map((p) => p.productId)}::text[], ${pages.map((p) => p.version)}::bigint[], ${pages.map((p) => p.slug)}::text[],
                    ${pages.map((p) => p.made)}::text[],      ${pages.map((p) => p.madeOf)}::text[],
                    string_to_array(${texts(pages.map((p) => (p.product ? JSON.stringify(shown(p.product)) : ' ')))}, chr(30), ' '))
             as u (product_id, version, slug, made, made_of, product)
      on conflict (product_id) do update set
        version = excluded.version, slug = excluded.slug, made = excluded.made, made_of = excluded.made_of, product = excluded.product
      where excluded.version >= p.version`,
    left.length > 0 &&
      tx`
      insert into seo.redirects (slug, product_id)
      select * from unnest(${left.map((one) => one.slug)}::text[], ${left.map((one) => one.productId)}::text[])
      on conflict (slug) do update set product_id = excluded.product_id`,
    // A live page comes before a redirect, whosever it was.
    tx`delete from seo.redirects where slug = any(${pages.flatMap((p) => p.slug ?? [])}::text[])`,
    known.length > 0 &&
      tx`
      insert into seo.sitemap as s (product_id, slug, content, last_modified)
      select * from unnest(${known.map((p) => p.productId)}::text[], ${known.map((p) => p.slug)}::text[],
                           ${known.map((p) => contentOf(p.product))}::text[], ${known.map((p) => p.at)}::timestamptz[])
      on conflict (product_id) do update set slug = excluded.slug, content = excluded.content, last_modified = excluded.last_modified
      where (s.slug, s.content) is distinct from (excluded.slug, excluded.content)`,
    unlisted.length > 0 && tx`delete from seo.sitemap where product_id = any(${unlisted}::text[])`,
  ])
}

/** All that a page is made of; the product is kept no longer than it shows something. */
const shown = ({ createdAt, ...product }: Product) => product

const contentOf = ({ title, description, category, vendorId, media }: Product) =>
  hash('sha1', JSON.stringify([title, description, category, vendorId, media]), 'base64url').slice(0, 16)
