/** What can be read of carts: always with what is so now, whoever has been told of it yet. */
import type { Sql } from '../../engine/database.ts'
import { syncToken } from '../../engine/event.ts'
import { cartEntity } from './decider.ts'
import type { Cart } from './events.ts'
import { isOpen } from './open.ts'
import { type Goods, marked } from './validation.ts'

export interface GoodsRow {
  sku: string
  live: boolean
  available: number
  amount: number | null
  currency: string | null
}

export const goodsFrom = ({ sku, live, available, amount, currency }: GoodsRow): Goods => ({
  sku,
  live,
  available,
  price: amount === null || currency === null ? null : { amount, currency },
})

export type CartView = Cart & {
  status: 'open' | 'in-checkout' | 'bought' | 'merged'
  /** That is buying it, or bought it. */
  checkoutId: string | null
  /** Nothing stands in the way of buying it as it is. */
  buyable: boolean
  version: number
  syncToken: string
}

interface Row {
  version: number
  cart: string
  goods: GoodsRow[] | null
}

export async function readCart(db: Sql, id: string): Promise<CartView | undefined> {
  const [row] = await db<Row>`
    select c.version, c.cart,
           (select jsonb_agg(jsonb_build_object('sku', g.sku, 'live', g.live, 'available', g.available, 'amount', g.amount, 'currency', g.currency))
            from   carts.lines l
            join   carts.goods g on g.sku = l.sku
            where  l.cart_id = c.id) as goods
    from   carts.carts c
    where  c.id = ${id}`
  return row && viewOf(row)
}

/** An owner's carts, newest first: ids made up here grow with time. */
export async function listCarts(
  db: Sql,
  {
    customerId,
    anonymousId,
    before,
    limit,
  }: { customerId?: string | undefined; anonymousId?: string | undefined; before?: string | undefined; limit: number },
): Promise<CartView[]> {
  const rows = await db<Row>`
    select c.version, c.cart,
           (select jsonb_agg(jsonb_build_object('sku', g.sku, 'live', g.live, 'available', g.available, 'amount', g.amount, 'currency', g.currency))
            from   carts.lines l
            join   carts.goods g on g.sku = l.sku
            where  l.cart_id = c.id) as goods
    from   carts.carts c
    where  (c.customer_id = ${customerId ?? null} or c.anonymous_id = ${anonymousId ?? null})
    and    (${before ?? null}::text is null or c.id < ${before ?? null})
    order  by c.id desc
    limit  ${limit}`
  return rows.map(viewOf)
}

export async function goodsOf(db: Sql, skus: string[]): Promise<Goods[]> {
  const rows = await db<GoodsRow>`
    select sku, live, available, amount, currency from carts.goods where sku = any(${skus}::text[])`
  return rows.map(goodsFrom)
}

/** Of what is in a cart. */
export async function goodsOfCart(db: Sql, cartId: string): Promise<Goods[]> {
  const rows = await db<GoodsRow>`
    select g.sku, g.live, g.available, g.amount, g.currency
    from   carts.lines l
    join   carts.goods g on g.sku = l.sku
    where  l.cart_id = ${cartId}`
  return rows.map(goodsFrom)
}

function viewOf({ version, cart: kept, goods }: Row): CartView {
  const cart: Cart = JSON.parse(kept)
  const now = new Map((goods ?? []).map((row) => [row.sku, goodsFrom(row)]))
  // What its checkout has taken for it is not missing to this cart.
  const lines = isOpen(cart) ? cart.lines.map((line) => marked(line, now.get(line.sku))) : cart.lines
  return {
    ...cart,
    lines,
    ...standing({ ...cart, lines }),
    version,
    syncToken: syncToken(cartEntity(cart.id), version),
  }
}

/** What may be done with it, by what is said of its lines. */
export function standing(cart: Cart): Pick<CartView, 'status' | 'checkoutId' | 'buyable'> {
  const { lines, mergedInto, inCheckout, boughtBy } = cart
  const status = isOpen(cart) ? 'open' : mergedInto !== undefined ? 'merged' : boughtBy ? 'bought' : 'in-checkout'
  const checkoutId = boughtBy ?? inCheckout ?? null
  const inTheWay = lines.some(({ notices }) => notices.some(({ kind }) => kind !== 'price-changed'))
  return { status, checkoutId, buyable: status === 'open' && lines.length > 0 && !inTheWay }
}
