import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { specification } from '../../engine/decider-testing.ts'
import { sellable } from './allocation.ts'
import type { Command } from './commands.ts'
import { inventoryDecider } from './decider.ts'
import { inventoryEvents } from './events.ts'
import { type InventoryFact, isMovement, type Movement } from './facts.ts'
import { itemId, orderIn, reservationIn, type States, type StockState, stockIn } from './state.ts'

const rules = { low: 3, out: 0, reorderThreshold: 10, targetLevel: 50 }
const now = new Date('2026-01-01T00:00:00Z')
const later = (seconds: number) => new Date(now.getTime() + seconds * 1_000)
const decider = inventoryDecider(rules)
const { given } = specification(decider, now)

/** So many of a SKU, in warehouses by preference; the state as if the item had moved before. */
function stocked(sku: string, ...levels: [warehouseId: string, onHand: number][]): Movement[] {
  return levels.map(([warehouseId, onHand], n) => ({
    type: 'stock.updated',
    entity: `stock/${sku}`,
    warehouseId,
    itemId: itemId(sku, warehouseId),
    opens: true,
    onHandDelta: onHand,
    reservedDelta: 0,
    onHand,
    reserved: 0,
    trigger: 'IMPORTED',
    reason: undefined,
    referenceType: undefined,
    reference: undefined,
    reservationId: undefined,
    expiresAt: undefined,
    item:
      n > 0
        ? undefined
        : { sku, productId: `p-${sku}`, active: true, reorderThreshold: 10, targetLevel: 50, changes: [] },
  }))
}
const order = (quantity: number, sku = 'A', orderId = 'o1'): Command => ({
  type: 'order',
  orderId,
  lines: [{ sku, quantity }],
})
const types = (facts: InventoryFact[]) =>
  facts.filter((fact) => fact.type.startsWith('stock.')).map((fact) => fact.type)
const available = (states: States, sku = 'A') => stockIn(states, sku)?.stock.available

describe('an order', () => {
  test('takes from the preferred warehouse first and from the next what is left', () => {
    const { facts, states } = given(...stocked('A', ['near', 3], ['far', 20])).when(order(5))
    const moves = facts.filter(isMovement).map((fact) => [fact.warehouseId, fact.onHandDelta, fact.onHand])
    expect(moves).toEqual([
      ['near', -3, 0],
      ['far', -2, 18],
    ])
    expect(available(states)).toBe(18)
  })

  test.each([
    ['most-stock', [['far', -5, 15]]],
    ['fewest-splits', [['far', -5, 15]]],
  ] as const)('takes by %s when that is set', (allocation, expected) => {
    const by = specification(inventoryDecider({ ...rules, allocation }), now)
    const { facts } = by.given(...stocked('A', ['near', 3], ['far', 20])).when(order(5))
    expect(facts.filter(isMovement).map((fact) => [fact.warehouseId, fact.onHandDelta, fact.onHand])).toEqual(expected)
  })

  test('of too many is refused with what there is, states that it failed and takes nothing', () => {
    const command: Command = {
      type: 'order',
      orderId: 'o1',
      lines: [
        { sku: 'A', quantity: 1 },
        { sku: 'B', quantity: 9 },
      ],
    }
    given(...stocked('A', ['w', 5]), ...stocked('B', ['w', 5]))
      .when(command)
      .rejected('insufficient-stock', { orderId: 'o1', lines: [{ sku: 'B', requested: 9, available: 5 }] })
      .stated({
        type: 'stock.update.failed',
        entity: 'stock/B',
        requested: 9,
        available: 5,
        referenceType: 'ORDER',
        reference: 'o1',
      })
  })

  test('sums the lines of one SKU before it looks whether there is enough', () => {
    const lines = [
      { sku: 'A', quantity: 3 },
      { sku: 'A', quantity: 3 },
    ]
    given(...stocked('A', ['w', 5]))
      .when({ type: 'order', orderId: 'o1', lines })
      .rejected('insufficient-stock', { lines: [{ sku: 'A', requested: 6, available: 5 }] })
  })

  test('of an unknown or resting SKU is refused by its name', () => {
    const start = given(...stocked('A', ['w', 5]))
    start.when(order(1, 'Z')).rejected('unknown-sku', { lines: [{ sku: 'Z', quantity: 1 }] })
    start
      .when({ type: 'deactivate', productId: 'p-A', skus: ['A'] })
      .when(order(1))
      .rejected('inactive-sku', { lines: [{ sku: 'A', quantity: 1 }] })
  })

  test('is taken once an id', () => {
    given(...stocked('A', ['w', 5]))
      .when(order(1))
      .when(order(1))
      .rejected('already-exists', { what: 'order', id: 'o1' })
  })
})

