/** What can be asked about pages: the page of a product or slug, and what a shop should answer under a path. */
import type { Database, Sql } from '../../engine/database.ts'
import type { Money, Product } from '../catalog/events.ts'
import { offersOf } from './offers.ts'
import { pathOf, type SeoPage, type Shop, seoPage } from './page.ts'

interface Row {
  version: number
  slug: string
  product: string
  prices: string | null
  stock: string | null
}

const columns = `
  select p.version, p.slug, p.product, r.prices,
         (select json_object_agg(s.sku, s.available) from seo.stock s where s.product_id = p.product_id) as stock
    from seo.pages p left join seo.prices r using (product_id)`

export type VersionedPage = SeoPage & { version: number }

/** Undefined for a product that is deleted, unknown, or has no page for its slug belongs to another. */
export async function pageOfProduct(db: Database, productId: string, shop: Shop): Promise<VersionedPage | undefined> {
  const [row] = await db.text<Row>(`${columns} where p.product_id = $1 and p.slug is not null`, [productId])
  return row && built(row, shop)
}

export async function pageAt(db: Database, slug: string, shop: Shop): Promise<VersionedPage | undefined> {
  const [row] = await db.text<Row>(`${columns} where p.slug = $1`, [slug])
  return row && built(row, shop)
}

function built({ version, slug, product, prices, stock }: Row, shop: Shop): VersionedPage {
  const parsed = JSON.parse(product) as Product
  const known: [string, number, string][] = prices === null ? [] : JSON.parse(prices)
  const offers = offersOf(parsed, {
    prices: new Map(known.map(([sku, amount, currency]): [string, Money] => [sku, { amount, currency }])),
    stock: new Map(Object.entries(stock === null ? {} : (JSON.parse(stock) as Record<string, number>))),
  })
  return { ...seoPage(parsed, slug, offers, shop), version }
}

export interface Former {
  productId: string
  /** Where it leads: the product's slug now; of a deleted one, that of the first living product its choices lead to. Null: nowhere. */
  slug: string | null
}

/** Deleted products one after the other that an address is followed through: each was the successor of the one before. */
const SUCCESSORS = 20

/** Whose a slug once was. Answered in one step, however many products it leads through; a circle of deleted ones leads nowhere. */
export async function formerly(db: Sql, slug: string): Promise<Former | undefined> {
  const [row] = await db<Former>`
    with recursive led (owner, slug, redirect_to, steps) as (
      select r.product_id, p.slug, c.redirect_to, 0
        from seo.redirects r
        join seo.pages p using (product_id)
        left join seo.choices c using (product_id)
       where r.slug = ${slug}
      union all
      select l.owner, p.slug, c.redirect_to, l.steps + 1
        from led l
        join seo.pages p on p.product_id = l.redirect_to
        left join seo.choices c on c.product_id = p.product_id
       where l.slug is null and l.steps < ${SUCCESSORS}
    )
    select owner as "productId", slug from led order by steps desc limit 1`
  return row
}

/** Why a product has no page, when its slug belongs to another. */
export async function conflictOf(db: Sql, productId: string): Promise<string | undefined> {
  const [row] = await db<{ error: string }>`
    select error from lockstep.failures
     where consumer = 'seo' and key = ${productId} and error_class = 'SlugConflict' and state in ('retrying', 'dead')
     order by id desc limit 1`
  return row?.error
}

export type Resolved =
  | { status: 200; productId: string; slug: string; canonical: string; robots: string }
  | { status: 301; productId: string; location: string }
  | { status: 410; productId: string }

/** What a shop should answer under a path; undefined: 404. Another way of writing an address is sent to the one it has. */
export async function resolvePath(db: Database, path: string, shop: Shop): Promise<Resolved | undefined> {
  const slug = /^\/products\/([^/]+)\/?$/i.exec(decoded(path))?.[1]?.toLowerCase()
  if (slug === undefined) return undefined
  const page = await pageAt(db, slug, shop)
  if (page) {
    const { productId, canonical, robots } = page
    return path === pathOf(slug)
      ? { status: 200, productId, slug, canonical, robots }
      : { status: 301, productId, location: pathOf(slug) }
  }
  const former = await formerly(db, slug)
  if (!former) return undefined
  const { productId, slug: to } = former
  return to === null ? { status: 410, productId } : { status: 301, productId, location: pathOf(to) }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path.split(/[?#]/, 1)[0] ?? '')
  } catch {
    return ''
  }
}
