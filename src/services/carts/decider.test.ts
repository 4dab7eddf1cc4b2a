import { test } from 'vitest'
import { specification } from '../../engine/decider-testing.ts'
import { type CartsCommand, type CartsFact, cartsDecider } from './decider.ts'
import type { Cart, CartLine } from './events.ts'
import type { Goods } from './validation.ts'

const carts = specification(cartsDecider)
const at = '2026-01-01T00:00:00.000Z'
const eur = (amount: number) => ({ amount, currency: 'EUR' })
const goods: Goods = { sku: 'A', live: true, available: 5, price: eur(1000) }
const lineA: CartLine = { sku: 'A', quantity: 2, price: eur(1000), notices: [] }
const cart = (...lines: CartLine[]): Cart => ({
  id: 'c1',
  customerId: null,
  anonymousId: 'visitor',
  lines,
  createdAt: at,
  updatedAt: at,
})
const fact = (type: CartsFact['type'], cart: Cart, ...skus: string[]): CartsFact => ({
  type,
  entity: 'cart/c1',
  cart,
  skus,
})
const given = (...lines: CartLine[]) => carts.given(fact('cart.created', cart(...lines)))

test('a line is put in at the price of now', () => {
  given()
    .when({ type: 'put', cartId: 'c1', sku: 'A', quantity: 2, goods })
    .then(fact('cart.updated', cart(lineA), 'A'))
})

test('its quantity can be set anew; the price stays the one its owner saw', () => {
  const dearer = { ...goods, price: eur(1200) }
  const notices = [{ kind: 'price-changed' as const, from: eur(1000), to: eur(1200), acknowledged: false }]
  given(lineA)
    .when({ type: 'put', cartId: 'c1', sku: 'A', quantity: 4, goods: dearer })
    .then(fact('cart.updated', cart({ ...lineA, quantity: 4, notices }), 'A'))
})

test('the same again changes nothing', () => {
  given(lineA).when({ type: 'put', cartId: 'c1', sku: 'A', quantity: 2, goods }).then()
  given(lineA)
    .when({ type: 'validate', cartId: 'c1', goods: [goods] })
    .then()
  given(lineA).when({ type: 'take-out', cartId: 'c1', sku: 'B' }).then()
  given(lineA)
    .when({ type: 'acknowledge', cartId: 'c1', goods: [goods] })
    .then()
})

test('a SKU that nobody knows, or that is not for sale, is not put in', () => {
  given().when({ type: 'put', cartId: 'c1', sku: 'B', quantity: 1 }).rejected('unknown-sku')
  given()
    .when({ type: 'put', cartId: 'c1', sku: 'A', quantity: 1, goods: { ...goods, live: false } })
    .rejected('inactive-sku')
})

test('a line is taken out', () => {
  given(lineA)
    .when({ type: 'take-out', cartId: 'c1', sku: 'A' })
    .then(fact('cart.updated', cart(), 'A'))
})

test('validation speaks of the lines with these goods alone, and names those it changed', () => {
  const lineB: CartLine = { ...lineA, sku: 'B' }
  const marked: CartLine = { ...lineA, notices: [{ kind: 'only-left', left: 1, acknowledged: false }] }
  given(lineA, lineB)
    .when({ type: 'validate', cartId: 'c1', goods: [{ ...goods, available: 1 }] })
    .then(fact('cart.validated', cart(marked, lineB), 'A'))
})

test('there are at most a hundred lines', () => {
  const many = Array.from({ length: 100 }, (_, n) => ({ ...lineA, sku: `S${n}` }))
  given(...many)
    .when({ type: 'put', cartId: 'c1', sku: 'A', quantity: 1, goods })
    .rejected('cart-full', { most: 100 })
})

test('a cart is there once, and nothing is done with one that is not there', () => {
  given().when({ type: 'create', cartId: 'c1', customerId: 'x', anonymousId: null }).rejected('already-exists')
  carts.given().when({ type: 'acknowledge', cartId: 'c1', goods: [] }).rejected('not-found', { id: 'c1' })
})

const { id: cartId } = cart()
const bySeen: Extract<CartsCommand, { type: 'check-out' }> = {
  type: 'check-out',
  cartId,
  checkoutId: 'k1',
  lines: [{ sku: 'A', quantity: 2 }],
}
const settle = (status: 'running' | 'completed' | 'compensated', checkoutId = 'k1') =>
  ({ type: 'settle', cartId, checkoutId, outcome: { status, failure: null } }) as const
const buying = () => given(lineA).when(bySeen)

test('while a checkout buys a cart it is left as it is: nothing is put in, taken out, seen, told, merged or bought again', () => {
  const inCheckout = { ...cart(lineA), inCheckout: 'k1' }
  buying().then(fact('cart.checkout.started', inCheckout))
  const other: CartsFact = { ...fact('cart.created', { ...cart(), id: 'c2', customerId: 'ida' }), entity: 'cart/c2' }
  const held = carts.given(fact('cart.created', inCheckout), other)
  const commands: CartsCommand[] = [
    { type: 'put', cartId, sku: 'A', quantity: 1, goods },
    { type: 'take-out', cartId, sku: 'A' },
    { type: 'acknowledge', cartId, goods: [goods] },
    { type: 'merge', cartId: 'c2', from: cartId, goods: [goods] },
    { type: 'merge', cartId, from: 'c2', goods: [] },
    { ...bySeen, checkoutId: 'k2' },
  ]
  for (const command of commands) held.when(command).rejected('cart-checked-out', { cartId, checkoutId: 'k1' })
  held.when({ type: 'validate', cartId, goods: [{ ...goods, available: 0 }] }).then()
})

test('bought it is over; not bought it is its owner’s again, and is told why', () => {
  const bought = buying().when(settle('completed'))
  bought.then(fact('cart.bought', { ...cart(lineA), boughtBy: 'k1' }))
  bought.when({ type: 'put', cartId, sku: 'A', quantity: 1, goods }).rejected('cart-checked-out', { checkoutId: 'k1' })
  const failure = { code: 'payment-declined', message: 'the payment was declined', detail: {} }
  const failed = buying().when({ ...settle('compensated'), outcome: { status: 'compensated', failure } })
  failed.then({ ...fact('cart.checkout.failed', cart(lineA)), checkoutId: 'k1', failure })
  failed.when({ ...bySeen, checkoutId: 'k2' }).then(fact('cart.checkout.started', { ...cart(lineA), inCheckout: 'k2' }))
})

test('what becomes of a checkout that does not have the cart, or is under way, changes nothing, and is never refused', () => {
  buying().when(settle('running')).then()
  buying().when({ type: 'settle', cartId, checkoutId: 'k1' }).then()
  buying().when(settle('compensated', 'k2')).then()
  buying().when(settle('completed')).when(settle('compensated')).then()
  carts.given().when(settle('completed')).then()
})

test('a cart that was changed since it was priced is not bought: its buyer would pay for what he did not see', () => {
  for (const lines of [
    [{ sku: 'A', quantity: 1 }],
    [{ sku: 'B', quantity: 2 }],
    [...(bySeen.lines ?? []), { sku: 'B', quantity: 1 }],
    [],
  ])
    given(lineA)
      .when({ ...bySeen, lines })
      .rejected('cart-changed', { cartId })
})
