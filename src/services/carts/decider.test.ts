import { test } from 'vitest'
import { specification } from '../../engine/decider-testing.ts'
import { type CartsFact, cartsDecider } from './decider.ts'
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
