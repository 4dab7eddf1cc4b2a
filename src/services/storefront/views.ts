/** Reads products and orders as a shop shows them, with the tick they last changed at. */
import type { Database } from '../../engine/database.ts'
import type { Money, Product } from '../catalog/events.ts'
import type { OrderStatus } from '../orders/events.ts'
import type { Price } from '../pricing/events.ts'
import type { Image } from './storefront-projection.ts'

export type Variant = Product['variants'][number] & {
  inStock: boolean
  /** What it costs now; its list price while pricing has not said. */
  effectivePrice: Money
  /** The promotion it is under; null without one. */
  promotion: string | null
  /** Why it costs that, in words. */
  reasons: string[]
}

export type ProductView = Omit<Product, 'status' | 'createdAt' | 'updatedAt' | 'variants'> & {
  version: number
  variants: Variant[]
  image: Image | null
}

export interface Seen {
  tick: number
  view: ProductView
}

export interface OrderView {
  orderId: string
  status: OrderStatus
  updatedAt: string
  version: number
  history: { status: OrderStatus; at: string }[]
}

interface Row {
  id: string
  live: boolean
  version: number
  view: string
  prices: string | null
  image: string | null
  stock: Record<string, number> | null
  tick: number
}

/** Those of the products that changed after a tick; what is not there, or not for sale any more, has no view. */
export async function readProducts(db: Database, ids: readonly string[], after = -1) {
  const rows = await db<Row>`
    select p.product_id as id, p.live, p.version, p.view, pr.prices, m.image, s.stock,
           greatest(p.tick, s.tick, pr.tick, m.tick) as tick
      from storefront.products p
      left join storefront.prices pr using (product_id)
      left join storefront.media m using (product_id)
      left join lateral (select max(tick) as tick, jsonb_object_agg(sku, available) as stock
                           from storefront.stock where product_id = p.product_id) as s on true
     where p.product_id = any(${ids}::text[]) and greatest(p.tick, s.tick, pr.tick, m.tick) > ${after}`
  return new Map(rows.map((row) => [row.id, { tick: row.tick, view: row.live ? viewOf(row) : undefined }]))
}

/** A page of what is for sale, by id. */
export async function listProducts(db: Database, after: string, limit: number): Promise<string[]> {
  const rows = await db<{ id: string }>`
    select product_id as id from storefront.products where live and product_id > ${after} order by product_id limit ${limit}`
  return rows.map(({ id }) => id)
}

export async function readOrders(db: Database, ids: readonly string[], after = -1) {
  const rows = await db<{ id: string; version: number; view: string; tick: number }>`
    select order_id as id, version, view, tick
      from storefront.orders
     where order_id = any(${ids}::text[]) and tick > ${after}`
  return new Map(
    rows.map(({ id, tick, version, view }) => [id, { tick, view: { ...JSON.parse(view), version } as OrderView }]),
  )
}

function viewOf({ version, view, prices, image, stock }: Row): ProductView {
  const product = JSON.parse(view) as Omit<ProductView, 'version'>
  const known = (prices === null ? {} : JSON.parse(prices)) as Record<string, Price>
  const variants = product.variants.map((variant): Variant => {
    const price = Object.hasOwn(known, variant.sku) ? known[variant.sku] : undefined
    // Prices of an older list price say nothing: pricing is about to tell the new ones.
    const current =
      price?.list === variant.price.amount && price.currency === variant.price.currency ? price : undefined
    return {
      ...variant,
      inStock: (stock?.[variant.sku] ?? 0) > 0,
      effectivePrice: current ? { amount: current.effective, currency: current.currency } : variant.price,
      promotion: current?.applied.find(({ kind }) => kind === 'promotion')?.reason.split(':')[0] ?? null,
      reasons: current?.applied.map(({ reason }) => reason) ?? [],
    }
  })
  return {
    ...product,
    version,
    variants,
    image: image === null ? linked(product) : (JSON.parse(image) ?? linked(product)),
  }
}

/** Before there is a picture of ours: the catalog's first link. */
function linked({ media }: Pick<Product, 'media'>): Image | null {
  const [first] = media
  return first ? { url: first.url, ...(first.alt !== undefined && { alt: first.alt }) } : null
}
