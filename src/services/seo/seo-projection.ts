/** Keeps each product's slug, page data and the redirects from its old slugs. */
import { texts } from '../../engine/columns.ts'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { KeysFailed } from '../../engine/verdict.ts'
import type { Product } from '../catalog/events.ts'
import { seoPage } from './page.ts'
import { productSlug } from './slug.ts'

interface Kept {
  product_id: string
  version: number
  slug: string | null
}

interface Wanted {
  productId: string
  version: number
  slug: string | null
  page: string | null
}

export function seoProjection(): Projection {
  return projection({
    name: 'seo',
    on: ['product.*'],
    apply,
    async reset(tx) {
      await tx`truncate seo.pages, seo.redirects`
    },
  })
}

/** Names the products whose slug belongs to another one (A §9); the rest of the batch goes through without them. */
async function apply(changes: LoggedEvent[], tx: Sql): Promise<void> {
  const all = changes.map(wanted)
  const kept = await tx<Kept>`
    select product_id, version, slug from seo.pages
     where product_id = any(${all.map((page) => page.productId)}::text[])
        or slug = any(${all.flatMap((page) => page.slug ?? [])}::text[])`
  const before = new Map(kept.map((row) => [row.product_id, row]))
  const pages = all.filter((page) => page.version >= (before.get(page.productId)?.version ?? 0))
  refuseTaken(pages, kept)
  const left = pages.filter((page) => {
    const slug = before.get(page.productId)?.slug
    return slug != null && page.slug !== null && slug !== page.slug
  })
  await Promise.all([
    tx`
      insert into seo.pages as p (product_id, version, slug, page)
      select product_id, version, slug, nullif(page, '')::json
        from unnest(${pages.map((p) => p.productId)}::text[], ${pages.map((p) => p.version)}::bigint[],
                    ${pages.map((p) => p.slug)}::text[],      string_to_array(${texts(pages.map((p) => p.page ?? ''))}, chr(30))) as u (product_id, version, slug, page)
      on conflict (product_id) do update set version = excluded.version, slug = excluded.slug, page = excluded.page
      where excluded.version >= p.version`,
    left.length > 0 &&
      tx`
      insert into seo.redirects (slug, product_id)
      select * from unnest(${left.map((p) => before.get(p.productId)?.slug)}::text[], ${left.map((p) => p.productId)}::text[])
      on conflict (slug) do update set product_id = excluded.product_id`,
    // A live page comes before a redirect, whosever it was.
    tx`delete from seo.redirects where slug = any(${pages.flatMap((p) => p.slug ?? [])}::text[])`,
    tx`delete from seo.redirects where product_id = any(${pages.flatMap((p) => (p.slug === null ? p.productId : []))}::text[])`,
  ]).catch(namedConflict)
}

function wanted(change: LoggedEvent): Wanted {
  const product = change.data.product as Product
  const { key: productId, version } = change
  if (change.type === 'product.deleted') return { productId, version, slug: null, page: null }
  const slug = productSlug(product)
  return { productId, version, slug, page: JSON.stringify(seoPage(product, slug)) }
}

/** Parts of a failed batch are written at the same time: only the unique constraint sees that two of them want one slug. */
function namedConflict(error: Error & { code?: string; detail?: string }): never {
  if (error.code === '23505') throw new Error(`slug conflict: ${error.detail}`, { cause: error })
  throw error
}

/** Who holds a slug now comes first, then who comes first in the batch. */
function refuseTaken(pages: Wanted[], kept: Kept[]): void {
  const moving = new Map(pages.map((page) => [page.productId, page.slug]))
  const holders = new Map<string, string>()
  for (const { slug, product_id } of kept)
    if (slug !== null && (!moving.has(product_id) || moving.get(product_id) === slug)) holders.set(slug, product_id)
  const refused = new Map<string, Error>()
  for (const { slug, productId } of pages) {
    if (slug === null) continue
    const holder = holders.get(slug) ?? productId
    if (holder !== productId) refused.set(productId, new Error(`slug conflict: "${slug}" belongs to product ${holder}`))
    else holders.set(slug, productId)
  }
  if (refused.size > 0) throw new KeysFailed(refused)
}
