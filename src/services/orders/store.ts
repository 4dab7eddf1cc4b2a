/** Where orders are kept: one statement a batch for what is new, one for what has changed. */
import { numbers, texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Changed, EntityId, Source, Store, Versioned } from '../../engine/decider.ts'
import { type OrderDeed, type OrdersFact, orderEntity, ordersDecider } from './decider.ts'
import type { Order } from './events.ts'

const nameOf = (entity: EntityId) => entity.slice(orderEntity('').length)

interface Found {
  id: string
  version: number
  state: string | null
}

const ordersStore: Store<Order, OrdersFact> = {
  /** One statement, since almost every order asked for is new: those that somebody else holds come without their state. */
  async load(tx, ids, { skipLocked }) {
    const asked = texts(ids.map(nameOf))
    const rows = skipLocked
      ? await tx<Found>`
          select o.id, own.version, own.state
          from   orders.orders o
          left   join lateral (select version, state from orders.orders l where l.id = o.id for update skip locked) own on true
          where  o.id = any(string_to_array(${asked}, chr(30)))`
      : await tx<Found>`
          select id, version, state
          from   orders.orders
          where  id = any(string_to_array(${asked}, chr(30)))
          order  by id
          for    update`
    const states = new Map<EntityId, Versioned<Order>>()
    const blocked: EntityId[] = []
    for (const { id, version, state } of rows) {
      if (state === null) blocked.push(orderEntity(id))
      else states.set(orderEntity(id), { version, state: JSON.parse(state) })
    }
    return { states, blocked }
  },

  /** Nothing of an order changes without a version. */
  same: () => true,

  save(tx, changed) {
    const [created, updated] = rowsOf(changed)
    return Promise.all([created.length > 0 && insert(tx, created), updated.length > 0 && update(tx, updated)])
  },
}

/** Orders as a source, to stand beside inventory's behind one executor. */
export const ordersSource: Source<Order, OrderDeed, OrdersFact> = {
  name: 'orders',
  entities: ['order'],
  decider: ordersDecider,
  store: ordersStore,
}

interface Row {
  version: number
  order: Order
}

function rowsOf({ states, facts }: Changed<Order, OrdersFact>): [created: Row[], updated: Row[]] {
  const born = new Set<EntityId>()
  for (const { fact } of facts) if (fact.type === 'order.created') born.add(fact.entity)
  const [created, updated]: [Row[], Row[]] = [[], []]
  for (const [entity, { version, state }] of states) {
    if (state) (born.has(entity) ? created : updated).push({ version, order: state })
  }
  return [created, updated]
}

/** Plainly: two processes that create one order must not both succeed. */
const insert = (tx: Sql, rows: Row[]) =>
  tx`
    insert into orders.orders (id, version, status, customer_id, created_at, state)
    select id, version, status, customer_id, created_at::timestamptz, state::json
    from   unnest(string_to_array(${texts(rows.map(({ order }) => order.id))}, chr(30)),
                  ${numbers(rows.map(({ version }) => version))}::bigint[],
                  string_to_array(${texts(rows.map(({ order }) => order.status))}, chr(30)),
                  string_to_array(${texts(rows.map(({ order }) => order.customerId ?? ''))}, chr(30), ''),
                  string_to_array(${texts(rows.map(({ order }) => order.createdAt))}, chr(30)),
                  string_to_array(${texts(rows.map(({ order }) => JSON.stringify(order)))}, chr(30)))
           as created (id, version, status, customer_id, created_at, state)`

const update = (tx: Sql, rows: Row[]) =>
  tx`
    update orders.orders o
    set    version = updated.version,
           status  = updated.status,
           state   = updated.state::json
    from   unnest(string_to_array(${texts(rows.map(({ order }) => order.id))}, chr(30)),
                  ${numbers(rows.map(({ version }) => version))}::bigint[],
                  string_to_array(${texts(rows.map(({ order }) => order.status))}, chr(30)),
                  string_to_array(${texts(rows.map(({ order }) => JSON.stringify(order)))}, chr(30)))
           as updated (id, version, status, state)
    where  o.id = updated.id`