describe('crossings', () => {
  const fall = (from: number, by: number) => types(given(...stocked('A', ['w', from])).when(order(by)).facts)
  test.each([
    ['above both thresholds nothing is said', 10, 6, []],
    ['reaching the low threshold is low', 10, 7, ['stock.low']],
    ['low already is not said again', 3, 1, []],
    ['from low to nothing is out alone', 2, 2, ['stock.out']],
    ['from above both to nothing is low, then out', 10, 10, ['stock.low', 'stock.out']],
  ] as const)('%s', (_, from, by, expected) => {
    expect(fall(from, by)).toEqual(['stock.updated', ...expected])
  })

  test('a return brings back what was out, and says so once', () => {
    const sold = given(...stocked('A', ['w', 2])).when(order(2))
    const back = sold.when({ type: 'return', orderId: 'o1', lines: [{ sku: 'A', quantity: 1 }] })
    expect(types(back.facts)).toEqual(['stock.updated', 'stock.back'])
    expect(types(back.when({ type: 'cancel', orderId: 'o1' }).facts)).toEqual(['stock.updated'])
  })

  test('an item’s first units are no return', () => {
    const open: Command = { type: 'open', productId: 'p', skus: ['A'], warehouseIds: [] }
    const first: Command = { type: 'set-initial', sku: 'A', productId: 'p', warehouseId: 'w', quantity: 9 }
    given(...stocked('A', ['w', 0]))
      .when(open)
      .rejected('sku-conflict', { sku: 'A', productId: 'p-A' })
    const outcome = given(...stocked('A', ['w', 0])).when({ ...first, productId: 'p-A' })
    expect(types(outcome.facts)).toEqual(['stock.updated'])
  })
})

describe('a reservation', () => {
  const reserve = (quantity: number, ttlSeconds = 60): Command => ({
    type: 'reserve',
    reservationId: 'r1',
    lines: [{ sku: 'A', quantity }],
    ttlSeconds,
  })
  /** What the store loads once its time is over. */
  const overdue = (states: States): States => {
    const stock = states.get('stock/A') as { version: number; state: StockState }
    const expired = [{ sku: 'A', warehouseId: 'w', quantity: 4, reservationId: 'r1', expiresAt: later(60) }]
    return new Map(states).set('stock/A', { ...stock, state: { ...stock.state, expired } })
  }

  test('makes its units unavailable but keeps them on hand; confirmed, they are sold', () => {
    const held = given(...stocked('A', ['w', 5])).when(reserve(4))
    expect(stockIn(held.states, 'A')?.stock).toMatchObject({ onHand: 5, reserved: 4, available: 1 })
    const sold = held.when({ type: 'confirm', reservationId: 'r1' })
    expect(stockIn(sold.states, 'A')?.stock).toMatchObject({ onHand: 1, reserved: 0, available: 1 })
    sold.when({ type: 'confirm', reservationId: 'r1' }).then()
    sold.when({ type: 'release', reservationId: 'r1' }).rejected('reservation-confirmed')
  })

  test('can be confirmed until its last moment and not in it', () => {
    const held = given(...stocked('A', ['w', 5])).when(reserve(4))
    expect(held.when({ type: 'confirm', reservationId: 'r1' }, later(59.999)).facts).not.toEqual([])
    held.when({ type: 'confirm', reservationId: 'r1' }, later(60)).rejected('reservation-expired')
  })

  test('is held for longer, never for shorter, and not once it is over', () => {
    const held = given(...stocked('A', ['w', 5])).when(reserve(4))
    const extend = (ttlSeconds: number): Command => ({ type: 'extend', reservationId: 'r1', ttlSeconds })
    const longer = held.when(extend(90), later(30))
    expect(reservationIn(longer.states, 'r1')?.expiresAt).toEqual(later(120))
    longer.when(extend(90), later(30)).then()
    longer.when(extend(10), later(30)).then()
    expect(longer.when({ type: 'confirm', reservationId: 'r1' }, later(119)).facts).not.toEqual([])
    held.when(extend(90), later(60)).rejected('reservation-expired')
    longer.when({ type: 'release', reservationId: 'r1' }).when(extend(90)).rejected('reservation-released')
    longer.when({ type: 'confirm', reservationId: 'r1' }).when(extend(90)).rejected('reservation-confirmed')
  })

  test('gives some of its units back and sells the rest', () => {
    const some = (quantity: number): Command => ({
      type: 'release',
      reservationId: 'r1',
      lines: [{ sku: 'A', quantity }],
    })
    const held = given(...stocked('A', ['near', 3], ['far', 5])).when(reserve(5))
    const less = held.when(some(4))
    expect(stockIn(less.states, 'A')?.stock).toMatchObject({ onHand: 8, reserved: 1 })
    expect(reservationIn(less.states, 'r1')?.lines).toEqual([{ sku: 'A', warehouseId: 'far', quantity: 1 }])
    less.when(some(2)).rejected('release-exceeds-reservation', { lines: [{ sku: 'A', requested: 2, held: 1 }] })
    expect(reservationIn(less.when(some(1)).states, 'r1')?.status).toBe('released')
    const sold = less.when({ type: 'confirm', reservationId: 'r1' })
    expect(stockIn(sold.states, 'A')?.stock).toMatchObject({ onHand: 7, reserved: 0 })
  })

  test('past its time serves the next order, without a crossing for the detour', () => {
    const held = given(...stocked('A', ['w', 4])).when(reserve(4))
    const decision = decider.decide(overdue(held.states), order(2), later(60))
    expect(types(decision.facts ?? [])).toEqual(['stock.released', 'stock.updated', 'stock.back'])
    const early = decider.decide(overdue(held.states), order(2), later(59))
    expect('rejected' in early && early.rejected.code).toBe('insufficient-stock')
  })
})

