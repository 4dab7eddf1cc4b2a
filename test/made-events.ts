/** Events as catalog and inventory would log them, for tests that feed a consumer by hand. */
import { readdir, readFile } from 'node:fs/promises'
import { Client } from 'pg'
import type { Database } from '../src/engine/database.ts'
import type { Data, LoggedEvent } from '../src/engine/event.ts'
import type { Product } from '../src/services/catalog/events.ts'
import type { Stock } from '../src/services/inventory/events.ts'

let position = 0

/** Positions grow with every event made. */
export function madeEvent(type: string, key: string, entity: string, version: number, data: Data): LoggedEvent {
  position += 1
  const id = `0197a000-0000-7000-8000-${String(position).padStart(12, '0')}`
  return { position, id, type, key, entity, version, source: 'test', at: new Date(), data, meta: {} }
}

export function madeProduct(id: string, fields: Partial<Product> = {}): Product {
  return {
    id,
    title: `Product ${id}`,
    description: '',
    vendorId: null,
    category: null,
    tags: [],
    attributes: {},
    status: 'active',
    isAvailable: true,
    media: [],
    variants: [{ sku: `${id}-1`, options: {}, price: { amount: 1000, currency: 'EUR' } }],
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    ...fields,
  }
}

/** `product.created` for version 1, `product.updated` after it. */
export function productEvent(id: string, version: number, fields: Partial<Product> = {}): LoggedEvent {
  const product = madeProduct(id, fields)
  const data = version === 1 ? { product } : { product, changes: [] }
  return madeEvent(version === 1 ? 'product.created' : 'product.updated', id, `product/${id}`, version, data)
}

export function productDeleted(id: string, version: number, fields: Partial<Product> = {}): LoggedEvent {
  return madeEvent('product.deleted', id, `product/${id}`, version, { product: madeProduct(id, fields) })
}

/** `stock.updated` of a product's SKU; the other types carry the same stock. */
export function stockEvent(
  productId: string,
  version: number,
  available: number,
  options: { sku?: string; type?: string; active?: boolean; trigger?: string } = {},
): LoggedEvent {
  const { sku = `${productId}-1`, type = 'stock.updated', active = true, trigger = 'ADMIN_UPDATE' } = options
  const stock: Stock = { sku, productId, active, onHand: available, reserved: 0, available, levels: [] }
  return madeEvent(type, productId, `stock/${sku}`, version, { stock, trigger, threshold: 3 })
}

/** Applies a service's numbered SQL files. */
export async function applySchema(db: Database, folder: URL): Promise<void> {
  const client = new Client({ connectionString: db.url })
  await client.connect()
  try {
    const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
    for (const file of files) await client.query(await readFile(new URL(file, folder), 'utf8'))
  } finally {
    await client.end()
  }
}
