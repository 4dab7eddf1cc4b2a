/** A process made to be killed: checkouts over real stock, orders and payments, driven until nothing is open. */
import { pino } from 'pino'
import { sellingFrom } from '../../src/app/selling.ts'
import { Engine } from '../../src/engine/engine.ts'
import { checkoutService } from '../../src/services/checkout/service.ts'
import { paymentsService } from '../../src/services/payments/service.ts'
import { sellingServices } from '../selling.ts'

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
const selling = sellingServices(engine)
const [, inventory, orders] = selling
const payments = paymentsService(engine, { deadlineMs: 1_000 })
const checkout = checkoutService(engine, {
  selling: sellingFrom({ inventory, orders, ttlSeconds: 900 }),
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
  cart: async () => undefined,
  leaseMs: 400,
  retryFirstMs: 50,
})
await engine.install([...selling, payments, checkout].map(({ name, schema }) => ({ name, ...(schema && { schema }) })))
await inventory.execute(
  { type: 'set-initial', sku, productId: 'p', warehouseId: 'main', quantity: 1_000 },
  { key: 'stocked' },
)

const stop = new AbortController()
const running = checkout.run?.(stop.signal)
await Promise.all(
  begin.map(({ id, token }) => checkout.start({ id, lines: [{ sku, quantity: 2 }], token }, { key: id })),
)
for (let open = 1; open > 0; ) {
  await new Promise((resolve) => setTimeout(resolve, 20))
  const [row] = await engine.db<{
    n: number
  }>`select count(*)::int as n from checkout.checkouts where due_at is not null`
  open = row?.n ?? 0
}
stop.abort()
await running
await engine.close()
