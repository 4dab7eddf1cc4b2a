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
  /** The product's slug now; null when it is deleted. */
  slug: string | null
  /** Where its choice leads, when it is deleted. */
  redirect: string | null
}

/** Whose a slug once was. One step and never two: it leads to a product, and that to its slug of now. */
export async function formerly(db: Sql, slug: string): Promise<Former | undefined> {
  const [row] = await db<Former>`
    select r.product_id as "productId", p.slug, t.slug as redirect
      from seo.redirects r
      join seo.pages p using (product_id)
      left join seo.choices c on c.product_id = r.product_id
      left join seo.pages t on t.product_id = c.redirect_to
     where r.slug = ${slug}`
  return row
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
  const to = former.slug ?? former.redirect
  const { productId } = former
  return to === null ? { status: 410, productId } : { status: 301, productId, location: pathOf(to) }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path.split(/[?#]/, 1)[0] ?? '')
  } catch {
    return ''
  }
}
