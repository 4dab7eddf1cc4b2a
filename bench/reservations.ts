/**
 * Orders through inventory with everything on (ledger, events, idempotency keys, crossings), for one hot SKU and over 5,000 SKUs, and orders mixed
 * with reservations for one hot SKU in three warehouses, allocated by a strategy; against what one would write instead: a `select … for update`
 * transaction an order, and a single-statement CTE an order. The rivals keep a counter and a row an order, and know one warehouse.
 */
import type { Database } from '../src/engine/database.ts'
import { inventoryDecider } from '../src/services/inventory/decider.ts'
import { inventoryStore } from '../src/services/inventory/store.ts'
import { bench, type Finding, inFlight, inTurns, type Server } from './bench.ts'
import { CONNECTIONS, forUpdate, openRivals } from './yardstick.ts'

const IN_FLIGHT = 4_000
/** Of each of four rounds. */
const LOCKSTEP_ORDERS = 30_000
const RIVAL_ORDERS = 1_000
const SKUS = 5_000
const STOCK = 10_000_000
const WAREHOUSES = ['main', 'north', 'south']

export async function reservations({ url, engine: open }: Server): Promise<Finding> {
  const engine = open()
  await engine.install([{ name: 'inventory', schema: new URL('../src/services/inventory/schema/', import.meta.url) }])
  const inventory = engine.executor({
    name: 'inventory',
    decider: inventoryDecider({ low: 3, out: 0, reorderThreshold: 10, targetLevel: 50, allocation: 'most-stock' }),
    store: inventoryStore,
  })
  await engine.db`
    insert into inventory.warehouses (id, name, priority)
    select id, id, n from unnest(${WAREHOUSES}::text[]) with ordinality as w (id, n) on conflict do nothing`
  const stock = (sku: string, warehouseId: string) =>
    inventory.execute({
      type: 'set-initial',
      sku,
      productId: sku,
      warehouseId,
      quantity: STOCK,
      trigger: 'IMPORTED',
      reorderThreshold: 10,
      targetLevel: 50,
    } as never)
  const skus = Array.from({ length: SKUS }, (_, n) => `ITEM-${n}`)
  await Promise.all(skus.map((sku) => stock(sku, 'main')))
  await Promise.all(WAREHOUSES.map((id) => stock('WIDE', id)))
  let made = 0
  const run = Date.now().toString(36)
  const order = (sku: string) => {
    const orderId = `order-${run}-${++made}`
    return inventory.execute({ type: 'order', orderId, lines: [{ sku, quantity: 1 }] } as never, {
      key: orderId,
      actor: 'bench',
    })
  }
  /** Of four commands two are orders, one reserves, and one sells what was reserved. */
  const reserved: string[] = []
  const mixed = () => {
    const turn = ++made % 4
    if (turn < 2) return order('WIDE')
    const held = turn === 3 ? reserved.shift() : undefined
    if (held !== undefined)
      return inventory.execute({ type: 'confirm', reservationId: held } as never, {
        key: `sell-${held}`,
        actor: 'bench',
      })
    const reservationId = `held-${run}-${made}`
    const lines = [{ sku: 'WIDE', quantity: 1 }]
    return inventory
      .execute({ type: 'reserve', reservationId, lines, ttlSeconds: 900 } as never, {
        key: reservationId,
        actor: 'bench',
      })
      .then(() => reserved.push(reservationId))
  }
  const rivals = await openRivals(url, [...skus, 'WIDE'])

  const figures: Record<string, number> = {}
  const some = () => skus[Math.floor(Math.random() * SKUS)] as string
  for (const [name, command, sku] of [
    ['hot', () => order('ITEM-0'), () => 'ITEM-0'],
    ['spread', () => order(some()), some],
    ['mixed', mixed, () => 'WIDE'],
  ] as const) {
    await inFlight(IN_FLIGHT, 10_000, command)
    const [lockstep, locking, single] = await inTurns(
      4,
      [IN_FLIGHT, LOCKSTEP_ORDERS, command],
      [CONNECTIONS, RIVAL_ORDERS, () => forUpdate(rivals, sku())],
      [CONNECTIONS, RIVAL_ORDERS * 2, () => cte(rivals, sku())],
    )
    Object.assign(figures, { [`${name}Lockstep`]: lockstep, [`${name}ForUpdate`]: locking, [`${name}Cte`]: single })
  }
  const [wrong] = await engine.db<{ n: number }>`
    select count(*)::int as n
    from   inventory.levels l
    where  on_hand <> (select sum(on_hand_delta) from inventory.ledger g where g.sku = l.sku and g.warehouse_id = l.warehouse_id)`
  await rivals.close()
  await engine.close()

  const ratio = (name: string, rival: string) => (figures[`${name}Lockstep`] ?? 0) / (figures[`${name}${rival}`] ?? 1)
  const per = (value: number | undefined) => `${Math.round(value ?? 0).toLocaleString('en')}/s`
  return {
    line:
      `hot SKU ${per(figures.hotLockstep)}, ${ratio('hot', 'ForUpdate').toFixed(0)} × for update (${per(figures.hotForUpdate)}), ${ratio('hot', 'Cte').toFixed(0)} × CTE (${per(figures.hotCte)}); ` +
      `5,000 SKUs ${per(figures.spreadLockstep)}, ${ratio('spread', 'ForUpdate').toFixed(1)} × (${per(figures.spreadForUpdate)}), ${ratio('spread', 'Cte').toFixed(1)} × (${per(figures.spreadCte)}); ` +
      `orders and reservations in three warehouses ${per(figures.mixedLockstep)}, ${ratio('mixed', 'ForUpdate').toFixed(0)} × (${per(figures.mixedForUpdate)}), ${ratio('mixed', 'Cte').toFixed(0)} × (${per(figures.mixedCte)})`,
    figures,
    goals: {
      'hot at least 30 × for update': ratio('hot', 'ForUpdate') >= 30,
      'hot at least 15 × CTE': ratio('hot', 'Cte') >= 15,
      'spread at least 6 × for update': ratio('spread', 'ForUpdate') >= 6,
      'spread at least 2.5 × CTE': ratio('spread', 'Cte') >= 2.5,
      'mixed at least 30 × for update': ratio('mixed', 'ForUpdate') >= 30,
      'mixed at least 15 × CTE': ratio('mixed', 'Cte') >= 15,
      'ledger = counters': wrong?.n === 0,
    },
  }
}

async function cte(db: Database, sku: string) {
  await db`
    with taken as (update rival set on_hand = on_hand - 1 where sku = ${sku} and on_hand >= 1 returning on_hand)
    insert into rival_orders (sku, quantity) select ${sku}, 1 from taken returning id`
}

await bench(import.meta, 'reservations', reservations)