test('an admin count below what is reserved is refused with the numbers', () => {
  given(...stocked('A', ['w', 5]))
    .when({ type: 'reserve', reservationId: 'r1', lines: [{ sku: 'A', quantity: 3 }], ttlSeconds: 9 })
    .when({ type: 'set-quantity', sku: 'A', warehouseId: 'w', quantity: 2 })
    .rejected('below-reserved', { sku: 'A', warehouseId: 'w', requested: 2, reserved: 3, onHand: 5 })
})

describe('safety stock', () => {
  const keep = (safetyStock: number, warehouseId = 'w'): Command => ({
    type: 'plan',
    sku: 'A',
    warehouseId,
    safetyStock,
  })

  test('is not sold, stays on hand, and what is missing of it is not owed by another warehouse', () => {
    const kept = given(...stocked('A', ['w', 5], ['v', 1]))
      .when(keep(2))
      .when(keep(9, 'v'))
    expect(stockIn(kept.states, 'A')?.stock).toMatchObject({ onHand: 6, available: 3 })
    kept.when(order(4)).rejected('insufficient-stock', { lines: [{ sku: 'A', requested: 4, available: 3 }] })
    const sold = kept.when(order(3))
    expect(sold.facts.filter(isMovement).map((fact) => [fact.warehouseId, fact.onHandDelta])).toEqual([['w', -3]])
    expect(stockIn(sold.states, 'A')?.stock).toMatchObject({ onHand: 3, available: 0 })
    expect(available(sold.when(keep(0)).states)).toBe(2)
  })

  test('that takes the last units off sale says that they are out, and given free that they are back', () => {
    const out = given(...stocked('A', ['w', 5])).when(keep(5))
    expect(types(out.facts)).toEqual(['stock.updated', 'stock.low', 'stock.out'])
    out.when(keep(5)).then()
    expect(types(out.when(keep(1)).facts)).toEqual(['stock.updated', 'stock.back'])
  })

  test('does not touch what is reserved already', () => {
    const held = given(...stocked('A', ['w', 5]))
      .when({ type: 'reserve', reservationId: 'r1', lines: [{ sku: 'A', quantity: 4 }], ttlSeconds: 9 })
      .when(keep(5))
    expect(available(held.states)).toBe(0)
    const sold = held.when({ type: 'confirm', reservationId: 'r1' })
    expect(stockIn(sold.states, 'A')?.stock).toMatchObject({ onHand: 1, reserved: 0, available: 0 })
  })
})

