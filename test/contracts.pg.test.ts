/** What the running system really tells, against what its contracts and the published document say. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { readConfig } from '../src/app/config.ts'
import { Demo } from '../src/app/demo/demo.ts'
import { seedDemo } from '../src/app/demo/seed.ts'
import { asyncApi } from '../src/app/http/asyncapi.ts'
import { serviceNames, wire } from '../src/app/services.ts'
import type { Database } from '../src/engine/database.ts'
import { read } from '../src/engine/log.ts'
import { cartEvents } from '../src/services/carts/events.ts'
import { catalogEvents } from '../src/services/catalog/events.ts'
import { normalProduct } from '../src/services/catalog/product.ts'
import { checkoutEvents } from '../src/services/checkout/events.ts'
import { collectionEvents } from '../src/services/collections/events.ts'
import { customerEvents } from '../src/services/customers/events.ts'
import { noPreferences } from '../src/services/customers/preferences.ts'
import { newKey } from '../src/services/customers/seal.ts'
import { inventoryEvents } from '../src/services/inventory/events.ts'
import { orderEvents } from '../src/services/orders/events.ts'
import { pricingEvents } from '../src/services/pricing/events.ts'
import { seoEvents } from '../src/services/seo/events.ts'
import { testEngine } from '../src/testing.ts'
import { createTestDatabase } from './database.ts'

test('every event that the services append is as its contract and the published document say, and every type occurs', async () => {
  const { url } = await createTestDatabase()
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-contracts-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const config = readConfig({
    DATABASE_URL: url,
    LOCKSTEP_DATA: directory,
    LOCKSTEP_JWT_SECRET: 'x'.repeat(32),
    PAYMENT_DEADLINE_MS: '150',
  })
  let services: ReturnType<typeof wire> | undefined
  const { engine } = await testEngine(url, (engine) => {
    const all = (services = wire(engine, config))
    return serviceNames.map((name) => all[name])
  })
  await using _ = engine
  if (!services) throw new Error('no services')
  const { catalog, inventory, orders, customers, pricing } = services
  const shop = { ...services, db: engine.db }

  await seedDemo(shop)
  const demo = new Demo({ shop, seed: 11 })
  for (let n = 0; n < 60; n++) await demo.runOnce()
  const plain = { sku: 'VASE-1', options: {}, price: { amount: 900, currency: 'EUR' } }
  const rich = {
    ...plain,
    title: 'Blue',
    barcode: '4006381333931',
    options: { colour: 'blue' },
    compareAtPrice: plain.price,
  }
  const vase = normalProduct({ id: 'vase', title: 'Vase', variants: [plain] })
  await catalog.execute({ type: 'create', product: vase })
  await engine.settle()
  const sale = { scope: { products: ['vase'] }, effect: { percentOff: 20 }, startsAt: '2020-01-01T00:00:00.000Z' }
  const promotion = { id: 'sale', name: 'Sale', ...sale, endsAt: '2099-01-01T00:00:00.000Z' }
  await pricing.execute({ type: 'create-promotion', promotion })
  while (await pricing.repriceOnce());
  await pricing.execute({ type: 'end-promotion', id: 'sale' })
  while (await pricing.repriceOnce());
  const fields = { variants: [rich], attributes: { height: 20, glazed: true, from: 'Delft' }, vendorId: 'potter' }
  await catalog.execute({ type: 'update', productId: 'vase', fields })
  await catalog.execute({ type: 'update', productId: 'vase', fields: { variants: [plain], vendorId: null } })
  const restock = (quantity: number) =>
    inventory.execute({ type: 'set-quantity', sku: 'VASE-1', warehouseId: 'main', quantity, reason: 'counted' })
  const order = (orderId: string, quantity: number) =>
    orders.execute({ type: 'place', orderId, customerId: 'c', lines: [{ sku: 'VASE-1', quantity }] })
  await restock(30)
  await order('o1', 30)
  await expect(order('o2', 1)).rejects.toThrow('available')
  await restock(9)
  const reserve = (reservationId: string) =>
    inventory.execute({ type: 'reserve', reservationId, lines: [{ sku: 'VASE-1', quantity: 2 }], ttlSeconds: 60 })
  for (const id of ['r1', 'r2', 'r3']) await reserve(id)
  await inventory.execute({ type: 'confirm', reservationId: 'r1' })
  await inventory.execute({ type: 'release', reservationId: 'r2' })
  await engine.db`update inventory.reservations set expires_at = clock_timestamp() - interval '1 second' where id = 'r3'`
  await inventory.execute({ type: 'expire', reservationIds: ['r3'] })
  await orders.execute({ type: 'cancel', orderId: 'o1', reason: 'changed my mind' })
  const { checkout, carts } = services
  const vases = { sku: 'VASE-1', live: true, available: 9, price: plain.price }
  await carts.execute({ type: 'create', cartId: 'basket', customerId: 'ida', anonymousId: null })
  await carts.execute({ type: 'put', cartId: 'basket', sku: 'VASE-1', quantity: 2, goods: vases })
  await carts.execute({ type: 'validate', cartId: 'basket', goods: [{ ...vases, available: 1 }] })
  await carts.execute({ type: 'create', cartId: 'before-log-in', customerId: null, anonymousId: 'somebody' })
  await carts.execute({ type: 'put', cartId: 'before-log-in', sku: 'VASE-1', quantity: 1, goods: vases })
  await carts.execute({ type: 'merge', cartId: 'basket', from: 'before-log-in', goods: [vases] })
  const basket = { cartId: 'basket', checkoutId: 'elsewhere' }
  for (const status of ['compensated', 'completed'] as const) {
    await carts.execute({ type: 'check-out', ...basket })
    await carts.execute({ type: 'settle', ...basket, outcome: { status, failure: null } })
  }
  await lapseAtOnce(engine.db, 'late')
  const cards = {
    tok_visa: 'tok_visa',
    tok_decline: 'tok_decline',
    tok_slow_capture: 'tok_slow_capture',
    late: 'tok_visa',
  }
  for (const [id, token] of Object.entries(cards))
    await checkout.start({ id, lines: [{ sku: 'VASE-1', quantity: 1 }], token }, {})
  for (let n = 0; n < 10; n++) {
    await checkout.driver.rest()
    await engine.db`update checkout.checkouts set due_at = clock_timestamp() where due_at is not null`
    await checkout.driver.runOnce()
  }
  await checkout.driver.rest()
  const lines = [{ sku: 'VASE-1', quantity: 5 }]
  await inventory.execute({ type: 'announce', deliveryId: 'd1', to: 'main', lines })
  await catalog.execute({ type: 'delete', productId: 'vase' })
  const person = { name: 'Ida', email: 'ida@example.com', phone: null, addresses: [] }
  const asked = { marketing: { granted: true, source: 'web', textVersion: '1' } }
  const preferences = { channels: { marketing: ['email'] }, locale: 'de', ui: { theme: 'dark' }, consents: asked }
  await customers.execute({ type: 'create', customerId: 'ida', person, preferences: noPreferences, key: newKey() })
  await customers.execute({ type: 'update', customerId: 'ida', fields: { phone: '+4640123456' } })
  await customers.execute({ type: 'prefer', customerId: 'ida', preferences })
  await customers.execute({ type: 'erase', customerId: 'ida' })
  await engine.settle()
  await services.seo.execute({ type: 'choose', productId: 'vase', choice: { slug: 'a-vase', redirectTo: 'pot' } })
  while (await services.collections.evaluateOnce());
  await services.collections.execute({ type: 'change', id: 'gifts', fields: { title: 'To give' } })
  await services.collections.execute({ type: 'delete', id: 'gifts' })
  while (await services.collections.evaluateOnce());

  const contracts: Record<string, z.ZodType> = {
    ...catalogEvents,
    ...inventoryEvents,
    ...orderEvents,
    ...checkoutEvents,
    ...cartEvents,
    ...pricingEvents,
    ...customerEvents,
    ...collectionEvents,
    ...seoEvents,
  }
  const { schemas } = asyncApi('0').components
  const published = Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, z.fromJSONSchema(schema as never)]),
  )
  const wrong: string[] = []
  const seen = new Set<string>()
  for (const event of await read(engine.db, 0, 100_000)) {
    seen.add(event.type)
    const shown = JSON.parse(JSON.stringify({ ...event, data: event.data, meta: event.meta }))
    for (const [by, result] of [
      ['contract', contracts[event.type]?.safeParse(shown.data)],
      ['document', published[event.type]?.safeParse(shown.data)],
      ['envelope', published.event?.safeParse(shown)],
    ] as const)
      if (!result?.success) wrong.push(`${event.position} ${event.type}, ${by}: ${result?.error.message}`)
  }
  expect(wrong).toEqual([])
  expect([...seen].sort()).toEqual(Object.keys(contracts).sort())
}, 60_000)

/** A reservation of this id has expired by the time its payment is authorised. */
const lapseAtOnce = (db: Database, id: string) =>
  db.text(`
    create function lapse() returns trigger language plpgsql as $$
    begin
      new.expires_at := clock_timestamp() - interval '1 second';
      return new;
    end $$;
    create trigger lapse before insert on inventory.reservations for each row when (new.id = '${id}') execute function lapse();`)
