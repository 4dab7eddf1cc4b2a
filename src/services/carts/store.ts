/** Where carts are kept. */
import { numbers, texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Changed, EntityId, Source, Store, Versioned } from '../../engine/decider.ts'
import { type CartsCommand, type CartsFact, cartEntity, cartsDecider } from './decider.ts'
import type { Cart } from './events.ts'

const idOf = (entity: EntityId) => entity.slice(cartEntity('').length)

interface Row {
  id: string
  version: number
  cart: string
}

const cartsStore: Store<Cart, CartsFact> = {
  async load(tx, ids, { skipLocked }) {
    const asked = texts(ids.map(idOf))
    const [rows, there] = await Promise.all([
      skipLocked
        ? tx<Row>`
            select id, version, cart
            from   carts.carts
            where  id = any(string_to_array(${asked}, chr(30)))
            order  by id
            for    update skip locked`
        : tx<Row>`
            select id, version, cart
            from   carts.carts
            where  id = any(string_to_array(${asked}, chr(30)))
            order  by id
            for    update`,
      skipLocked
        ? tx<{ id: string }>`select id from carts.carts where id = any(string_to_array(${asked}, chr(30)))`
        : [],
    ])
    const states = new Map(
      rows.map(({ id, version, cart }): [EntityId, Versioned<Cart>] => [
        cartEntity(id),
        { version, state: JSON.parse(cart) },
      ]),
    )
    return { states, blocked: there.map(({ id }) => cartEntity(id)).filter((entity) => !states.has(entity)) }
  },

  save: (tx, changed) => Promise.all([...saveCarts(tx, changed), ...saveLines(tx, changed)]),
}

/** Carts as a source, to stand beside the checkout's: a cart and who buys it change in one transaction. */
export const cartsSource: Source<Cart, CartsCommand, CartsFact> = {
  name: 'carts',
  entities: ['cart'],
  decider: cartsDecider,
  store: cartsStore,
}

type ChangedCarts = Changed<Cart, CartsFact>

function saveCarts(tx: Sql, { states, facts }: ChangedCarts) {
  const fresh = new Set(facts.flatMap(({ fact }) => (fact.type === 'cart.created' ? [fact.entity] : [])))
  const rows = [...states].map(([entity, { version, state }]) => ({ entity, version, cart: state as Cart }))
  const created = rows.filter(({ entity }) => fresh.has(entity))
  const updated = rows.filter(({ entity }) => !fresh.has(entity))
  return [
    created.length > 0 &&
      tx`
        insert into carts.carts (id, version, customer_id, anonymous_id, cart)
        select id, version, customer_id, anonymous_id, cart::json
        from   unnest(string_to_array(${texts(created.map(({ cart }) => cart.id))}, chr(30)),
                      ${numbers(created.map(({ version }) => version))}::bigint[],
                      ${created.map(({ cart }) => cart.customerId)}::text[],
                      ${created.map(({ cart }) => cart.anonymousId)}::text[],
                      string_to_array(${texts(created.map(({ cart }) => JSON.stringify(cart)))}, chr(30)))
               as created (id, version, customer_id, anonymous_id, cart)`,
    updated.length > 0 &&
      tx`
        update carts.carts c
        set    version = updated.version,
               cart    = updated.cart::json
        from   unnest(string_to_array(${texts(updated.map(({ cart }) => cart.id))}, chr(30)),
                      ${numbers(updated.map(({ version }) => version))}::bigint[],
                      string_to_array(${texts(updated.map(({ cart }) => JSON.stringify(cart)))}, chr(30)))
               as updated (id, version, cart)
        where  c.id = updated.id`,
  ]
}

const ownersChanges = new Set<CartsFact['type']>(['cart.updated', 'cart.merged'])

/** What is said of lines leaves them where they are: only their owner's changes come here. */
function saveLines(tx: Sql, { states, facts }: ChangedCarts) {
  const entities = new Set(facts.flatMap(({ fact }) => (ownersChanges.has(fact.type) ? [fact.entity] : [])))
  if (entities.size === 0) return []
  const carts = [...entities].map((entity) => states.get(entity)?.state as Cart)
  const lines = carts.flatMap(({ id, lines }) => lines.map(({ sku }) => ({ id, sku })))
  const skus = lines.map(({ sku }) => sku)
  const ids = lines.map(({ id }) => id)
  return [
    tx`
      delete from carts.lines l
      where  cart_id = any(string_to_array(${texts(carts.map(({ id }) => id))}, chr(30)))
      and    (sku, cart_id) not in (select * from unnest(${skus}::text[], ${ids}::text[]))`,
    lines.length > 0 &&
      tx`
        insert into carts.lines (sku, cart_id)
        select * from unnest(${skus}::text[], ${ids}::text[])
        on conflict do nothing`,
  ]
}
