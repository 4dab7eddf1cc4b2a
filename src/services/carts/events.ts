/** What carts tell: the contracts of their events, and the cart they carry. */
import { z } from 'zod'
import { money } from '../catalog/events.ts'
import { checkout } from '../checkout/events.ts'

/** What happened to a line since its owner last looked. A price that changed is no notice any more once it was acknowledged; the others stay, marked. */
export const notice = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('no-longer-sold'), acknowledged: z.boolean() }),
  z.strictObject({ kind: z.literal('out-of-stock'), acknowledged: z.boolean() }),
  /** Fewer than the line asks for. */
  z.strictObject({ kind: z.literal('only-left'), left: z.int(), acknowledged: z.boolean() }),
  z.strictObject({ kind: z.literal('price-changed'), from: money, to: money, acknowledged: z.boolean() }),
])
export type Notice = z.infer<typeof notice>

export const cartLine = z.strictObject({
  sku: z.string(),
  quantity: z.int(),
  /** One unit's, as its owner last saw it; null when there was none. */
  price: money.nullable(),
  notices: z.array(notice),
})
export type CartLine = z.infer<typeof cartLine>

export const cart = z.strictObject({
  id: z.string(),
  customerId: z.string().nullable(),
  /** Of somebody who is not known yet. */
  anonymousId: z.string().nullable(),
  /** Each SKU once, in the order they were put in. */
  lines: z.array(cartLine),
  /** The cart that has what was in it. */
  mergedInto: z.string().optional(),
  /** The checkout that is buying it: until it is over nothing is put in, taken out or merged. */
  inCheckout: z.string().optional(),
  /** The checkout that bought it. */
  boughtBy: z.string().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
})
export type Cart = z.infer<typeof cart>

/** A line that came from another cart: how many there were in both, and how many there are now; fewer when there is less in stock. */
export const mergedLine = z.strictObject({ sku: z.string(), asked: z.int(), quantity: z.int() })
export type MergedLine = z.infer<typeof mergedLine>
export const merged = z.strictObject({ from: z.string(), lines: z.array(mergedLine) })
export type Merged = z.infer<typeof merged>

/** key and entity = `cart/<id>`. */
export const cartEvents = {
  'cart.created': z.strictObject({ cart }),
  /** By its owner: lines put in, changed, taken out, notices acknowledged, another cart merged into it. */
  'cart.updated': z.strictObject({ cart, skus: z.array(z.string()), merged: merged.optional() }),
  /** Stock or prices changed what is said of these SKUs' lines. */
  'cart.validated': z.strictObject({ cart, skus: z.array(z.string()) }),
  /** It is over: what was in it is in `mergedInto`. */
  'cart.merged': z.strictObject({ cart, skus: z.array(z.string()) }),
  /** It is being bought as it is: `inCheckout` says by which checkout. */
  'cart.checkout.started': z.strictObject({ cart }),
  /** It was not bought, and is its owner's again. */
  'cart.checkout.failed': z.strictObject({ cart, checkoutId: z.string(), failure: checkout.shape.failure }),
  /** It is over: it is an order, paid; `boughtBy` has the order's id too. */
  'cart.bought': z.strictObject({ cart }),
}
