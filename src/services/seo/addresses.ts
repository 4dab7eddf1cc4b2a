/** Writes pages: who is where, where former addresses lead, and which the sitemap names. One statement a table, and none where nothing changes. */
import { hash } from 'node:crypto'
import { texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Product } from '../catalog/events.ts'
import type { Kept, Page } from './seo-projection.ts'

export interface Moves {
  pages: Page[]
  before: ReadonlyMap<string, Kept>
  /** Those that get another slug than they had, or none. */
  moving: Page[]
  /** The slugs they had: they lead to their product from here on, unless somebody lives there. */
  left: { slug: string; productId: string }[]
}

export async function saveAddresses({ pages, before, moving, left }: Moves, tx: Sql): Promise<void> {
  const taken = moving.flatMap((page) => page.slug ?? [])
  const changed = pages.filter((page) => page.content !== (before.get(page.productId)?.content ?? null))
  const named = changed.flatMap(({ productId, slug, content, at }) =>
    slug === null || content === null ? [] : [{ productId, slug, at }],
  )
  const unnamed = changed.flatMap(({ productId, content }) => (content === null ? productId : []))
  await Promise.all([
    tx`
      insert into seo.pages as p (product_id, version, slug, made, made_of, content, product)
      select product_id, version, slug, made, made_of, content, product::json
        from unnest(${pages.map((p) => p.productId)}::text[], ${pages.map((p) => p.version)}::bigint[], ${pages.map((p) => p.slug)}::text[],
                    ${pages.map((p) => p.made)}::text[],      ${pages.map((p) => p.madeOf)}::text[],    ${pages.map((p) => p.content)}::text[],
                    string_to_array(${texts(pages.map((p) => (p.product ? JSON.stringify(shown(p.product)) : ' ')))}, chr(30), ' '))
             as u (product_id, version, slug, made, made_of, content, product)
      on conflict (product_id) do update set
        version = excluded.version, slug = excluded.slug, made = excluded.made, made_of = excluded.made_of, content = excluded.content,
        product = excluded.product
      where excluded.version >= p.version`,
    left.length > 0 &&
      tx`
      insert into seo.redirects (slug, product_id)
      select * from unnest(${left.map((one) => one.slug)}::text[], ${left.map((one) => one.productId)}::text[])
      on conflict (slug) do update set product_id = excluded.product_id`,
    // A live page comes before a redirect, whosever it was.
    taken.length > 0 && tx`delete from seo.redirects where slug = any(${taken}::text[])`,
    named.length > 0 &&
      tx`
      insert into seo.sitemap (product_id, slug, last_modified)
      select * from unnest(${named.map((p) => p.productId)}::text[], ${named.map((p) => p.slug)}::text[], ${named.map((p) => p.at)}::timestamptz[])
      on conflict (product_id) do update set slug = excluded.slug, last_modified = excluded.last_modified`,
    unnamed.length > 0 && tx`delete from seo.sitemap where product_id = any(${unnamed}::text[])`,
  ])
}

/** All that a page is made of. */
const shown = ({ createdAt, ...product }: Product) => product

/** In short, what a page says in words and pictures, and where: the sitemap's date changes with it, not with every price. */
export const contentOf = (slug: string, { title, description, category, vendorId, media }: Product) =>
  hash('sha1', JSON.stringify([slug, title, description, category, vendorId, media]), 'base64url').slice(0, 16)
