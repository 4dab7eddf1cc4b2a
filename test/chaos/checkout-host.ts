/**
 * A process made to be killed: checkouts of guests' carts over real stock, orders and payments, driven until nothing is open, while each guest logs in and
 * would have his cart merged into the one he left there.
 */
import { pino } from 'pino'
import { sellingFrom } from '../../src/app/selling.ts'
import { Rejected } from '../../src/engine/decider.ts'
import { Engine } from '../../src/engine/engine.ts'
import { cartsService } from '../../src/services/carts/service.ts'
import { cartsSource } from '../../src/services/carts/store.ts'
import { checkoutService } from '../../src/services/checkout/service.ts'
import { checkoutSource } from '../../src/services/checkout/store.ts'
import { paymentsService } from '../../src/services/payments/service.ts'
import { sellingBeside } from '../selling.ts'

export interface CheckoutHostSettings {
  url: string
  /** Checkouts to begin, each with its token; without any it only goes on with what others left. */
  begin: { id: string; token: string }[]
  sku: string
  /** Each one's first reservation expires while its payment is authorised. */
  slow?: boolean
}

const { url, begin, sku, slow } = JSON.parse(process.env.CHECKOUT_HOST ?? '{}') as CheckoutHostSettings
const engine = new Engine({ url, log: pino({ level: process.env.CHAOS_LOG ?? 'silent' }) })
const rules = { leaseMs: 400, retryFirstMs: 50 }
const source = checkoutSource(rules)
const { services: selling, stock, joint } = sellingBeside(engine, [cartsSource, source])
const [, inventory, orders] = selling
const payments = paymentsService(engine, { deadlineMs: 1_000 })
const carts = cartsService(engine)
const checkout = checkoutService(engine, {
  joint,
  source,
  selling: sellingFrom({ stock, inventory, orders, ttlSeconds: 900 }),
  paying: {
    ...payments,
    async authorise(request) {
      const [, id] = request.key.split('/')
      if (slow) await engine.db`update inventory.reservations set expires_at = clock_timestamp() where id = ${id}`
      return payments.authorise(request)
    },
  },
  quote: async (lines) => ({
    currency: 'EUR',
    lines: lines.map((line) => ({ ...line, unitPrice: 1_000 })),
    total: lines.reduce((sum, line) => sum + line.quantity * 1_000, 0),
  }),
  carts: { source: cartsSource, read: carts.cart },
  ...rules,
})
await engine.install(
  [...selling, payments, carts, checkout].map(({ name, schema }) => ({ name, ...(schema && { schema }) })),
)
await inventory.execute(
  { type: 'set-initial', sku, productId: 'p', warehouseId: 'main', quantity: 1_000 },
  { key: 'stocked' },
)

const goods = [{ sku, live: true, available: 1_000, price: { amount: 1_000, currency: 'EUR' } }]
async function logIn(id: string) {
  await carts.execute({ type: 'merge', cartId: `mine-${id}`, from: `guest-${id}`, goods }).catch((error) => {
    if (!(error instanceof Rejected && error.code === 'cart-checked-out')) throw error
  })
}
for (const { id } of begin) {
  const [cartId, customerId] = [`guest-${id}`, `customer-${id}`]
  const own = { type: 'create', cartId: `mine-${id}`, customerId, anonymousId: null } as const
  await carts.execute(own, { key: `mine-${id}` })
  await carts.execute({ type: 'create', cartId, customerId: null, anonymousId: id }, { key: cartId })
  await carts.execute({ type: 'put', cartId, sku, quantity: 2, goods: goods[0] }, { key: `${cartId}/put` })
}

const stop = new AbortController()
const running = checkout.run?.(stop.signal)
await Promise.all(
  begin.map(({ id, token }) => checkout.start({ id, cartId: `guest-${id}`, token }, { key: id, fingerprint: id })),
)
for (let open = 1; open > 0; ) {
  await new Promise((resolve) => setTimeout(resolve, 20))
  await Promise.all(begin.map(({ id }) => logIn(id)))
  const [row] = await engine.db<{
    n: number
  }>`select count(*)::int as n from checkout.checkouts where due_at is not null`
  open = row?.n ?? 0
}
await Promise.all(begin.map(({ id }) => logIn(id)))
stop.abort()
await running
await engine.close()
