/**
 * The rules of carts: what their owners put in, what is said of it when stock and prices change, and who may buy it. A cart that a checkout is buying is left
 * as it is, so that what is paid for is in no other cart too, and nothing is put into one that is about to be over.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Decider, type Decision, type EntityId, Rejected } from '../../engine/decider.ts'
import type { Checkout } from '../checkout/events.ts'
import type { Cart, CartLine, Merged } from './events.ts'
import { merge } from './merging.ts'
import { isOpen, mustBeOpen } from './open.ts'
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
  /** A checkout begins to buy it, priced with these lines; without them whatever is in it. */
  | { type: 'check-out'; cartId: string; checkoutId: string; lines?: { sku: string; quantity: number }[] }
  /** What became of its checkout. Of one that is under way, or has it no more, it changes nothing; it is never refused. */
  | { type: 'settle'; cartId: string; checkoutId: string; outcome?: CheckoutOutcome }

export type CheckoutOutcome = Pick<Checkout, 'status' | 'failure'>

export interface CartsFact {
  type:
    | 'cart.created'
    | 'cart.updated'
    | 'cart.validated'
    | 'cart.merged'
    | 'cart.checkout.started'
    | 'cart.checkout.failed'
    | 'cart.bought'
  entity: EntityId
  cart: Cart
  /** Whose lines are not as they were. */
  skus: string[]
  /** Into it. */
  merged?: Merged
  /** That failed. */
  checkoutId?: string
  failure?: Checkout['failure']
}

export const cartEntity = (cartId: string): EntityId => `cart/${cartId}`

export const LINES_MAX = 100

export const cartsDecider: Decider<Cart, CartsCommand, CartsFact> = {
  touches: (command) =>
    command.type === 'merge' ? [cartEntity(command.cartId), cartEntity(command.from)] : [cartEntity(command.cartId)],
  creates: (command) => (command.type === 'create' ? [cartEntity(command.cartId)] : []),
  evolve: (_, fact) => fact.cart,
  tell({ type, entity, cart, skus, merged, checkoutId, failure }) {
    if (type === 'cart.checkout.failed') return { key: entity, data: { cart, checkoutId, failure: failure ?? null } }
    if (type === 'cart.created' || type === 'cart.checkout.started' || type === 'cart.bought')
      return { key: entity, data: { cart } }
    return { key: entity, data: { cart, skus, ...(merged && { merged }) } }
  },
  decide(states, command, now) {
    const { cartId } = command
    const state = states.get(cartEntity(cartId))?.state
    const at = now.toISOString()
    if (command.type === 'create') return create(state, command, at)
    if (command.type === 'settle') return settle(state, command, at)
    if (command.type === 'validate' && state && !isOpen(state)) return { facts: [] }
    const cart = existing(state, cartId)
    if (command.type === 'merge') {
      const { from, goods } = command
      return merge(cart, existing(states.get(cartEntity(from))?.state, from), goods, at)
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
      case 'check-out':
        return checkOut(cart, command, at)
    }
  },
}

function existing(cart: Cart | undefined, cartId: string): Cart {
  if (cart) return cart
  throw new Rejected('not-found', { what: 'cart', id: cartId }, `there is no cart ${JSON.stringify(cartId)}`)
}

type Of<Type extends CartsCommand['type']> = Extract<CartsCommand, { type: Type }>

function create(
  state: Cart | undefined,
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

/** Throws `cart-changed` when it was priced with other lines than it has by now: its buyer would get, and pay, what he did not see. */
function checkOut(cart: Cart, { checkoutId, lines }: Of<'check-out'>, at: string): Decision<CartsFact> {
  const { id } = cart
  const seen = new Map(lines?.map(({ sku, quantity }) => [sku, quantity]))
  if (lines && (seen.size !== cart.lines.length || cart.lines.some((line) => seen.get(line.sku) !== line.quantity)))
    throw new Rejected('cart-changed', { cartId: id }, 'the cart was changed while it was being priced')
  const held = { ...cart, inCheckout: checkoutId, updatedAt: at }
  return { facts: [{ type: 'cart.checkout.started', entity: cartEntity(id), cart: held, skus: [] }] }
}

function settle(cart: Cart | undefined, { checkoutId, outcome }: Of<'settle'>, at: string): Decision<CartsFact> {
  // One that began before carts knew of theirs is not known to have it, and buys it all the same.
  const buys = cart && (cart.inCheckout === checkoutId || (isOpen(cart) && outcome?.status === 'completed'))
  if (!buys) return { facts: [] }
  const { inCheckout: _, ...rest } = { ...cart, updatedAt: at }
  const about = { entity: cartEntity(cart.id), skus: [] }
  if (outcome?.status === 'completed')
    return { facts: [{ type: 'cart.bought', ...about, cart: { ...rest, boughtBy: checkoutId } }] }
  if (outcome?.status !== 'compensated') return { facts: [] }
  return { facts: [{ type: 'cart.checkout.failed', ...about, cart: rest, checkoutId, failure: outcome.failure }] }
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