describe('backorders', () => {
  const allow = (backorderLimit: number, warehouseId = 'w'): Command => ({
    type: 'plan',
    sku: 'A',
    warehouseId,
    backorderLimit,
  })
  const levelOf = (states: States, warehouseId = 'w') =>
    stockIn(states, 'A')?.stock.levels.find((level) => level.warehouseId === warehouseId)

  test('are taken up to the limit and never beyond, what is there first, wherever it is', () => {
    const open = given(...stocked('A', ['w', 2], ['v', 3])).when(allow(4))
    expect(available(open.states)).toBe(9)
    open.when(order(10)).rejected('insufficient-stock', { lines: [{ sku: 'A', requested: 10, available: 9 }] })
    const there = open.when(order(5))
    expect(there.facts.filter(isMovement).map((fact) => [fact.warehouseId, fact.onHandDelta])).toEqual([
      ['w', -2],
      ['v', -3],
    ])
    const all = open.when(order(9))
    expect(levelOf(all.states)).toMatchObject({ onHand: 0, backordered: 4, backorderLimit: 4 })
    expect(stockIn(all.states, 'A')?.stock).toMatchObject({ onHand: 0, available: 0 })
    all.when({ type: 'order', orderId: 'o2', lines: [{ sku: 'A', quantity: 1 }] }).rejected('insufficient-stock')
  })

  test('are filled first by what comes in, be it brought, returned or counted', () => {
    const owed = given(...stocked('A', ['w', 2]))
      .when(allow(5))
      .when(order(6))
    expect(levelOf(owed.states)).toMatchObject({ onHand: 0, backordered: 4 })
    const received = owed.when({ type: 'adjust', sku: 'A', warehouseId: 'w', delta: 3 })
    expect(levelOf(received.states)).toMatchObject({ onHand: 0, backordered: 1 })
    const rest = received.when({ type: 'adjust', sku: 'A', warehouseId: 'w', delta: 4 })
    expect(levelOf(rest.states)).toEqual({ ...levelOf(rest.states), onHand: 3, reserved: 0, backorderLimit: 5 })
    expect(levelOf(rest.states)?.backordered).toBeUndefined()
    expect(levelOf(owed.when({ type: 'cancel', orderId: 'o1' }).states)).toMatchObject({ onHand: 2 })
    const counted = owed.when({ type: 'set-quantity', sku: 'A', warehouseId: 'w', quantity: 5 })
    counted.answers({ productId: 'p-A', sku: 'A', warehouseId: 'w', previousQuantity: 0, newQuantity: 1, available: 6 })
  })

  test('may be reserved, confirmed and given back', () => {
    const held = given(...stocked('A', ['w', 2]))
      .when(allow(3))
      .when({ type: 'reserve', reservationId: 'r1', lines: [{ sku: 'A', quantity: 5 }], ttlSeconds: 9 })
    expect(levelOf(held.states)).toMatchObject({ onHand: 2, reserved: 5 })
    expect(available(held.states)).toBe(0)
    expect(levelOf(held.when({ type: 'confirm', reservationId: 'r1' }).states)).toMatchObject({
      reserved: 0,
      backordered: 3,
    })
    expect(available(held.when({ type: 'release', reservationId: 'r1' }).states)).toBe(5)
  })

  test('that are promised keep the limit from falling below them, and units from being taken away beneath them', () => {
    const owed = given(...stocked('A', ['w', 2]))
      .when(allow(5))
      .when(order(5))
    owed.when(allow(2)).rejected('below-promised', { sku: 'A', warehouseId: 'w', requested: 2, promised: 3 })
    expect(available(owed.when(allow(3)).states)).toBe(0)
    owed.when({ type: 'adjust', sku: 'A', warehouseId: 'w', delta: -1 }).rejected('below-reserved')
  })
})

test('a first count is set while nothing moved, and kept from then on', () => {
  const first: Command = { type: 'set-initial', sku: 'A', productId: 'p-A', warehouseId: 'w', quantity: 9 }
  const counted = given(...stocked('A', ['w', 0])).when(first)
  expect(available(counted.states)).toBe(9)
  counted.when(first).then()
  expect(available(counted.when({ ...first, quantity: 20 }).states)).toBe(9)
})

test('a SKU that rests may move to another product, and one in use may not', () => {
  const move: Command = { type: 'set-initial', sku: 'A', productId: 'p2', warehouseId: 'w', quantity: 1 }
  const start = given(...stocked('A', ['w', 5]))
  start.when(move).rejected('sku-conflict', { sku: 'A', productId: 'p-A' })
  const moved = start.when({ type: 'deactivate', productId: 'p-A', skus: ['A'] }).when(move)
  expect(stockIn(moved.states, 'A')?.stock).toMatchObject({ productId: 'p2', active: true, onHand: 5 })
})

