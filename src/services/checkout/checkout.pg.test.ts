import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingFrom } from '../../app/selling.ts'
import type { Engine } from '../../engine/engine.ts'
import { joint } from '../../engine/joint.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { type InventoryService, inventoryService, inventorySource } from '../inventory/service.ts'
import { type OrdersService, ordersService } from '../orders/service.ts'
import { ordersSource } from '../orders/store.ts'
import type { Operation } from '../payments/provider.ts'
import { type Behaviour, behaviours } from '../payments/providers/development.ts'
import { type PaymentSettings, type PaymentsService, paymentsService } from '../payments/service.ts'
import type { Checkout } from './events.ts'
import { type Step, saga } from './saga.ts'
import { type CheckoutService, checkoutService } from './service.ts'
import { checkoutSource } from './store.ts'

let engine: TestEngine
let inventory: InventoryService
let orders: OrdersService
let checkout: CheckoutService
/** What the provider does next; approves when nothing is said. */
let script: Behaviour[] = []
/** Before which calls, or after them, a process dies, counted in all calls of the saga; its answer is never seen. */
let deaths: boolean[] = []
/** Before the next confirmations: all that is held has expired, and then this happens. */
let lapses: (() => Promise<void>)[] = []
/** The next authorisation never comes back. */
let hangs = false
/** What the provider was asked. */
let asked: string[] = []

/** Answers as the card's token says; one that is silent is waited for. */
const patient: PaymentSettings = { deadlineMs: 2_000 }
/** Answers as scripted, to somebody who does not wait. */
const scripted: PaymentSettings = { deadlineMs: 15, behave: (operation) => bearable(operation, script.shift()) }
/** Who holds money and says that he never heard of it can't be made to let go by anybody. The rest may happen at any call. */
const bearable = (operation: Operation, told: Behaviour = 'approve'): Behaviour =>
  (told === 'deny' && operation === 'authorise') || (told === 'forget' && operation !== 'capture') ? 'lie' : told
const impatient = { leaseMs: 1, retryFirstMs: 0, retryMaxMs: 0 }

function wired(to: Engine, payments = patient): [InventoryService, PaymentsService, CheckoutService, OrdersService] {
  const levels = inventorySource({})
  const source = checkoutSource(impatient)
  const selling = joint(to, 'selling', [levels, ordersSource, source])
  const stock = inventoryService(to, {}, selling.of(levels))
  const orders = ordersService(to, { joint: selling, stock: levels, pricesOf: async () => new Map() })
  const paying = paymentsService(to, payments)
  const dying = <Calls extends object>(calls: Calls): Calls =>
    new Proxy(calls, {
      get: (target, name) => {
        const call = Reflect.get(target, name) as (...given: unknown[]) => Promise<unknown>
        return async (...given: unknown[]) => {
          if (deaths.shift()) throw new Error('died before it')
          const answer = await call(...given)
          if (deaths.shift()) throw new Error('died after it')
          return answer
        }
      },
    })
  const sells = sellingFrom({ stock: levels, inventory: stock, orders, ttlSeconds: 900 })
  const lapsing: typeof sells = {
    ...sells,
    async confirmOrder(subject) {
      const then = lapses.shift()
      if (then) {
        await to.db`
          update inventory.reservations set expires_at = clock_timestamp() - interval '1 second' where status = 'held'`
        await then()
      }
      return sells.confirmOrder(subject)
    },
  }
  const { authorise, capture, void: giveUp, refund } = paying
  const made = checkoutService(to, {
    joint: selling,
    source,
    selling: dying(lapsing),
    paying: dying({
      authorise(request: Parameters<typeof authorise>[0]) {
        asked.push(request.key)
        if (!hangs) return authorise(request)
        hangs = false
        return new Promise<never>(() => {})
      },
      capture(request: Parameters<typeof capture>[0]) {
        asked.push(request.key)
        return capture(request)
      },
      void: giveUp,
      refund,
    }),
    quote: async (lines) => {
      const priced = lines.map((line) => ({ ...line, unitPrice: 1_000 }))
      return { currency: 'EUR', lines: priced, total: priced.reduce((sum, line) => sum + line.quantity * 1_000, 0) }
    },
    ...impatient,
  })
  return [stock, paying, made, orders]
}

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(url, (to) => wired(to))
  engine = made.engine
  inventory = made.services[0]
  checkout = made.services[2]
  orders = made.services[3]
})
afterAll(() => engine.close())

let made = 0
async function stock(quantity: number): Promise<string> {
  const sku = `S${++made}`
  await inventory.execute({ type: 'set-initial', sku, productId: `p-${sku}`, warehouseId: 'main', quantity })
  return sku
}

/** Drives it until it is over, as often as it takes. */
async function buy(sku: string, quantity = 1, token = 'tok_visa', by = checkout): Promise<Checkout> {
  const id = `c${++made}`
  await by.start({ id, lines: [{ sku, quantity }], token }, {})
  for (;;) {
    await by.driver.rest()
    const found = await by.outcome(id)
    if (found.status === 'completed' || found.status === 'compensated') return found
    await by.driver.runOnce()
  }
}

