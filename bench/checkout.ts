/**
 * Whole checkouts of one hot SKU (reserve, authorise, confirm, capture, with orders, ledger and events), against the same four steps as one would write them:
 * four transactions with `select … for update`, and a row that says how far it came. Both pay with the development provider, whose book is a
 * transaction of its own.
 */
import { sellingFrom } from '../src/app/selling.ts'
import { type Database, openDatabase } from '../src/engine/database.ts'
import { joint } from '../src/engine/joint.ts'
import { checkoutService } from '../src/services/checkout/service.ts'
import { checkoutSource } from '../src/services/checkout/store.ts'
import { inventoryService, inventorySource } from '../src/services/inventory/service.ts'
import { ordersService } from '../src/services/orders/service.ts'
import { ordersSource } from '../src/services/orders/store.ts'
import { type PaymentsService, paymentsService } from '../src/services/payments/service.ts'
import { bench, type Finding, inFlight, inTurns, type Server } from './bench.ts'

const CONNECTIONS = 8
/** More of them than connections: while one waits for the provider another may write. */
const RIVAL_IN_FLIGHT = 64
const IN_FLIGHT = 2_000
const ROUNDS = 3
/** Of each round. */
const CHECKOUTS = 12_000
const RIVAL_CHECKOUTS = 800
const STOCK = 10_000_000
const PRICE = 1_999

export async function checkout({ url, engine: open }: Server): Promise<Finding> {
  const engine = open()
  const stock = inventorySource({})
  const source = checkoutSource()
  const selling = joint(engine, 'selling', [stock, ordersSource, source])
  const inventory = inventoryService(engine, {}, selling.of(stock))
  const orders = ordersService(engine, { joint: selling, stock, pricesOf: async () => new Map() })
  const payments = paymentsService(engine)
  const checkouts = checkoutService(engine, {
    joint: selling,
    source,
    selling: sellingFrom({ stock, inventory, orders, ttlSeconds: 900 }),
    paying: payments,
    quote: async (lines) => ({
      currency: 'EUR',
      lines: lines.map((line) => ({ ...line, unitPrice: PRICE })),
      total: lines.reduce((sum, line) => sum + line.quantity * PRICE, 0),
    }),
  })
  await engine.install(
    [inventory, orders, payments, checkouts].map(({ name, schema }) => ({ name, ...(schema && { schema }) })),
  )
  await inventory.execute({ type: 'set-initial', sku: 'HOT', productId: 'hot', warehouseId: 'main', quantity: STOCK })

  const run = Date.now().toString(36)
  const buy = async (n: number) => {
    const id = `${run}-${n}`
    await checkouts.start({ id, lines: [{ sku: 'HOT', quantity: 1 }], token: 'tok_visa' }, { key: id, actor: 'bench' })
    await checkouts.driver.driven(id)
  }
  await inFlight(IN_FLIGHT, 2_000, (n) => buy(-n - 1))
  const rivals = await openRivals(url)
  const rival = (n: number) => inFourTransactions(rivals, payments, `rival-${run}-${n}`)
  await inFlight(CONNECTIONS, 100, (n) => rival(-n - 1))

  const [lockstep = 0, four = 0] = await inTurns(
    ROUNDS,
    [IN_FLIGHT, CHECKOUTS, buy],
    [RIVAL_IN_FLIGHT, RIVAL_CHECKOUTS, rival],
  )
  const [sums] = await engine.db<{ completed: number; sold: number; paid: number; captured: number; reserved: number }>`
    select (select count(*)::int from checkout.checkouts where status = 'completed') as completed,
           (select ${STOCK} - on_hand from inventory.levels where sku = 'HOT') as sold,
           (select reserved from inventory.levels where sku = 'HOT') as reserved,
           (select count(*)::int from orders.orders where status = 'paid') as paid,
           (select coalesce(sum(captured - refunded), 0)::bigint / ${PRICE} from payments.book) as captured`
  const all = ROUNDS * CHECKOUTS + 2_000
  await rivals.close()
  await engine.close()

  const per = (value: number) => `${Math.round(value).toLocaleString('en')}/s`
  const ratio = lockstep / four
  return {
    line: `whole checkouts of one hot SKU ${per(lockstep)}, ${ratio.toFixed(1)} × four transactions each (${per(four)})`,
    figures: { lockstep, fourTransactions: four, ratio },
    goals: {
      'at least 5 × four transactions': ratio >= 5,
      'every checkout completed, sold and paid once':
        sums?.completed === all && sums.sold === all && sums.paid === all && sums.reserved === 0,
      'captured = completed': sums?.captured === all + ROUNDS * RIVAL_CHECKOUTS + 100,
    },
  }
}

async function openRivals(url: string) {
  const db = openDatabase(url, { name: 'lockstep bench', max: CONNECTIONS })
  await db`create table rival_stock (sku text primary key, on_hand bigint not null, reserved bigint not null check (reserved between 0 and on_hand)) with (fillfactor = 50)`
  await db`create table rival_orders (id text primary key, sku text not null, quantity int not null, total bigint not null, status text not null, payment text)`
  await db`insert into rival_stock values ('HOT', ${STOCK}, 0)`
  return db
}

/** Reserve, authorise, confirm, capture: what is known is written before the next step is taken. */
async function inFourTransactions(db: Database, payments: PaymentsService, id: string) {
  const money = { amount: PRICE, currency: 'EUR' }
  await db.begin(async (tx) => {
    const [row] = await tx<{ available: number }>`
      select on_hand - reserved as available from rival_stock where sku = 'HOT' for update`
    if ((row?.available ?? 0) < 1) throw new Error('sold out')
    await tx`update rival_stock set reserved = reserved + 1 where sku = 'HOT'`
    await tx`insert into rival_orders (id, sku, quantity, total, status) values (${id}, 'HOT', 1, ${PRICE}, 'reserved')`
  })
  const authorised = await payments.authorise({ key: `${id}/authorise`, token: 'tok_visa', ...money })
  if (authorised.outcome !== 'approved') throw new Error(authorised.outcome)
  const { payment } = authorised
  await db.begin(async (tx) => {
    await tx`select status from rival_orders where id = ${id} for update`
    await tx`update rival_orders set status = 'authorised', payment = ${payment} where id = ${id}`
  })
  await db.begin(async (tx) => {
    await tx`select on_hand from rival_stock where sku = 'HOT' for update`
    await tx`update rival_stock set on_hand = on_hand - 1, reserved = reserved - 1 where sku = 'HOT'`
    await tx`update rival_orders set status = 'confirmed' where id = ${id}`
  })
  const captured = await payments.capture({ key: `${id}/capture`, payment, ...money })
  if (captured.outcome !== 'approved') throw new Error(captured.outcome)
  await db.begin(async (tx) => {
    await tx`select status from rival_orders where id = ${id} for update`
    await tx`update rival_orders set status = 'paid' where id = ${id}`
  })
}

await bench(import.meta, 'checkout', checkout)
