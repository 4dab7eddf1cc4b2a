/** The rules of carts: what their owners put in, and what is said of it when stock and prices change. */
import { isDeepStrictEqual } from 'node:util'
import { type Decider, type Decision, type EntityId, Rejected } from '../../engine/decider.ts'
import type { Cart, CartLine, Merged } from './events.ts'
import { merge, mustBeOpen } from './merging.ts'
import { acknowledged, type Goods, marked } from './validation.ts'

/** `goods` are the line's, or the lines', as they can be bought now. */
export type CartsCommand =
  | { type: 'create'; cartId: string; customerId: string | null; anonymousId: string | null }
  /** So many of it, however many there were. */
  | { type: 'put'; cartId: string; sku: string; quantity: number; goods?: Goods }
  /** Taken out already, it changes nothing. */
  | { type: 'take-out'; cartId: string; sku: string }
  /** Its owner has seen what is said of its lines. */
  | { type: 'acknowledge'; cartId: string; goods: Goods[] }
  /** Says of the lines with these goods what is so now. */
  | { type: 'validate'; cartId: string; goods: Goods[] }
  /** What is in another one comes into it; asked again it changes nothing. */
  | { type: 'merge'; cartId: string; from: string; goods: Goods[] }

export interface CartState {
  cart: Cart
  /** The checkout that bought it. */
  checkoutId: string | null
}

export interface CartsFact {
  type: 'cart.created' | 'cart.updated' | 'cart.validated' | 'cart.merged'
  entity: EntityId
  cart: Cart
  skus: string[]
  /** Into it. */
  merged?: Merged
}

export const cartEntity = (cartId: string): EntityId => `cart/${cartId}`

export const LINES_MAX = 100

export const cartsDecider: Decider<CartState, CartsCommand, CartsFact> = {
  touches: (command) =>
    command.type === 'merge' ? [cartEntity(command.cartId), cartEntity(command.from)] : [cartEntity(command.cartId)],
  creates: (command) => (command.type === 'create' ? [cartEntity(command.cartId)] : []),
  evolve: (state, fact) => ({ cart: fact.cart, checkoutId: state?.checkoutId ?? null }),
  tell: ({ type, entity, cart, skus, merged }) => ({
    key: entity,
    data: type === 'cart.created' ? { cart } : { cart, skus, ...(merged && { merged }) },
  }),
  decide(states, command, now) {
    const { cartId } = command
    const state = states.get(cartEntity(cartId))?.state
    const at = now.toISOString()
    if (command.type === 'create') return create(state, command, at)
    if (command.type === 'validate' && state && (state.checkoutId !== null || state.cart.mergedInto !== undefined))
      return { facts: [] }
    const cart = notBought(state, cartId)
    if (command.type === 'merge') {
      const { from, goods } = command
      return merge(cart, notBought(states.get(cartEntity(from))?.state, from), goods, at)
    }
    mustBeOpen(cart)
    switch (command.type) {
      case 'put':
        return changed(cart, put(cart, command), at, 'cart.updated')
      case 'take-out':
        return changed(
          cart,
          cart.lines.filter((line) => line.sku !== command.sku),
          at,
          'cart.updated',
        )
      case 'acknowledge':
        return changed(cart, withGoods(cart, command.goods, acknowledged), at, 'cart.updated')
      case 'validate':
        return changed(cart, withGoods(cart, command.goods, marked), at, 'cart.validated')
    }
  },
}

/** Throws `not-found`, `cart-checked-out`. */
function notBought(state: CartState | undefined, cartId: string): Cart {
  if (!state)
    throw new Rejected('not-found', { what: 'cart', id: cartId }, `there is no cart ${JSON.stringify(cartId)}`)
  const { cart, checkoutId } = state
  if (checkoutId === null) return cart
  throw new Rejected('cart-checked-out', { cartId, checkoutId }, `the cart was bought by checkout ${checkoutId}`)
}

type Of<Type extends CartsCommand['type']> = Extract<CartsCommand, { type: Type }>

function create(
  state: CartState | undefined,
  { cartId: id, customerId, anonymousId }: Of<'create'>,
  at: string,
): Decision<CartsFact> {
  if (state) throw new Rejected('already-exists', { what: 'cart', id }, `there is a cart ${JSON.stringify(id)} already`)
  const cart: Cart = { id, customerId, anonymousId, lines: [], createdAt: at, updatedAt: at }
  return { facts: [{ type: 'cart.created', entity: cartEntity(id), cart, skus: [] }], answer: { id } }
}

/** A line keeps the price its owner saw first, until he says that he has seen another. */
function put({ lines }: Cart, { sku, quantity, goods }: Of<'put'>): CartLine[] {
  const at = lines.findIndex((line) => line.sku === sku)
  const before = lines[at]
  if (!before && !goods) throw new Rejected('unknown-sku', { lines: [{ sku }] }, `there is no ${sku}`)
  if (!before && !goods?.live) throw new Rejected('inactive-sku', { lines: [{ sku }] }, `${sku} is not for sale`)
  if (!before && lines.length >= LINES_MAX)
    throw new Rejected('cart-full', { most: LINES_MAX }, `a cart has at most ${LINES_MAX} lines`)
  const line = marked({ price: goods?.price ?? null, notices: [], ...before, sku, quantity }, goods)
  return before ? lines.with(at, line) : [...lines, line]
}

function withGoods({ lines }: Cart, goods: Goods[], change: typeof marked): CartLine[] {
  const known = new Map(goods.map((one) => [one.sku, one]))
  return lines.map((line) => (known.has(line.sku) ? change(line, known.get(line.sku)) : line))
}

/** Names the SKUs whose lines are not as they were. */
function changed(cart: Cart, lines: CartLine[], at: string, type: CartsFact['type']): Decision<CartsFact> {
  const { id } = cart
  const before = new Map(cart.lines.map((line) => [line.sku, line]))
  const after = new Map(lines.map((line) => [line.sku, line]))
  const skus = [...new Set([...before.keys(), ...after.keys()])].filter(
    (sku) => !isDeepStrictEqual(before.get(sku), after.get(sku)),
  )
  if (skus.length === 0) return { facts: [], answer: { id } }
  return { facts: [{ type, entity: cartEntity(id), cart: { ...cart, lines, updatedAt: at }, skus }], answer: { id } }
}
