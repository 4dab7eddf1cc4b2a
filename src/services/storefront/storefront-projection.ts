/** Keeps what a shop shows: products, the stock of their SKUs, their prices and pictures, and where orders stand. */
import { texts } from '../../engine/columns.ts'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Product } from '../catalog/events.ts'
import type { Stock } from '../inventory/events.ts'
import type { MediaData } from '../media/events.ts'
import type { Order } from '../orders/events.ts'
import type { PriceData } from '../pricing/events.ts'

/** Heard by whoever tells changes live, once they can be read. */
export const CHANNEL = 'lockstep_storefront'

const writers: Record<string, (changes: LoggedEvent[], tx: Sql) => Promise<unknown>> = {
  product: saveProducts,
  stock: saveStock,
  price: savePrices,
  media: saveMedia,
  order: saveOrders,
}

export function storefrontProjection(): Projection {
  return projection({
    name: 'storefront',
    on: [
      'product.*',
      'stock.updated',
      'stock.reserved',
      'stock.released',
      'stock.out',
      'stock.back',
      'stock.expected',
      'price.*',
      'media.updated',
      'order.*',
    ],
    async apply(changes, tx) {
      const kinds = Map.groupBy(changes, ({ type }) => type.slice(0, type.indexOf('.')))
      await Promise.all([
        tx`update storefront.clock set tick = tick + 1`,
        ...[...kinds].map(([kind, of]) => writers[kind]?.(of, tx)),
        tx`select pg_notify(${CHANNEL}, '')`,
      ])
    },
    async reset(tx) {
      // The clock goes on: who follows live keeps a place in it.
      await tx`truncate storefront.products, storefront.stock, storefront.prices, storefront.media, storefront.orders`
    },
  })
}

function saveProducts(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ change, product: change.data.product as Product }))
  return tx`
    insert into storefront.products as p (product_id, version, live, view, tick)
    select product_id, version, live, view::json, tick
      from unnest(${rows.map((r) => r.product.id)}::text[], ${rows.map((r) => r.change.version)}::bigint[],
                  ${rows.map((r) => r.product.status === 'active' && r.change.type !== 'product.deleted')}::boolean[],
                  string_to_array(${texts(rows.map((r) => JSON.stringify(viewOf(r.product))))}, chr(30))) as u (product_id, version, live, view),
           storefront.clock
    on conflict (product_id) do update set version = excluded.version, live = excluded.live, view = excluded.view, tick = excluded.tick
    where excluded.version > p.version`
}

/** What is public of a product: all but its state and its dates. */
function viewOf({ status, createdAt, updatedAt, ...shown }: Product) {
  return shown
}

/** Kept for itself: a stock's event may be here before its product's. */
function saveStock(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ stock: change.data.stock as Stock, version: change.version }))
  return tx`
    insert into storefront.stock as s (sku, product_id, version, available, tick)
    select u.*, tick
      from unnest(
             ${rows.map((r) => r.stock.sku)}::text[],  ${rows.map((r) => r.stock.productId)}::text[],
             ${rows.map((r) => r.version)}::bigint[],  ${rows.map((r) => (r.stock.active ? r.stock.available : 0))}::bigint[]) as u,
           storefront.clock
    on conflict (sku) do update
    set product_id = excluded.product_id, version = excluded.version, available = excluded.available, tick = excluded.tick
    where excluded.version > s.version`
}

function savePrices(changes: LoggedEvent[], tx: Sql) {
  return tx`
    insert into storefront.prices as p (product_id, version, prices, tick)
    select product_id, version, prices::json, tick
      from unnest(${changes.map(({ key }) => key)}::text[], ${changes.map(({ version }) => version)}::bigint[],
                  string_to_array(${texts(changes.map(({ data }) => JSON.stringify((data as PriceData).prices)))}, chr(30))) as u (product_id, version, prices),
           storefront.clock
    on conflict (product_id) do update set version = excluded.version, prices = excluded.prices, tick = excluded.tick
    where excluded.version > p.version`
}

function saveMedia(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ change, image: firstImage(change.data as MediaData) }))
  return tx`
    insert into storefront.media as m (product_id, version, image, tick)
    select product_id, version, image::json, tick
      from unnest(${rows.map((r) => r.change.key)}::text[], ${rows.map((r) => r.change.version)}::bigint[],
                  string_to_array(${texts(rows.map((r) => JSON.stringify(r.image)))}, chr(30))) as u (product_id, version, image),
           storefront.clock
    on conflict (product_id) do update set version = excluded.version, image = excluded.image, tick = excluded.tick
    where excluded.version > m.version`
}

export interface Image {
  url: string
  alt?: string
  width?: number
  height?: number
  sizes?: { url: string; width: number }[]
}

function firstImage({ media }: MediaData): Image | null {
  const found = media.find(({ asset }) => asset?.kind === 'image')
  if (!found?.asset) return null
  const { url, width, height, renditions } = found.asset
  const sizes = renditions.map((rendition) => ({ url: rendition.url, width: rendition.width }))
  return {
    url: renditions.find(({ name }) => name === 'medium')?.url ?? url,
    alt: found.alt,
    width,
    height,
    sizes,
  } as Image
}

function saveOrders(changes: LoggedEvent[], tx: Sql) {
  const rows = changes.map((change) => ({ change, order: change.data.order as Order }))
  return tx`
    insert into storefront.orders as o (order_id, version, view, tick)
    select order_id, version, view::json, tick
      from unnest(${rows.map((r) => r.order.id)}::text[], ${rows.map((r) => r.change.version)}::bigint[],
                  string_to_array(${texts(rows.map((r) => JSON.stringify(statusOf(r.order))))}, chr(30))) as u (order_id, version, view),
           storefront.clock
    on conflict (order_id) do update set version = excluded.version, view = excluded.view, tick = excluded.tick
    where excluded.version > o.version`
}

/** Where an order stands; not whose it is. */
function statusOf({ id, status, history, updatedAt }: Order) {
  return { orderId: id, status, updatedAt, history: history.map(({ status, at }) => ({ status, at })) }
}
