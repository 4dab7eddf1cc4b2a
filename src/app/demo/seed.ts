/** Fills an empty shop with the demo. */
import type { Database } from '../../engine/database.ts'
import { newKey } from '../../services/customers/seal.ts'
import { demoCustomers } from './customers.ts'
import { demoProducts, demoWarehouses } from './products.ts'
import { demoCollections, demoRule } from './shelves.ts'
import { actor, type DemoShop } from './shop.ts'

/** Warehouses, products, stock, a price rule, collections and customers, all at once. Answers false, and does nothing, if there are products. */
export async function seedDemo(shop: DemoShop): Promise<boolean> {
  const { catalog, inventory, pricing, customers, collections, db } = shop
  const [found] = await db<{ any: boolean }>`select exists (select from catalog.products) as any`
  if (found?.any) return false
  await openWarehouses(db)
  const products = demoProducts()
  await Promise.all(products.map(({ product }) => catalog.execute({ type: 'put', product }, { actor })))
  const counts = products.flatMap(({ product, stock }) =>
    stock.map((count) => ({ type: 'set-initial', productId: product.id, trigger: 'IMPORTED', ...count }) as const),
  )
  await Promise.all(counts.map((count) => inventory.execute(count, { actor })))
  await Promise.all([
    ...demoCollections.map(({ id, ...fields }) => collections.execute({ type: 'create', id, fields }, { actor })),
    pricing.execute({ type: 'create-rule', rule: demoRule }, { actor }),
    ...demoCustomers().map((each) => customers.execute({ type: 'create', ...each, key: newKey() }, { actor })),
  ])
  return true
}

const openWarehouses = (db: Database) =>
  Promise.all(
    demoWarehouses.map(
      ({ id, name, priority, leadDays: [least, most] }) => db`
        insert into inventory.warehouses (id, name, priority, lead_time_min, lead_time_max)
        values (${id}, ${name}, ${priority}, ${least}, ${most})
        on conflict (id) do update set name = excluded.name, priority = excluded.priority,
                                       lead_time_min = excluded.lead_time_min, lead_time_max = excluded.lead_time_max`,
    ),
  )

/** Is this the demo's shop? Somebody's own is never moved. */
export async function isDemo(db: Database): Promise<boolean> {
  const ids = demoProducts().map(({ product }) => product.id)
  const [found] = await db<{ count: number }>`
    select count(*)::int as count from catalog.products where id = any(${ids}::text[])`
  return (found?.count ?? 0) > ids.length / 2
}