/** The sentences that are wrong: money and stock against the checkouts that were completed. */
async function wrong(): Promise<string[]> {
  const rows = await engine.db<{ wrong: string }>`
    with bought as (
      select id, status, (state -> 'checkout' ->> 'total')::bigint as total, state -> 'subject' ->> 'payment' as payment
      from   checkout.checkouts
    ), sold as (
      select reference as id, -sum(on_hand_delta) as units from inventory.ledger where reference_type = 'ORDER' group by reference
    )
    select format('%s is %s', id, status) as wrong from bought where status not in ('completed', 'compensated')
    union all
    select format('%s is %s and sold %s units', c.id, c.status, s.units)
    from   bought c left join sold s on s.id = c.id
    where  coalesce(s.units, 0) <> case c.status when 'completed' then c.total / 1000 else 0 end
    union all
    select format('payment %s holds %s, took %s, gave back %s, of %s', b.id, b.authorised, b.captured, b.refunded, c.id)
    from   payments.book b left join bought c on c.payment = b.id and c.status = 'completed'
    where  b.captured - b.refunded <> coalesce(c.total, 0)
       or  (b.authorised > 0 and b.captured = 0 and not b.voided)
    union all
    select format('%s is completed without its payment', c.id)
    from   bought c where c.status = 'completed' and not exists (select from payments.book b where b.id = c.payment)
    union all
    select format('%s is %s and its order %s', c.id, c.status, o.status)
    from   bought c left join orders.orders o on o.id = c.id
    where  case c.status when 'completed' then o.status is distinct from 'paid' else o.status <> 'cancelled' end
    union all
    select format('%s has %s reserved', sku, reserved) from inventory.levels where reserved <> 0`
  const findings = [...(await inventory.verify(engine.db)), ...(await checkout.verify(engine.db))]
  return [...rows.map((row) => row.wrong), ...findings.map((finding) => JSON.stringify(finding))]
}

test('what is bought is an order, paid, and the provider is asked twice', async () => {
  const sku = await stock(5)
  asked = []
  const bought = await buy(sku, 2)
  expect(asked).toEqual([`checkout/${bought.id}/authorise`, `checkout/${bought.id}/capture`])
  expect(bought).toMatchObject({ status: 'completed', total: 2_000, failure: null })
  expect(bought.steps.map((step) => step.status)).toEqual(['done', 'done', 'done', 'done'])
  const [level] = await engine.db`select on_hand, reserved from inventory.levels where sku = ${sku}`
  expect(level).toEqual({ on_hand: 3, reserved: 0 })
  expect(await wrong()).toEqual([])
})

test.each([
  ['too little in stock', 9, 'tok_visa', 'insufficient-stock'],
  ['a declined card', 1, 'tok_decline', 'payment-declined'],
  ['a provider that approves another amount', 1, 'tok_lie', 'payment-unclear'],
  ['a capture that is declined', 1, 'tok_decline_capture', 'payment-declined'],
  ['a provider that has forgotten the payment at capture', 1, 'tok_forget_capture', 'payment-declined'],
  ['a provider that takes the money and denies it', 1, 'tok_deny_capture', 'payment-declined'],
  ['a provider that takes the money and speaks of another currency', 1, 'tok_foreign_capture', 'payment-unclear'],
])('%s: all is undone', async (_, quantity, token, code) => {
  const sku = await stock(5)
  expect(await buy(sku, quantity, token)).toMatchObject({ status: 'compensated', failure: { code } })
  expect(await wrong()).toEqual([])
})

test.each([
  'tok_timeout',
  'tok_lost',
  'tok_twice',
  'tok_timeout_capture',
  'tok_lost_capture',
  'tok_twice_capture',
])('%s: it is asked again until it is told, and sold and taken once', async (token) => {
  const sku = await stock(5)
  expect(await buy(sku, 1, token)).toMatchObject({ status: 'completed' })
  expect(await wrong()).toEqual([])
})

test('a provider that is not heard of at all: patience ends, and all is undone', async () => {
  const sku = await stock(5)
  deaths = [false, false, ...Array(5).fill(true)]
  expect(await buy(sku)).toMatchObject({ status: 'compensated', failure: { code: 'payment-unclear' } })
  expect(await wrong()).toEqual([])
})

