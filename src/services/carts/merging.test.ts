import { expect, test } from 'vitest'
import { specification } from '../../engine/decider-testing.ts'
import { type CartsFact, cartsDecider } from './decider.ts'
import type { Cart, CartLine } from './events.ts'
import type { Goods } from './validation.ts'

const carts = specification(cartsDecider)
const at = '2026-01-01T00:00:00.000Z'
const eur = (amount: number) => ({ amount, currency: 'EUR' })
const goodsA: Goods = { sku: 'A', live: true, available: 9, price: eur(1000) }
const lineOf = (sku: string, quantity: number, price = 1000): CartLine => ({
  sku,
  quantity,
  price: eur(price),
  notices: [],
})
const cart = (id: string, customerId: string | null, ...lines: CartLine[]): Cart => ({
  id,
  customerId,
  anonymousId: customerId === null ? 'visitor' : null,
  lines,
  createdAt: at,
  updatedAt: at,
})
const created = (cart: Cart): CartsFact => ({ type: 'cart.created', entity: `cart/${cart.id}`, cart, skus: [] })
const given = (mine: CartLine[], theirs: CartLine[]) =>
  carts.given(created(cart('mine', 'ida', ...mine)), created(cart('anon', null, ...theirs)))
const merge = (...goods: Goods[]) => ({ type: 'merge', cartId: 'mine', from: 'anon', goods }) as const

test('what is in the anonymous cart comes into the customer’s, and that one is over and says where it went', () => {
  const [mine, theirs] = [
    [lineOf('A', 2, 900), lineOf('B', 1)],
    [lineOf('A', 3), lineOf('C', 4)],
  ]
  const notices = [{ kind: 'price-changed' as const, from: eur(900), to: eur(1000), acknowledged: false }]
  const merged = {
    from: 'anon',
    lines: [
      { sku: 'A', asked: 5, quantity: 5 },
      { sku: 'C', asked: 4, quantity: 4 },
    ],
  }
  const lines = [{ ...lineOf('A', 5, 900), notices }, lineOf('B', 1), lineOf('C', 4)]
  given(mine, theirs)
    .when(merge(goodsA, { ...goodsA, sku: 'C' }))
    .then(
      {
        type: 'cart.updated',
        entity: 'cart/mine',
        cart: cart('mine', 'ida', ...lines),
        skus: ['A', 'C'],
        merged,
      },
      {
        type: 'cart.merged',
        entity: 'cart/anon',
        cart: { ...cart('anon', null), mergedInto: 'mine' },
        skus: ['A', 'C'],
      },
    )
    .answers({ id: 'mine', merged })
})

const shelf = { ...goodsA, available: 4 }
test.each([
  ['enough for both', 1, 3, shelf, 4, []],
  ['not enough for both: as many as there are', 3, 3, shelf, 4, []],
  ['not even enough for the customer’s own: he keeps his', 6, 1, shelf, 6, ['only-left']],
  ['not enough for the other’s alone', 0, 7, shelf, 4, []],
  ['none left: the customer’s own stays', 2, 3, { ...shelf, available: 0 }, 2, ['out-of-stock']],
  ['none left of what only the other had: it comes along', 0, 3, { ...shelf, available: 0 }, 3, ['out-of-stock']],
  ['no longer sold: it comes along', 0, 3, { ...shelf, live: false }, 3, ['no-longer-sold']],
  ['put in just now, and not looked up', 2, 3, undefined, 5, []],
  ['more than can be counted', 999_999_999, 9, { ...shelf, available: 2e9 }, 1_000_000_000, []],
] as [
  string,
  number,
  number,
  Goods | undefined,
  number,
  string[],
][])('%s', (_, mine, theirs, goods, quantity, notices) => {
  const outcome = given(mine === 0 ? [] : [lineOf('A', mine)], [lineOf('A', theirs)]).when(
    merge(...(goods ? [goods] : [])),
  )
  expect(outcome.facts[0]).toMatchObject({
    cart: { lines: [{ sku: 'A', quantity, notices: notices.map((kind) => ({ kind })) }] },
    merged: { lines: [{ sku: 'A', asked: mine + theirs, quantity }] },
  })
})

test('asked again it changes nothing; into another it does not go, and nothing is put in any more', () => {
  const after = given([], [lineOf('A', 1)]).when(merge(goodsA))
  after
    .when(merge())
    .then()
    .answers({ id: 'mine', merged: { from: 'anon', lines: [] } })
  after.when({ type: 'validate', cartId: 'anon', goods: [goodsA] }).then()
  after
    .when({ type: 'put', cartId: 'anon', sku: 'A', quantity: 1, goods: goodsA })
    .rejected('cart-merged', { cartId: 'anon', mergedInto: 'mine' })
  after
    .when({ type: 'create', cartId: 'other', customerId: 'ida', anonymousId: null })
    .when({ ...merge(), cartId: 'other' })
    .rejected('cart-merged', { cartId: 'anon', mergedInto: 'mine' })
})

test('nobody’s cart comes into another customer’s, and a customer’s into no anonymous one', () => {
  const otherOnes = carts.given(created(cart('mine', 'ida')), created(cart('anon', 'bo', lineOf('A', 1))))
  otherOnes.when(merge(goodsA)).rejected('cart-owner', { cartId: 'mine', from: 'anon' })
  given([], [])
    .when({ ...merge(), cartId: 'anon', from: 'mine' })
    .rejected('cart-owner')
  given([], [])
    .when({ ...merge(), from: 'none' })
    .rejected('not-found', { id: 'none' })
})

test('a cart does not become larger than carts may be: all stays as it was', () => {
  const many = Array.from({ length: 99 }, (_, n) => lineOf(`S${n}`, 1))
  given(many, [lineOf('A', 1)])
    .when(merge(goodsA))
    .leaves('cart/anon', { ...cart('anon', null), mergedInto: 'mine' })
  given(many, [lineOf('A', 1), lineOf('B', 1)])
    .when(merge(goodsA))
    .rejected('cart-full', { most: 100 })
})
