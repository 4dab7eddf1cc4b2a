/** Which carts their owners may still change. */
import { Rejected } from '../../engine/decider.ts'
import type { Cart } from './events.ts'

export const isOpen = ({ mergedInto, inCheckout, boughtBy }: Cart) =>
  mergedInto === undefined && inCheckout === undefined && boughtBy === undefined

/** Throws `cart-merged`; `cart-checked-out` also while the checkout is under way. */
export function mustBeOpen({ id: cartId, mergedInto, inCheckout, boughtBy }: Cart): void {
  if (mergedInto !== undefined)
    throw new Rejected('cart-merged', { cartId, mergedInto }, `the cart was merged into ${mergedInto}`)
  const checkoutId = boughtBy ?? inCheckout
  if (checkoutId === undefined) return
  const message =
    boughtBy === undefined ? `the cart is in checkout ${checkoutId}` : `the cart was bought by checkout ${checkoutId}`
  throw new Rejected('cart-checked-out', { cartId, checkoutId }, message)
}