describe('a reservation that ends while the payment is authorised', () => {
  const rounds = ({ steps }: Checkout) => steps.map(({ name, status, round }) => [name, status, round])
  const level = async (sku: string) => {
    const [row] = await engine.db`select on_hand, reserved from inventory.levels where sku = ${sku}`
    return row
  }

  test('is made anew when the goods are still there: they are sold once, paid once, never held twice', async () => {
    const sku = await stock(1)
    lapses = [async () => {}]
    const bought = await buy(sku)
    expect(bought).toMatchObject({ status: 'completed', failure: null })
    expect(rounds(bought)).toEqual([
      ['reserve', 'done', 2],
      ['authorise', 'done', undefined],
      ['confirm', 'done', 2],
      ['capture', 'done', undefined],
    ])
    expect(await level(sku)).toEqual({ on_hand: 0, reserved: 0 })
    const events = await engine.db`
      select type from lockstep.events where entity = ${`checkout/${bought.id}`} order by version`
    expect(events.map(({ type }) => type)).toEqual([
      'checkout.started',
      'checkout.step.done',
      'checkout.step.done',
      'checkout.step.reopened',
      'checkout.step.done',
      'checkout.step.done',
      'checkout.completed',
    ])
    const held = await engine.db`
      select (data ->> 'reservationId') as id, type from lockstep.events
      where  entity = ${`stock/${sku}`} and type in ('stock.reserved', 'stock.released') order by version`
    expect(held).toEqual([
      { id: bought.id, type: 'stock.reserved' },
      { id: bought.id, type: 'stock.released' },
      { id: `${bought.id}.2`, type: 'stock.reserved' },
    ])
    expect(await wrong()).toEqual([])
  })

  test('is given up when somebody else has them by then: nothing is held or taken', async () => {
    const sku = await stock(1)
    lapses = [
      async () => {
        await orders.execute({ type: 'place', orderId: `faster-${sku}`, lines: [{ sku, quantity: 1 }] })
      },
    ]
    const lost = await buy(sku)
    expect(lost).toMatchObject({
      status: 'compensated',
      failure: { code: 'insufficient-stock', detail: { lines: [{ sku, requested: 1, available: 0 }] } },
    })
    expect(rounds(lost).map(([, status]) => status)).toEqual(['undone', 'undone', 'pending', 'pending'])
    await orders.execute({ type: 'return', orderId: `faster-${sku}` })
    expect(await wrong()).toEqual([])
  })

  test('is given up when it goes on ending', async () => {
    const sku = await stock(1)
    lapses = [async () => {}, async () => {}, async () => {}]
    expect(await buy(sku)).toMatchObject({ status: 'compensated', failure: { code: 'reservation-expired' } })
    expect(await level(sku)).toEqual({ on_hand: 1, reserved: 0 })
    expect(await wrong()).toEqual([])
  })
})

test('a step that never comes back meets its deadline, and is taken up again', async () => {
  const sku = await stock(5)
  const authorise = saga.find((step) => step.name === 'authorise') as Step
  const { deadlineMs } = authorise
  authorise.deadlineMs = 50
  hangs = true
  const stop = new AbortController()
  const running = checkout.driver.run(stop.signal)
  const bought = await buy(sku)
  stop.abort()
  await running
  authorise.deadlineMs = deadlineMs
  expect(hangs).toBe(false)
  expect(bought.status).toBe('completed')
  expect(await wrong()).toEqual([])
})

test('two processes that drive one checkout at once sell and take once', async () => {
  const sku = await stock(50)
  const { engine: other, services } = await testEngine(engine.db.url, (to) => wired(to))
  const ids = Array.from({ length: 20 }, (_, n) => `both-${n}`)
  await Promise.all(ids.map((id) => checkout.start({ id, lines: [{ sku, quantity: 1 }], token: 'tok_visa' }, {})))
  for (let open = 20; open > 0; ) {
    await Promise.all([checkout.driver.runOnce(), services[2].driver.runOnce()])
    await Promise.all([checkout.driver.rest(), services[2].driver.rest()])
    const [row] = await engine.db<{
      n: number
    }>`select count(*)::int as n from checkout.checkouts where due_at is not null`
    open = row?.n ?? 0
  }
  const [level] = await engine.db`select on_hand, reserved from inventory.levels where sku = ${sku}`
  expect(level).toEqual({ on_hand: 30, reserved: 0 })
  await other.close()
  expect(await wrong()).toEqual([])
})

test('whatever the provider does at each call and wherever the process dies, stock and money are those of the completed checkouts', async () => {
  const sku = await stock(1_000_000)
  const { engine: other, services } = await testEngine(engine.db.url, (to) => wired(to, scripted))
  const behaviour = fc.constantFrom(...behaviours.filter((one) => one !== 'slow'))
  await fc.assert(
    fc.asyncProperty(
      fc.array(behaviour, { maxLength: 8 }),
      fc.array(fc.boolean(), { maxLength: 24 }),
      fc.integer({ min: 1, max: 3 }),
      fc.nat({ max: 4 }),
      async (told, dying, quantity, expiring) => {
        script = [...told]
        deaths = [...dying]
        lapses = Array.from({ length: expiring }, () => async () => {})
        await buy(sku, quantity, 'tok_visa', services[2])
        script = []
        deaths = []
        lapses = []
        expect(await wrong()).toEqual([])
      },
    ),
    { numRuns: 40 },
  )
  await other.close()
}, 60_000)