/** Any commands on two SKUs and two warehouses, few ids and small numbers, so that they meet. */
const line = fc.record({ sku: fc.constantFrom('A', 'B', 'Z'), quantity: fc.integer({ min: 1, max: 6 }) })
const lines = fc.array(line, { minLength: 1, maxLength: 3 })
const id = fc.constantFrom('1', '2', '3', '4', '5', '6')
const commands = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant('order' as const), orderId: id, lines }),
    fc.record({ type: fc.constant('return' as const), orderId: id, lines }),
    fc.record({ type: fc.constant('cancel' as const), orderId: id }),
    fc.record({ type: fc.constant('reserve' as const), reservationId: id, lines, ttlSeconds: fc.constant(60) }),
    fc.record({ type: fc.constant('confirm' as const), reservationId: id }),
    fc.record({
      type: fc.constant('plan' as const),
      sku: fc.constantFrom('A', 'B'),
      warehouseId: fc.constantFrom('near', 'far'),
      safetyStock: fc.nat(4),
    }),
    fc.record({
      type: fc.constant('plan' as const),
      sku: fc.constantFrom('A', 'B'),
      warehouseId: fc.constantFrom('near', 'far'),
      backorderLimit: fc.nat(5),
    }),
    fc.record({
      type: fc.constant('adjust' as const),
      sku: fc.constantFrom('A', 'B'),
      warehouseId: fc.constantFrom('near', 'far'),
      delta: fc.integer({ min: -3, max: 0 }),
    }),
    fc.record({ type: fc.constant('release' as const), reservationId: id }),
    fc.record({ type: fc.constant('release' as const), reservationId: id, lines }),
  ),
  { maxLength: 40 },
)

test('whatever comes in whatever order: nothing is oversold, nothing half done, and ledger, counters and events agree', () => {
  const initial = 12
  fc.assert(
    fc.property(commands, (sequence) => {
      const start = [...stocked('A', ['near', 5], ['far', 7]), ...stocked('B', ['near', 12])]
      let outcome: { states: States; facts: InventoryFact[]; when: ReturnType<typeof given>['when'] } = given(
        ...start,
      ).when({
        type: 'expire',
        reservationIds: [],
      })
      const ledger: Movement[] = [...start]
      for (const command of sequence) {
        const before = outcome.states
        const next = outcome.when(command)
        const moved = next.facts.filter(isMovement)
        ledger.push(...moved)
        if (command.type === 'order' || command.type === 'reserve') {
          const asked = command.lines.reduce((sum, one) => sum + one.quantity, 0)
          const taken = moved.reduce((sum, fact) => sum - fact.onHandDelta + fact.reservedDelta, 0)
          expect(taken === asked || taken === 0).toBe(true)
        }
        for (const event of next.events) {
          const contract = inventoryEvents[event.type as keyof typeof inventoryEvents]
          contract.parse(JSON.parse(JSON.stringify(event.data)))
          expect(event.version).toBeGreaterThan(before.get(event.entity)?.version ?? 0)
        }
        outcome = next
        for (const sku of ['A', 'B']) {
          const stock = (stockIn(outcome.states, sku) as StockState).stock
          for (const level of stock.levels) {
            const its = ledger.filter((fact) => fact.itemId === level.inventoryItemId)
            const { backordered = 0, backorderLimit = 0 } = level
            expect(level.onHand - backordered).toBe(its.reduce((sum, fact) => sum + fact.onHandDelta, 0))
            expect(level.reserved).toBe(its.reduce((sum, fact) => sum + fact.reservedDelta, 0))
            expect(level.reserved).toBeGreaterThanOrEqual(0)
            expect(level.reserved + backordered).toBeLessThanOrEqual(level.onHand + backorderLimit)
            expect(level.onHand).toBeGreaterThanOrEqual(0)
            expect(backordered === 0 || level.onHand === 0).toBe(true)
            expect(backordered).toBeLessThanOrEqual(backorderLimit)
          }
          expect(stock.available).toBe(stock.levels.reduce((sum, level) => sum + sellable(level), 0))
          expect(stock.onHand).toBeLessThanOrEqual(initial)
          const sold = ['1', '2', '3', '4', '5', '6']
            .flatMap((order) => orderIn(outcome.states, order)?.lines ?? [])
            .filter((one) => one.sku === sku)
            .reduce((sum, one) => sum + one.quantity - one.returned, 0)
          const owed = stock.levels.reduce((sum, level) => sum + (level.backordered ?? 0), 0)
          expect(sold + stock.onHand - owed).toBeLessThanOrEqual(initial)
        }
      }
    }),
    { numRuns: 200 },
  )
})
