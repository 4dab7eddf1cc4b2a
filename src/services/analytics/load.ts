/** Loads what is known of the things that a batch of events is about. */
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { digestOf } from './count-customers.ts'
import { gaugesOf } from './count-stock.ts'
import { gaugeNames, type KnownProduct, type Thresholds, World } from './world.ts'

export async function loadWorld(events: readonly LoggedEvent[], thresholds: Thresholds, tx: Sql): Promise<World> {
  const world = new World({ low: thresholds.low, out: thresholds.out })
  const { products, skus, sold, customers } = subjects(events)
  await Promise.all([
    products.size + sold.size > 0 && loadProducts([...products, ...sold], [...skus], world, tx),
    products.size > 0 && loadStock([...products], [...skus], world, tx),
    customers.size > 0 && loadConsents([...customers], world, tx),
  ])
  return world
}

function subjects(events: readonly LoggedEvent[]) {
  const products = new Set<string>()
  const skus = new Set<string>()
  const sold = new Set<string>()
  const customers = new Set<string>()
  for (const { type, key, data } of events) {
    if (type.startsWith('product.')) products.add(key)
    else if (type.startsWith('stock.')) {
      products.add(key)
      if (data.stock?.sku) skus.add(data.stock.sku)
    } else if (type.startsWith('order.')) for (const line of data.order?.lines ?? []) sold.add(line.productId ?? '')
    else if (type.startsWith('customer.') && data.customer?.id) customers.add(digestOf(data.customer.id))
  }
  return { products, skus, sold, customers }
}

/** A SKU's former product too: a SKU may have moved to another. */
async function loadProducts(ids: string[], skus: string[], world: World, tx: Sql) {
  const rows = await tx<KnownProduct & { id: string }>`
    select product_id as id, title, category, vendor_id as "vendorId", live
      from analytics.products
     where product_id in (select product_id from analytics.stock where sku = any(${skus}::text[])
                          union select unnest(${ids}::text[]))`
  for (const { id, ...product } of rows) world.products.set(id, product)
}

/** With every SKU of a product all of its SKUs: their sum is wanted. */
async function loadStock(products: string[], skus: string[], world: World, tx: Sql) {
  const rows = await tx<{ sku: string; productId: string; active: boolean; available: number; levels: string }>`
    select sku, product_id as "productId", active, available, levels
      from analytics.stock
     where product_id in (select product_id from analytics.stock where sku = any(${skus}::text[])
                          union select unnest(${products}::text[]))`
  for (const { sku, levels, ...row } of rows) {
    const stock = { ...row, levels: JSON.parse(levels) }
    world.put(sku, stock)
    const [sum, part] = [world.sumOf(stock.productId), gaugesOf(stock, world)]
    for (const name of gaugeNames) sum[name] += part[name]
  }
}

async function loadConsents(digests: string[], world: World, tx: Sql) {
  const rows = await tx<{ digest: string; purposes: string[] }>`
    select encode(customer, 'hex') as digest, purposes
      from analytics.consents
     where customer = any(array(select decode(hex, 'hex') from unnest(${digests}::text[]) as hex))`
  for (const { digest, purposes } of rows) world.consents.set(digest, new Set(purposes))
}
