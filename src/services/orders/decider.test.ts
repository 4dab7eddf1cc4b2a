import { expect, test } from 'vitest'
import { specification } from '../../engine/decider-testing.ts'
import { type OrderDeed, type OrdersFact, ordersDecider, type Sold } from './decider.ts'
import type { Order } from './events.ts'

const eur = (amount: number) => ({ amount, currency: 'EUR' })
const at = '2026-01-01T00:00:00.000Z'
const main = (quantity: number) => [{ warehouseId: 'main', quantity }]
const order: Order = {
  id: 'o1',
  status: 'confirmed',
  customerId: 'ida',
  reservationId: null,
  lines: [
    { sku: 'A', productId: 'p', quantity: 3, returned: 0, unitPrice: eur(500), allocations: main(3) },
    { sku: 'B', productId: 'p', quantity: 1, returned: 0, unitPrice: null, allocations: main(1) },
  ],
  totals: [eur(1500)],
  history: [{ status: 'confirmed', at, actor: 'shop', reason: null }],
  createdAt: at,
  updatedAt: at,
}
const created: OrdersFact = { type: 'order.created', entity: 'order/o1', order }
const { given } = specification(ordersDecider)

const sold: Sold = {
  lines: [
    { sku: 'A', productId: 'p', quantity: 3, allocations: main(3) },
    { sku: 'B', productId: 'p', quantity: 1, allocations: main(1) },
  ],
}
const open: Extract<OrderDeed, { type: 'open' }> = {
  type: 'open',
  orderId: 'o1',
  customerId: 'ida',
  reservationId: null,
  lines: [
    { sku: 'A', quantity: 2, unitPrice: eur(500) },
    { sku: 'B', quantity: 1, unitPrice: null },
    { sku: 'A', quantity: 1, unitPrice: eur(500) },
  ],
  by: 'shop',
  sold,
}
const mark = (status: 'paid' | 'fulfilled'): OrderDeed => ({
  type: 'mark',
  orderId: 'o1',
  status,
  reason: null,
  by: 'clerk',
})
const back = (as: 'cancelled' | 'returned', ...lines: Sold['lines']): OrderDeed => ({
  type: 'give-back',
  orderId: 'o1',
  as,
  reason: 'too small',
  by: 'clerk',
  back: { lines },
})
const unitsOf = (sku: string, quantity: number) => ({ sku, quantity, allocations: main(quantity) })
const statuses = (fact: OrdersFact | undefined) => fact?.order.history.map((entry) => entry.status)

test('an order keeps what inventory took, at the prices it was sold at, with what they come to', () => {
  given().when(open).then(created)
})

test('an order’s totals stand by currency, and what can’t be counted exactly is no order', () => {
  const twice = given().when({
    ...open,
    lines: [
      { sku: 'A', quantity: 3, unitPrice: eur(500) },
      { sku: 'B', quantity: 1, unitPrice: { amount: 9, currency: 'SEK' } },
    ],
  })
  expect(twice.facts[0]?.order.totals).toEqual([eur(1500), { amount: 9, currency: 'SEK' }])
  const huge = [{ sku: 'A', quantity: 3, unitPrice: eur(Number.MAX_SAFE_INTEGER) }]
  given()
    .when({ ...open, lines: huge })
    .rejected('total-too-large')
})

test('one SKU is not sold at two prices in an order', () => {
  const lines = [
    { sku: 'A', quantity: 2, unitPrice: eur(500) },
    { sku: 'A', quantity: 1, unitPrice: eur(501) },
  ]
  given()
    .when({ ...open, lines })
    .rejected('price-conflict', { sku: 'A' })
})

test('an order id is taken once', () => {
  given(created).when(open).rejected('already-exists', { id: 'o1' })
})

test('a reservation is sold for its own order and as it is, once', () => {
  const reserved: OrderDeed = { ...open, reservationId: 'r1', sold: { ...sold, orderId: 'o1' } }
  const first = given().when(reserved)
  expect(first.facts[0]?.order.reservationId).toBe('r1')
  first.when(reserved).then()
  const other = { ...reserved, sold: { ...sold, orderId: 'o2' } }
  given().when(other).rejected('reservation-mismatch', { reservedFor: 'o2' })
  const less: OrderDeed = { ...reserved, lines: [{ sku: 'A', quantity: 3 }] }
  given()
    .when(less)
    .rejected('reservation-mismatch', { lines: [{ sku: 'B', requested: 0, held: 1 }] })
})

test('an order is paid and then fulfilled, and not moved back', () => {
  const paid = given(created).when(mark('paid'))
  const fulfilled = paid.when(mark('fulfilled'))
  expect(statuses(fulfilled.facts[0])).toEqual(['confirmed', 'paid', 'fulfilled'])
  expect(fulfilled.events[0]?.data).toMatchObject({ previousStatus: 'paid', newStatus: 'fulfilled' })
  fulfilled.when(mark('paid')).then()
  fulfilled.when(mark('fulfilled')).then()
  given(created).when(mark('fulfilled')).when(mark('paid')).rejected('order-status', { orderStatus: 'fulfilled' })
})

test('what is given back is told line by line; all of it makes the order returned', () => {
  const part = given(created).when(back('returned', unitsOf('A', 2)))
  expect(part.events[0]?.data).toMatchObject({
    newStatus: 'partly-returned',
    reason: 'too small',
    changes: [
      { field: 'status', oldValue: 'confirmed', newValue: 'partly-returned' },
      { field: 'lines.A.returned', oldValue: 0, newValue: 2 },
    ],
    order: { lines: [{ returned: 2, allocations: main(1) }, { returned: 0 }] },
  })
  const more = part.when(back('returned', unitsOf('A', 1)))
  expect(more.events[0]?.data).toMatchObject({ previousStatus: 'partly-returned', newStatus: 'partly-returned' })
  const all = more.when(back('returned', unitsOf('B', 1)))
  expect(all.facts[0]?.order).toMatchObject({ status: 'returned', lines: [{ allocations: [] }, { allocations: [] }] })
  all.when(back('returned')).then()
})

test('what came back before an order was sent does not keep the rest from being sent', () => {
  const sent = given(created)
    .when(back('returned', unitsOf('A', 1)))
    .when(mark('fulfilled'))
  expect(sent.facts[0]?.order.status).toBe('fulfilled')
  sent
    .when(back('returned', unitsOf('A', 1)))
    .when(mark('paid'))
    .rejected('order-status')
})

test('an order is cancelled until it was fulfilled, and once', () => {
  const cancelled = given(created).when(back('cancelled', unitsOf('A', 3), unitsOf('B', 1)))
  expect(cancelled.facts[0]?.order.status).toBe('cancelled')
  cancelled.when(back('cancelled')).then()
  cancelled.when(mark('paid')).rejected('order-status', { orderStatus: 'cancelled', wanted: 'paid' })
  const fulfilled = given(created).when(mark('fulfilled'))
  fulfilled.when(back('cancelled', unitsOf('A', 3))).rejected('order-status')
})

test('what is no order can’t be marked; what inventory alone knows is given back by it alone', () => {
  given().when(mark('paid')).rejected('not-found')
  given()
    .when(back('returned', unitsOf('A', 1)))
    .then()
    .answers({ orderId: 'o1', status: 'returned', lines: [unitsOf('A', 1)], totals: [] })
})
